//! The file as plain rows, to be copied from and to.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params, params_from_iter};

use super::archive::erase;
use super::turnstile::Pass;
use super::{SqliteLog, enter, failed_to, format, open, register};
use crate::log::tables::{Row, Source, Table, Target, Value, quoted};
use crate::log::{LogError, OpenError};

/// A store that is read, through a connection of its own.
pub(crate) struct SqliteSource {
    log: SqliteLog,
    /// The turn of an exclusive moment.
    pass: Option<Pass>,
}

impl SqliteSource {
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<SqliteSource, OpenError> {
        Ok(SqliteSource { log: SqliteLog::open(path, false, patience)?, pass: None })
    }
}

impl Source for SqliteSource {
    fn sealed_to(&mut self) -> Result<Option<String>, LogError> {
        register::sealed_to(&self.log.connection)
    }

    fn tables(&mut self) -> Result<Vec<Table>, LogError> {
        const CATALOG: &str = "
            SELECT made.name, part.name, nullif(part.pk, 0)
            FROM sqlite_schema AS made JOIN pragma_table_info(made.name) AS part
            WHERE made.type = 'table' AND made.name NOT GLOB 'sqlite_*'
            ORDER BY made.name, part.cid";
        let read = || {
            let mut statement = self.log.connection.prepare(CATALOG)?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map(Table::gather).map_err(failed_to("read its catalog"))
    }

    fn begin(&mut self, exclusive: bool) -> Result<(), LogError> {
        if exclusive {
            self.pass = Some(enter(&self.log.turnstile, self.log.patience)?);
        }
        let begin = if exclusive { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.log.connection.execute_batch(begin).map_err(failed_to("begin a turn"))
    }

    fn rows(
        &mut self,
        table: &Table,
        within: &[Value],
        after: &[Value],
    ) -> Result<Vec<Row>, LogError> {
        let read = || {
            let select = table.select(within.len(), after.len(), |at| format!("?{at}"));
            let mut statement = self.log.connection.prepare_cached(&select)?;
            let mut rows = statement.query(params_from_iter(within.iter().chain(after)))?;
            let mut read = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..table.columns.len()).map(|at| value(at, row.get_ref(at)?));
                read.push(values.collect::<rusqlite::Result<Row>>()?);
            }
            Ok(read)
        };
        read().map_err(failed_to("read"))
    }

    fn begins_at(&mut self, ledger: i64) -> Result<i64, LogError> {
        const FIRST: &str = "SELECT coalesce(min(sequence), 0) FROM entry WHERE ledger = ?1";
        let first = self.log.connection.query_row(FIRST, [ledger], |row| row.get(0));
        first.map_err(failed_to("read"))
    }

    fn erased(&mut self, ledger: i64, after: i64, until: i64) -> Result<Vec<i64>, LogError> {
        let read = || {
            let mut statement = self.log.connection.prepare_cached(
                "SELECT sequence FROM entry WHERE ledger = ?1 AND sequence > ?2 AND sequence <= ?3
                 AND description IS NULL AND description_digest IS NOT NULL",
            )?;
            statement
                .query_map([ledger, after, until], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(failed_to("read"))
    }

    fn seal(&mut self, successor: &str) -> Result<(), LogError> {
        self.log
            .connection
            .execute("UPDATE store SET sealed_to = ?1", [successor])
            .map_err(failed_to("be sealed"))?;
        self.end()
    }

    fn end(&mut self) -> Result<(), LogError> {
        // Another file there by now would be neither copied nor sealed.
        self.log.place.holds()?;
        let ended = self.log.connection.execute_batch("COMMIT").map_err(failed_to("commit"));
        self.pass = None;
        ended
    }
}

/// A store that is written, while nobody else may.
pub(crate) struct SqliteTarget {
    connection: Connection,
    _pass: Pass,
}

impl SqliteTarget {
    pub(crate) fn open(path: &Path) -> Result<SqliteTarget, OpenError> {
        let (connection, _pass) = open::begin_copy(path)?;
        Ok(SqliteTarget { connection, _pass })
    }
}

impl Target for SqliteTarget {
    fn clear(&mut self, table: &Table) -> Result<(), LogError> {
        let delete = format!("DELETE FROM {}", quoted(&table.name));
        self.connection.execute_batch(&delete).map_err(failed_to("write"))
    }

    fn add(&mut self, table: &Table, rows: &[Row]) -> Result<(), LogError> {
        let mut write = || {
            let turn = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut statement = turn.prepare_cached(&table.insert(|at| format!("?{at}")))?;
            for row in rows {
                statement.execute(params_from_iter(row))?;
            }
            drop(statement);
            turn.commit()
        };
        write().map_err(failed_to("write"))
    }

    fn forget(&mut self, ledger: i64, below: i64) -> Result<(), LogError> {
        self.connection
            .execute(
                "DELETE FROM entry WHERE ledger = ?1 AND sequence < ?2",
                params![ledger, below],
            )
            .map(drop)
            .map_err(failed_to("write"))
    }

    fn erase(&mut self, ledger: i64, sequences: &[i64]) -> Result<(), LogError> {
        let mut write = || {
            let turn = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            erase(&turn, ledger, sequences)?;
            turn.commit()
        };
        write().map_err(failed_to("write"))
    }

    fn finish(&mut self) -> Result<(), LogError> {
        format::finish_copy(&self.connection).map_err(failed_to("finish the copy"))
    }
}

fn value(at: usize, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        text @ ValueRef::Text(_) => Value::Text(text.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        // No table of ours has such a column.
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(at, String::new(), Type::Real));
        }
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
