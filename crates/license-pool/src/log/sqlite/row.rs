//! Entries as rows of SQLite.

use license_core::Entry;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use crate::log::row::{self, Cell};
use crate::log::{Cause, LedgerId, LogError};

/// Entries of a ledger after a sequence, for [`read`]. How many are wanted shows in how many are
/// read.
pub(super) const SELECT: &str = "SELECT sequence, time, server, epoch, batch, principal, kind, \
    product_id, product_name, token, session_id, cause, code, reason, detail, description_digest, \
    chain, description, document \
    FROM entry WHERE ledger = ?1 AND sequence > ?2 ORDER BY sequence";

/// Entries of a ledger after a sequence and up to another that a reader wants, for [`read`]; a
/// parameter that is NULL takes all. Which sessions moved stands in no column of its own.
pub(super) const WANTED: &str = "SELECT sequence, time, server, epoch, batch, principal, kind, \
    product_id, product_name, token, session_id, cause, code, reason, detail, description_digest, \
    chain, description, document \
    FROM entry WHERE ledger = ?1 AND sequence > ?2 AND sequence <= ?3 \
    AND (?4 IS NULL OR time >= ?4) AND (?5 IS NULL OR time < ?5) \
    AND (?6 IS NULL OR product_id = ?6) AND (?7 IS NULL OR session_id = ?7 OR kind = 'moved') \
    AND (?8 IS NULL OR instr(?8, ',' || kind || ',')) ORDER BY sequence";

const INSERT: &str = "INSERT INTO entry (ledger, sequence, time, server, epoch, batch, principal, \
    kind, product_id, product_name, token, session_id, cause, code, reason, detail, \
    description_digest, chain, description, document) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Writes new entries of one ledger.
pub(super) fn insert(
    connection: &Connection,
    ledger: LedgerId,
    entries: &[Entry],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(INSERT)?;
    for entry in entries {
        let cells = row::cells(entry);
        let ledger: &dyn ToSql = &ledger.0;
        let cells = cells.iter().map(|cell| cell as &dyn ToSql);
        statement.execute(params_from_iter([ledger].into_iter().chain(cells)))?;
    }
    Ok(())
}

/// Reads a row of [`SELECT`], which follows the one of the entry `before`.
pub(super) fn read(
    ledger: LedgerId,
    before: Option<&Entry>,
    row: &Row<'_>,
) -> Result<Entry, LogError> {
    row::entry(ledger, before, |at| match row.get_ref(at)? {
        ValueRef::Null => Ok(Cell::Null),
        ValueRef::Integer(integer) => Ok(Cell::Integer(u64::try_from(integer)?)),
        text @ ValueRef::Text(_) => Ok(Cell::Text(text.as_str()?.into())),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(Cause::from("neither a number nor a text")),
    })
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Cell::Null => Ok(ToSqlOutput::Borrowed(ValueRef::Null)),
            Cell::Integer(integer) => integer.to_sql(),
            Cell::Text(text) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
        }
    }
}
