//! Bytes to a JSON value, or the place and the cure.

use serde_json::Value;

use crate::{
    malformed::{Malformed, Problem},
    place::Place,
    window::is_space,
};

/// Reads one value, which fills `bytes` and begins at `place`. Of duplicated members the last wins.
pub(crate) fn parse(bytes: &[u8], place: Place) -> Result<Value, Malformed> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::NotUtf8.at(place.after(&bytes[..error.valid_up_to()])))?;
    serde_json::from_str(text)
        .map_err(|error| problem(&error).at(place.after(&bytes[..offset(text, &error)])))
}

/// The bytes of a document behind its byte-order mark; there must be some.
pub(crate) fn document(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let document = match bytes {
        [0xef, 0xbb, 0xbf, document @ ..] => document,
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => return Err(Problem::Utf16.at(Place::START)),
        document => document,
    };
    if document.iter().all(|&byte| is_space(byte)) {
        return Err(Problem::Empty.at(Place::START.after(document)));
    }
    Ok(document)
}

/// The parser's complaint without its own idea of the place, which counts bytes from the value.
fn problem(error: &serde_json::Error) -> Problem {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or(&words);
    if let Some(what) = words.strip_prefix("EOF while parsing ") {
        return Problem::Syntax(format!("{what} is cut off here"));
    }
    match words {
        "number out of range" => Problem::NumberOutOfRange,
        "recursion limit exceeded" => Problem::TooDeep,
        words => Problem::Syntax(words.to_owned()),
    }
}

/// The offset of the byte that the parser stopped at.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = error.line().saturating_sub(1);
    let line: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    // Column 0 is the line break before the line.
    let mut offset = (line + error.column()).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
