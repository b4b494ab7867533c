//! An entry as a line of comma-separated values.

use jiff::tz::TimeZone;
use license_types::Entry;
use serde_json::Value;

use crate::output::{csv, spelled_in};

/// Where the value of a column stands in an entry's JSON.
#[derive(Clone, Copy)]
enum Place {
    Entry,
    Event,
    /// The caller's description of the session.
    Description,
}

/// The columns, named after the members that they show. Other members, such as the document of a
/// license, are only in `--json`.
const COLUMNS: [(&str, Place); 35] = {
    use Place::{Description, Entry, Event};
    [
        ("sequence", Entry),
        ("time", Entry),
        ("kind", Event),
        ("licenseNumber", Event),
        ("replacedNumber", Event),
        ("signed", Event),
        ("productId", Event),
        ("productName", Event),
        ("token", Event),
        ("sessionId", Event),
        ("sessionIds", Event),
        ("userName", Description),
        ("systemUserName", Description),
        ("machineName", Description),
        ("IPAddress", Description),
        ("state", Event),
        ("reason", Event),
        ("cause", Event),
        ("note", Event),
        ("code", Event),
        ("times", Event),
        ("sessions", Event),
        ("waitedSeconds", Event),
        ("allowedCount", Event),
        ("usedCount", Event),
        ("productUsedCount", Event),
        ("globalProductUsedCount", Event),
        ("productBalance", Event),
        ("leaseSeconds", Event),
        ("fromServer", Event),
        ("fromEpoch", Event),
        ("server", Entry),
        ("epoch", Entry),
        ("principal", Entry),
        ("chain", Entry),
    ]
};

/// The names of the columns.
pub(super) fn headings() -> String {
    csv::line(COLUMNS.map(|(name, _)| name))
}

/// The line of an entry, with its time in `zone`.
pub(super) fn line(entry: &Entry, zone: &TimeZone) -> String {
    let json = serde_json::to_value(entry).expect("our values are JSON");
    let cells = COLUMNS.map(|(name, place)| {
        let event = &json["event"];
        match place {
            Place::Entry if name == "time" => spelled_in(&entry.time, zone),
            Place::Entry => text(&json[name]),
            Place::Event => text(&event[name]),
            Place::Description => text(&event["description"][name]),
        }
    });
    csv::line(cells.iter().map(String::as_str))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => elements.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
