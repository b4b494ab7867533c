//! Spans of time as people type them: `90s`, `15m`, `24h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time; seconds if no unit is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Span, NoSpan> {
        let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(unit);
        let count: u64 = digits.parse().map_err(|_| NoSpan)?;
        let seconds = match unit {
            "ms" => return Ok(Span(Duration::from_millis(count))),
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(NoSpan),
        };
        count.checked_mul(seconds).map(|seconds| Span(Duration::from_secs(seconds))).ok_or(NoSpan)
    }
}

/// How long something is kept before it is deleted for good. It needs a unit, so that nobody means days
/// and gets seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub Duration);

impl FromStr for Age {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Age, NoSpan> {
        let Span(span) = text.parse()?;
        if text.ends_with(|c: char| c.is_ascii_digit()) { Err(NoSpan) } else { Ok(Age(span)) }
    }
}

/// The error that a text is no span of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoSpan;

impl fmt::Display for NoSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a number and a unit, such as 90s, 15m, 24h or 90d")
    }
}

impl std::error::Error for NoSpan {}
