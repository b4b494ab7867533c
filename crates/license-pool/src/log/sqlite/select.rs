//! Finds the entries that a reader wants without making values of the others.

use rusqlite::{Connection, OptionalExtension, params};

use super::{failed_to, read, row};
use crate::log::selection::STRETCH;
use crate::log::{LedgerId, LogError, Selection, Stretch};

pub(super) fn select(
    connection: &Connection,
    ledger: LedgerId,
    after: u64,
    limit: usize,
    wanted: &Selection,
) -> Result<Stretch, LogError> {
    let end = connection
        .prepare_cached("SELECT sequence FROM ledger WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([ledger.0], |row| row.get(0)).optional())
        .map_err(failed_to("read the head of a ledger"))?
        .unwrap_or(0u64);
    // What is gone from the beginning of a log need not be looked through.
    let begin = connection
        .prepare_cached("SELECT min(sequence) FROM entry WHERE ledger = ?1 AND sequence > ?2")
        .and_then(|mut statement| statement.query_row(params![ledger.0, after], |row| row.get(0)))
        .map_err(failed_to("read"))?;
    let begin: Option<u64> = begin;
    let reached =
        begin.map_or(end, |begin| (begin - 1).saturating_add(STRETCH)).min(end).max(after);
    let (begin, end) = (begin.unwrap_or(0), end.max(after));
    let mut stretch = Stretch { begin, entries: Vec::new(), reached, end };

    let (from, to) = wanted.spelled();
    let kinds: String = wanted.kinds.iter().map(|kind| format!(",{kind},")).collect();
    let mut statement = connection.prepare_cached(row::WANTED).map_err(failed_to("read"))?;
    let mut rows = statement
        .query(params![
            ledger.0,
            after,
            reached,
            from,
            to,
            wanted.product.map(|product| product.get()),
            wanted.session.as_ref().map(|session| session.as_str()),
            (!kinds.is_empty()).then_some(kinds),
        ])
        .map_err(failed_to("read"))?;
    while let Some(row) = rows.next().map_err(failed_to("read"))? {
        let entry = row::read(ledger, stretch.entries.last(), row)?;
        let sequence = entry.sequence;
        if wanted.takes(&entry) {
            stretch.entries.push(entry);
        }
        if stretch.entries.len() == limit && sequence < reached {
            stretch.reached = sequence;
            return Ok(stretch);
        }
    }
    if stretch.reached == stretch.end {
        let last = "SELECT max(sequence) FROM entry WHERE ledger = ?1";
        let last: Option<u64> = connection
            .prepare_cached(last)
            .and_then(|mut statement| statement.query_row([ledger.0], |row| row.get(0)))
            .map_err(failed_to("read"))?;
        read::ends_as_its_head_says(connection, ledger, last.unwrap_or(0), None)?;
    }
    Ok(stretch)
}
