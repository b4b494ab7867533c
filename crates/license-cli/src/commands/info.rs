//! `license info`: the installed license with its live counters.

use jiff::Timestamp;
use license_types::{LicenseDate, LicenseInfo, LicensedProduct, Right, RightCount};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Rows;
use crate::output::text::escaped;
use crate::output::{UNLIMITED, product};

pub(super) fn run(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut licenses = context.licenses()?;
    let info = licenses.info()?;
    context.warn_if_sealed(licenses.as_mut())?;
    if info.is_none() {
        context.nothing_installed();
    }
    if context.json() {
        context.value(&info)?;
    } else if let Some(info) = info {
        let now = context.env.clock.now();
        let text = headline(&info, now) + &products(&info, now, context.width());
        context.data(&text)?;
    }
    Ok(Exit::Done)
}

fn headline(info: &LicenseInfo, now: Timestamp) -> String {
    let mut license = format!("{}, license {}", info.name, info.license_number);
    if let Some(date) = &info.expiration_date {
        license += &format!(", valid until {}", until(date, now));
    }
    let holder = format!("for {}, {} <{}>", info.company_name, info.user_name, info.user_mail);
    [license, holder].map(|line| escaped(&line).into_owned() + "\n").concat()
}

fn products(info: &LicenseInfo, now: Timestamp, width: Option<u16>) -> String {
    let headings = ["product", "used", "allowed", "left", "rights"];
    let mut rows = Rows::new(&headings, width).right_aligned(1..4);
    for listed in &info.products {
        let (used, allowed) = (listed.used_count.get(), listed.allowed_count.get());
        let unlimited = is_unlimited(info, listed, now);
        let or_unlimited = |count: u64| match unlimited {
            true => UNLIMITED.to_owned(),
            false => count.to_string(),
        };
        rows.row([
            product(&listed.name, listed.id),
            used.to_string(),
            or_unlimited(allowed),
            or_unlimited(allowed.saturating_sub(used)),
            rights(&listed.rights, now),
        ]);
    }
    rows.text()
}

/// Whether a product is unlimited. Only its rights tell, since limited ones may add up to the number
/// that stands for unlimited.
pub(super) fn is_unlimited(info: &LicenseInfo, listed: &LicensedProduct, now: Timestamp) -> bool {
    let valid = |date: Option<&LicenseDate>| date.is_none_or(|date| !is_over(date, now));
    valid(info.expiration_date.as_ref())
        && listed.rights.iter().any(|right| {
            right.count == RightCount::UNLIMITED && valid(right.expiration_date.as_ref())
        })
}

fn rights(rights: &[Right], now: Timestamp) -> String {
    let texts: Vec<String> = rights
        .iter()
        .map(|right| {
            let count = match right.count == RightCount::UNLIMITED {
                true => UNLIMITED.to_owned(),
                false => right.count.to_string(),
            };
            match &right.expiration_date {
                Some(date) => format!("{count} until {}", until(date, now)),
                None => count,
            }
        })
        .collect();
    match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(", "),
    }
}

fn until(date: &LicenseDate, now: Timestamp) -> String {
    let expired = if is_over(date, now) { " (expired)" } else { "" };
    format!("{:04}-{:02}-{:02}{expired}", date.year.get(), date.month.get(), date.day.get())
}

fn is_over(date: &LicenseDate, now: Timestamp) -> bool {
    date.end().is_some_and(|end| end <= now)
}
