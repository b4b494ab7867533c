//! What the generated validators are made of: readers of JSON that build nothing.
//!
//! A reader takes the bytes that begin with a value and returns what is left behind that value, or
//! `None` where it is not sure that the value is valid. It never says that one is invalid: what it
//! does not accept goes to the reference, which parses and explains. So a reader may be stricter
//! than the reference wherever that keeps it simple, and must never be laxer.
//!
//! Not sure on purpose, each a rare way to write a valid document:
//! - a number with a fraction or an exponent where an integer is wanted, `-0`, and more than 16
//!   digits (`1.0` and `1e3` are integers, and bounds compare as floats);
//! - a member that is named twice, unless every one of its values is valid (the last one counts);
//! - an escape in a name or in a text with a constraint, and escaped surrogates anywhere;
//! - the leap second of a date-time;
//! - in members that no schema names: more than [`skip::DEPTH`] levels, and numbers of unusual length.

mod calendar;
mod number;
mod pattern;
mod skip;
mod structure;
mod text;

pub(crate) use calendar::is_date_time;
pub(crate) use number::integer;
pub(crate) use pattern::{digit, either, exactly, fits, hex_digit, optional, repeat};
pub(crate) use skip::anything;
pub(crate) use structure::{Branches, Seen, elements, members, space};
pub(crate) use text::{characters, text, text_where};

/// What is left behind an accepted value; `None` where it may be invalid.
pub(crate) type Rest<'a> = Option<&'a [u8]>;

/// Reads one value that stands at the start of the bytes.
pub(crate) type Reader = for<'a> fn(&'a [u8]) -> Rest<'a>;

/// Whether `document` is certainly one valid value, with nothing but space around it.
pub(crate) fn accepts<'a>(reader: impl Fn(&'a [u8]) -> Rest<'a>, document: &'a [u8]) -> bool {
    reader(space(document)).is_some_and(|rest| space(rest).is_empty())
}

/// `true` or `false`.
#[inline]
pub(crate) fn boolean(input: &[u8]) -> Rest<'_> {
    input.strip_prefix(b"true").or_else(|| input.strip_prefix(b"false"))
}

/// `null`.
#[inline]
pub(crate) fn null(input: &[u8]) -> Rest<'_> {
    input.strip_prefix(b"null")
}
