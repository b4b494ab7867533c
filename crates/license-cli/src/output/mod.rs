//! How values become text: for programs as JSON, for people as tables and lines.

pub(crate) mod csv;
pub(crate) mod progress;
pub(crate) mod secrets;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod text;

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_types::{Count, DateTime, ProductId, RetainReceipt, RightCount, Violation};
use serde::Serialize;

use text::escaped;

/// A value as JSON, indented.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("our values are JSON") + "\n"
}

/// A value as one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our values are JSON") + "\n"
}

/// How messages name a file.
pub(crate) fn name_of(path: &Path) -> String {
    match path == Path::new("-") {
        true => "<stdin>".to_owned(),
        false => path.display().to_string(),
    }
}

/// `line:column: pointer: message`, without the pointer at the root.
pub(crate) fn place(violation: &Violation) -> String {
    let Violation { line, column, instance_path, message, .. } = violation;
    let pointer = match instance_path.is_empty() {
        true => String::new(),
        false => format!("{instance_path}: "),
    };
    format!("{line}:{column}: {pointer}{message}")
}

/// A product by name and by id in both spellings.
pub(crate) fn product(name: &str, id: ProductId) -> String {
    format!("{name} {}", id.human())
}

/// An instant in UTC, to the second.
pub(crate) fn time(time: &DateTime) -> String {
    instant(time.timestamp())
}

/// An instant in UTC, to the second.
pub(crate) fn instant(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An instant in a time zone, to the second; in UTC as [`instant`] shows it.
pub(crate) fn instant_in(timestamp: Timestamp, zone: &TimeZone) -> String {
    match *zone == TimeZone::UTC {
        true => instant(timestamp),
        false => timestamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
    }
}

/// An instant in a time zone, in a form that spreadsheets read; in UTC as JSON has it.
pub(crate) fn spelled_in(time: &DateTime, zone: &TimeZone) -> String {
    match *zone == TimeZone::UTC {
        true => time.as_str().to_owned(),
        false => {
            let time = time.timestamp().to_zoned(zone.clone());
            time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
        }
    }
}

/// License-hours, cut to tenths: a table never shows more than was held.
pub(crate) fn hours(held_seconds: u64) -> String {
    let tenths = held_seconds / 360;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The word for a number without limit.
pub(crate) const UNLIMITED: &str = "unlimited";

/// A number of licenses that are allowed or left, for places that do not know the rights: the number that
/// stands for unlimited is shown as that word, although limited rights may add up to it.
pub(crate) fn or_unlimited(count: Count) -> String {
    match count.get() == RightCount::UNLIMITED.get() {
        true => UNLIMITED.to_owned(),
        false => count.to_string(),
    }
}

/// A line for people about one license that a session holds.
pub(crate) fn held(receipt: &RetainReceipt) -> String {
    let retention = &receipt.retention;
    let mut line = format!(
        "token {}: {}, {} used, {} left, since {}",
        retention.token,
        escaped(&product(&retention.product_name, retention.product_id)),
        retention.global_product_used_count,
        or_unlimited(retention.product_balance),
        time(&retention.time),
    );
    if let Some(lease) = &receipt.lease {
        let (seconds, until) = (lease.renew_after_seconds, time(&lease.expires_at));
        line += &format!("; renew within {seconds} s, expires {until}");
    }
    line + "\n"
}
