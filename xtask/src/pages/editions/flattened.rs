//! Text flattened from HTML: the cells of a row stand without anything between them.
//!
//! Prose looks just like a row, so rows count only from a line of header words to a blank line.

use super::{Row, Table, element_name};
use crate::pages::model::Kind;
use crate::pages::words;

/// Longer names are not looked for, so that a huge line costs little.
const NAME_LENGTH_MAX: usize = 100;

pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut is_open = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if let Some(language) = words::flattened_header(line) {
            tables.push(Table { language, line: number, rows: Vec::new() });
            is_open = true;
        } else if line.is_empty() {
            is_open = false;
        } else if let (true, Some(table)) = (is_open, tables.last_mut()) {
            table.rows.push(row(number, &line.replace('\\', "")));
        }
    }
    tables
}

fn row(number: usize, line: &str) -> Row {
    let text = element_name(line).unwrap_or(line);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name_end = text.find(|c| !is_name(c)).unwrap_or(text.len()).min(NAME_LENGTH_MAX);
    let mut splits = (1..=name_end).filter_map(|at| {
        let (kind, description) = words::kind_at_start(&text[at..])?;
        Some((at, kind, description))
    });
    // `licenseNumberstringThe number` splits at `Number` too, but what that leaves begins with a
    // second type, glued to a description: the first split that leaves none is the right one.
    let first = splits.next();
    let is_whole = |split: &(usize, Kind, &str)| !begins_with_glued_kind(split.2);
    let whole = first.clone().into_iter().chain(splits).find(is_whole);
    let (at, kind, description) =
        whole.or(first).unwrap_or((name_end, Kind::Unknown(String::new()), &text[name_end..]));
    let name_start = line.len() - text.len();
    Row::new(number, &line[..name_start + at], kind, description)
}

fn begins_with_glued_kind(text: &str) -> bool {
    words::kind_at_start(text)
        .and_then(|(_, rest)| rest.chars().next())
        .is_some_and(|next| next.is_alphabetic() && !next.is_lowercase())
}
