//! `license available`: whether a license of a product can be retained now.

use jiff::Timestamp;
use license_types::{Availability, RefusalCode};

use super::info;
use crate::arguments::Available;
use crate::context::{Context, answered};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::Licenses;
use crate::output::{UNLIMITED, or_unlimited};

pub(super) fn run(arguments: &Available, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut licenses = context.licenses()?;
    let availability = licenses.availability(arguments.product)?;
    context.warn_if_sealed(licenses.as_mut())?;
    // Who may only retain is not shown the license, and is answered all the same.
    if availability.code == Some(RefusalCode::UnknownProduct) && matches!(licenses.info(), Ok(None))
    {
        context.nothing_installed();
    }
    let written = if context.json() {
        context.value(&availability)
    } else {
        let is_unlimited = is_unlimited(&availability, licenses.as_mut(), context.env.clock.now());
        context.data(&sentence(&availability, is_unlimited))
    };
    answered(written, if availability.available { Exit::Done } else { Exit::Refused })
}

/// Whether the number that stands for an unlimited right is one, and not what limited rights add up
/// to: then what is left is less as soon as any is used. Before that only the rights tell, for who
/// may see them.
fn is_unlimited(availability: &Availability, licenses: &mut dyn Licenses, now: Timestamp) -> bool {
    let Availability { product_id, allowed_count, used_count, product_balance, .. } = availability;
    if [allowed_count, product_balance].map(|count| or_unlimited(*count)) != [UNLIMITED; 2] {
        return false;
    }
    let unused = used_count.get() == 0;
    let Some(info) = unused.then(|| licenses.info().ok().flatten()).flatten() else { return true };
    let listed = info.products.iter().find(|listed| listed.id == *product_id);
    listed.is_none_or(|listed| info::is_unlimited(&info, listed, now))
}

fn sentence(availability: &Availability, is_unlimited: bool) -> String {
    let Availability { product_id, allowed_count, used_count, product_balance, .. } = availability;
    let product = product_id.human();
    match availability.code {
        None if is_unlimited => format!("yes: {product} is unlimited\n"),
        None => format!("yes: {product} has {product_balance} of {allowed_count} left\n"),
        Some(RefusalCode::UnknownProduct) => format!("no: the license has no product {product}\n"),
        Some(RefusalCode::LicenseExpired) => format!("no: the license for {product} has expired\n"),
        Some(RefusalCode::NoLicenseLeft) => {
            format!("no: {product} has {used_count} of {allowed_count} in use\n")
        }
        Some(RefusalCode::NotPermitted) => format!("no: {product} is not permitted\n"),
    }
}
