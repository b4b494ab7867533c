//! Reads what the path and the query of a request say, before its credential is looked at.

use std::time::Duration;

use axum::http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use license_pool::{License, Selection};
use license_types::schemas::Profile;
use license_types::{EventKind, ProductId, SessionId, Token};
use percent_encoding::percent_decode_str;

use crate::failure::Failure;
use crate::operation::Operation;

/// Every parameter of a path or a query. Each operation takes those that the table names.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Number of a license; `None` for the only one that is installed.
    pub(crate) license: Option<String>,
    pub(crate) session: Option<SessionId>,
    pub(crate) product: Option<ProductId>,
    pub(crate) token: Option<Token>,
    /// Name of a schema or a file.
    pub(crate) name: Option<String>,
    pub(crate) profile: Option<Profile>,
    pub(crate) replaces: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) server: Option<String>,
    pub(crate) wait: Option<Duration>,
    pub(crate) note: Option<String>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) kinds: Vec<EventKind>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

/// Stands in a path for the only license that is installed.
const ACTIVE: &str = "active";

/// The most characters of license numbers and names.
const TEXT_MAX: usize = License::NUMBER_MAX;
/// How many characters of an unknown parameter's name are told back.
const NAME_MAX: usize = 40;
/// The most characters of a note.
const NOTE_MAX: usize = 1024;
/// The greatest number that every JSON reader can hold.
const NUMBER_MAX: u64 = (1 << 53) - 1;

impl Parameters {
    /// Reads the path and the query.
    pub(crate) fn read<'a>(
        operation: Operation,
        path: impl Iterator<Item = (&'a str, &'a str)>,
        query: Option<&str>,
    ) -> Result<Parameters, Failure> {
        let mut parameters = Parameters::default();
        for (name, value) in path {
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
            parameters.set(name, &value)?;
        }
        let mut seen: Vec<&str> = Vec::new();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let Some(name) = operation.query().iter().find(|known| **known == name) else {
                return Err(unknown(name, operation.query()));
            };
            if seen.contains(name) {
                return Err(Failure::bad_request(format!("the parameter {name} is given twice")));
            }
            seen.push(name);
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8();
            let value = value.map_err(|_| wrong(name, "not UTF-8"))?;
            parameters.set(name, &value)?;
        }
        parameters.span()?;
        Ok(parameters)
    }

    /// Goes on where a stream broke off, as far as who followed it says so.
    pub(crate) fn resume(&mut self, headers: &HeaderMap) -> Result<(), Failure> {
        if let Some(last) = headers.get("last-event-id") {
            let last = last.to_str().ok().and_then(whole);
            let wrong = || Failure::bad_request("Last-Event-ID is no sequence of an entry");
            self.after = Some(last.ok_or_else(wrong)?);
        }
        Ok(())
    }

    /// Which entries are wanted.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            from: self.from,
            to: self.to,
            product: self.product,
            session: self.session.clone(),
            kinds: self.kinds.clone(),
        }
    }

    /// Refuses a span of time that ends before it begins: an empty answer would hide the mistake.
    fn span(&self) -> Result<(), Failure> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to <= from => {
                let rule = format!("{to}, which is not after the parameter from, {from}");
                Err(wrong("to", &rule))
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "n" if value == ACTIVE => self.license = None,
            "n" => self.license = Some(text(name, value, TEXT_MAX)?),
            "sid" => {
                let rule = "not 1 to 128 letters, digits and ._:@-";
                self.session = Some(value.parse().map_err(|_| wrong(name, rule))?);
            }
            "id" | "product" => {
                let rule = "no product; write its number or four characters, such as 0009";
                self.product = Some(value.parse().map_err(|_| wrong(name, rule))?);
            }
            "token" => {
                let token = number(name, value)?;
                self.token = Some(Token::new(token).map_err(|_| wrong(name, "less than 1"))?);
            }
            "name" | "asset" => self.name = Some(text(name, value, TEXT_MAX)?),
            "profile" => {
                let rule = "neither documented nor observed";
                self.profile = Some(value.parse().map_err(|_| wrong(name, rule))?);
            }
            "replaces" => self.replaces = Some(text(name, value, TEXT_MAX)?),
            "dryRun" => {
                self.dry_run = value.parse().map_err(|_| wrong(name, "neither true nor false"))?;
            }
            "server" => self.server = Some(text(name, value, TEXT_MAX)?),
            "wait" => self.wait = Some(duration(name, value)?),
            "note" => self.note = Some(text(name, value, NOTE_MAX)?),
            "after" => self.after = Some(number(name, value)?),
            "session" => {
                let rule = "not 1 to 128 letters, digits and ._:@-";
                self.session = Some(value.parse().map_err(|_| wrong(name, rule))?);
            }
            "kind" => {
                let rule = "no list of kinds of entries, such as retained,released";
                let kinds = value.split(',').map(str::parse).collect::<Result<_, _>>();
                self.kinds = kinds.map_err(|_| wrong(name, rule))?;
            }
            "from" => self.from = Some(instant(name, value, Edge::Start)?),
            "to" => self.to = Some(instant(name, value, Edge::End)?),
            "limit" => match number(name, value)? {
                0 => return Err(wrong(name, "less than 1")),
                limit => self.limit = Some(limit),
            },
            _ => unreachable!("the table names no other parameter"),
        }
        Ok(())
    }
}

fn text(name: &str, value: &str, longest: usize) -> Result<String, Failure> {
    match value {
        "" => Err(wrong(name, "empty")),
        _ if value.contains('\0') => Err(wrong(name, "a text with U+0000 in it")),
        _ if value.chars().count() > longest => {
            Err(wrong(name, &format!("longer than {longest} characters")))
        }
        _ => Ok(value.to_owned()),
    }
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    whole(value).ok_or_else(|| wrong(name, &format!("no whole number from 0 to {NUMBER_MAX}")))
}

/// A number written as digits alone.
fn whole(value: &str) -> Option<u64> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| digits && *number <= NUMBER_MAX)
}

/// `30s`, `500ms`, `2m`; seconds without a unit.
fn duration(name: &str, value: &str) -> Result<Duration, Failure> {
    let split = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, unit) = value.split_at(split);
    let wrong = || wrong(name, "no span of time such as 30s");
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(count)),
        "" | "s" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_secs(count.checked_mul(60).ok_or_else(wrong)?)),
        _ => Err(wrong()),
    }
}

/// Which end of a span of time an instant is.
#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

/// An instant; or a day (UTC), which a span includes whole: `Start` gives its first instant, `End` that
/// of the next day.
fn instant(name: &str, value: &str, edge: Edge) -> Result<Timestamp, Failure> {
    let wrong = || match value.contains(' ') {
        // In a query a plain plus sign means a space, so an offset such as +01:00 loses its sign.
        true => wrong(name, "an instant with a space in it; write a plus sign as %2B"),
        false => wrong(name, "neither a day such as 2026-01-31 nor an instant of RFC 3339"),
    };
    if let Ok(instant) = value.parse::<Timestamp>() {
        return Ok(instant);
    }
    let day = Some(value).filter(|value| value.len() == "2026-01-31".len());
    let day: Date = day.and_then(|day| day.parse().ok()).ok_or_else(wrong)?;
    let day = match edge {
        Edge::Start => day,
        Edge::End => day.tomorrow().map_err(|_| wrong())?,
    };
    day.to_zoned(TimeZone::UTC).map(|day| day.timestamp()).map_err(|_| wrong())
}

/// The refusal of a parameter that an operation does not take.
fn unknown(name: &str, known: &[&str]) -> Failure {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let name: String = name.chars().take(NAME_MAX).collect();
    Failure::bad_request(format!(
        "the query parameter {name:?} is not known here; this request takes {known}"
    ))
}

fn wrong(name: &str, rule: &str) -> Failure {
    Failure::bad_request(format!("the parameter {name} is {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_time_is_in_seconds_unless_it_names_another_unit() {
        let read = |text| duration("wait", text).map(|span| span.as_millis());
        for (text, milliseconds) in [("0", 0), ("30", 30_000), ("30s", 30_000), ("2m", 120_000)] {
            assert_eq!(read(text).unwrap(), milliseconds, "{text}");
        }
        assert_eq!(read("500ms").unwrap(), 500);
        for text in ["", "s", "1h", "-1", "1.5s", "30 s", "18446744073709551615m", "1e3"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
