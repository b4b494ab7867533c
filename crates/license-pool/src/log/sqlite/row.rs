//! Entries as rows of SQLite.

use std::sync::LazyLock;
use std::{iter, slice};

use license_core::Entry;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement, ToSql};

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
    description_digest, chain, description, document) VALUES ";
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// How many rows one statement writes, if there are as many: row by row, a third of the time would go
/// into beginning and ending statements.
const ROWS: usize = 16;

static INSERT_ROW: LazyLock<String> = LazyLock::new(|| format!("{INSERT}{ROW}"));
static INSERT_ROWS: LazyLock<String> =
    LazyLock::new(|| format!("{INSERT}{}", [ROW; ROWS].join(", ")));

/// Writes new entries of one ledger.
pub(super) fn insert(
    connection: &Connection,
    ledger: LedgerId,
    entries: &[Entry],
) -> rusqlite::Result<()> {
    let (many, few) = entries.as_chunks::<ROWS>();
    if !many.is_empty() {
        let mut statement = connection.prepare_cached(&INSERT_ROWS)?;
        many.iter().try_for_each(|entries| execute(&mut statement, ledger, entries))?;
    }
    let mut statement = connection.prepare_cached(&INSERT_ROW)?;
    few.iter().try_for_each(|entry| execute(&mut statement, ledger, slice::from_ref(entry)))
}

/// Executes a statement that writes so many rows.
fn execute(
    statement: &mut Statement<'_>,
    ledger: LedgerId,
    entries: &[Entry],
) -> rusqlite::Result<()> {
    let mut parameter = 0;
    for entry in entries {
        let (ledger, cells): (&dyn ToSql, _) = (&ledger.0, row::cells(entry));
        for value in iter::once(ledger).chain(cells.iter().map(|cell| cell as &dyn ToSql)) {
            parameter += 1;
            statement.raw_bind_parameter(parameter, value)?;
        }
    }
    statement.raw_execute().map(drop)
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
