//! Entries as rows of PostgreSQL.

use std::borrow::Cow;

use license_core::Entry;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::error::Trouble;
use crate::log::row::{self, Cell, WIDTH};
use crate::log::{Append, LedgerId, LogError};

/// Server, epoch and batch: in the entries of one turn they are all alike.
const ALIKE: [usize; 3] = [2, 3, 4];

/// A column of many rows, as one array.
#[derive(Debug)]
pub(super) enum Column<'e> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<Cow<'e, str>>>),
}

impl Column<'_> {
    /// Empties a column of nulls: the statement fills up an array that is shorter than the others.
    fn shorten(&mut self) {
        match self {
            Column::Integers(integers) if integers.iter().all(Option::is_none) => integers.clear(),
            Column::Texts(texts) if texts.iter().all(Option::is_none) => texts.clear(),
            Column::Integers(_) | Column::Texts(_) => {}
        }
    }

    pub(super) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Column::Integers(integers) => integers,
            Column::Texts(texts) => texts,
        }
    }
}

/// The parameters of `insert.sql`: every entry's ledger, then every column of an entry.
pub(super) fn columns<'e>(ledgers: &[LedgerId], appends: &'e [Append]) -> Vec<Column<'e>> {
    let ledgers = ledgers.iter().zip(appends);
    let ledgers = ledgers.flat_map(|(ledger, append)| append.entries.iter().map(|_| ledger.0));
    let mut columns = vec![Column::Integers(ledgers.map(Some).collect())];
    columns.extend(columns_of(appends.iter().flat_map(|append| &append.entries)));
    columns
}

/// The parameters of `advance_one.sql` that differ from entry to entry.
pub(super) fn differing(entries: &[Entry]) -> Vec<Column<'_>> {
    let columns = columns_of(entries.iter()).into_iter().enumerate();
    columns.filter(|(at, _)| !ALIKE.contains(at)).map(|(_, column)| column).collect()
}

/// Every column of an entry.
fn columns_of<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<Column<'e>> {
    let mut columns: Vec<Column<'e>> = (0..WIDTH).map(empty).collect();
    for entry in entries {
        for (column, cell) in columns.iter_mut().zip(row::cells(entry)) {
            match (column, cell) {
                (Column::Integers(integers), Cell::Null) => integers.push(None),
                (Column::Integers(integers), Cell::Integer(integer)) => {
                    integers.push(Some(signed(integer)));
                }
                (Column::Texts(texts), Cell::Null) => texts.push(None),
                (Column::Texts(texts), Cell::Text(text)) => texts.push(Some(escaped(text))),
                (Column::Integers(_), Cell::Text(_)) | (Column::Texts(_), Cell::Integer(_)) => {
                    unreachable!("every column is of one type")
                }
            }
        }
    }
    columns.iter_mut().for_each(Column::shorten);
    columns
}

/// The parameters of `heads.sql`: ledgers, and sequence and chain value of the last entry of each.
pub(super) fn heads(ledgers: &[LedgerId], appends: &[Append]) -> (Vec<i64>, Vec<i64>, Vec<String>) {
    let mut heads = (Vec::new(), Vec::new(), Vec::new());
    for (ledger, append) in ledgers.iter().zip(appends) {
        if let Some(last) = append.entries.last() {
            heads.0.push(ledger.0);
            heads.1.push(signed(last.sequence));
            heads.2.push(last.chain.to_string());
        }
    }
    heads
}

/// Sequence, epoch, product id and token are numbers.
fn empty(at: usize) -> Column<'static> {
    match at {
        0 | 3 | 7 | 9 => Column::Integers(Vec::new()),
        _ => Column::Texts(Vec::new()),
    }
}

/// Reads rows of `page.sql` or `news.sql`, in their order.
pub(super) fn read(ledger: LedgerId, rows: &[Row]) -> Result<Vec<Entry>, LogError> {
    let mut entries: Vec<Entry> = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(read_one(ledger, entries.last(), row)?);
    }
    Ok(entries)
}

fn read_one(ledger: LedgerId, before: Option<&Entry>, row: &Row) -> Result<Entry, LogError> {
    row::entry(ledger, before, |at| {
        if *row.columns()[at].type_() == Type::INT8 {
            match row.try_get::<_, Option<i64>>(at)? {
                Some(integer) => Ok(Cell::Integer(u64::try_from(integer)?)),
                None => Ok(Cell::Null),
            }
        } else {
            let text = row.try_get::<_, Option<&str>>(at)?;
            Ok(text.map_or(Cell::Null, |text| Cell::Text(unescaped(text))))
        }
    })
}

/// A count as the database keeps it.
pub(super) fn signed(count: u64) -> i64 {
    // Counts end at 2^53 - 1.
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count that the database kept.
pub(super) fn unsigned(integer: i64) -> Result<u64, Trouble> {
    u64::try_from(integer).map_err(|_| Trouble::Nonsense)
}

/// The escape character for U+0000, which PostgreSQL does not keep. Unicode gives it no meaning.
const MARK: char = '\u{FDD0}';

/// The first byte of its UTF-8.
const MARK_LEAD: u8 = 0xEF;

/// The text as PostgreSQL keeps it.
pub(super) fn escaped(text: Cow<'_, str>) -> Cow<'_, str> {
    // Every text of every entry passes here, and few have a byte with which either could begin.
    if !text.bytes().any(|byte| byte == 0 || byte == MARK_LEAD) || !text.contains(['\0', MARK]) {
        return text;
    }
    text.replace(MARK, "\u{FDD0}1").replace('\0', "\u{FDD0}0").into()
}

/// The text that PostgreSQL kept.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return text.into();
    }
    text.replace("\u{FDD0}0", "\0").replace("\u{FDD0}1", "\u{FDD0}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        for text in
            ["", "CLIENT", "a\0b", "\u{FDD0}", "\u{FDD0}0", "\u{FDD0}1\0", "\0\0\u{FDD0}0\0"]
        {
            let kept = escaped(text.into());
            assert!(!kept.contains('\0'));
            assert_eq!(unescaped(&kept), text);
        }
    }
}
