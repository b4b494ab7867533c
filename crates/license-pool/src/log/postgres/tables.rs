//! The database as plain rows, to be copied from and to.

use std::collections::HashMap;

use tokio::runtime::Runtime;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Row as DatabaseRow, Statement};

use super::connection::{Connection, Purpose};
use super::error::Trouble;
use super::row::{escaped, unescaped};
use super::{PostgresUrl, aside, connect};
use crate::log::tables::{Row, Source, Table, Target, Value, quoted};
use crate::log::{Cause, LogError, OpenError};

/// Every table of ours and its columns, and where each stands in the primary key.
const CATALOG: &str = "
    SELECT made.relname::text, part.attname::text,
           array_position(key.indkey::int2[], part.attnum)::bigint
    FROM pg_class AS made
    JOIN pg_attribute AS part
      ON part.attrelid = made.oid AND part.attnum > 0 AND NOT part.attisdropped
    LEFT JOIN pg_index AS key ON key.indrelid = made.oid AND key.indisprimary
    WHERE made.relnamespace = 'license'::regnamespace AND made.relkind = 'r'
    ORDER BY made.relname, part.attnum";

/// Keeps a second copy from the same place.
const ALONE: &str = "SELECT pg_try_advisory_lock(1281974101)";

/// A moment may last as long as whoever is copied to needs.
const MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// Nobody who takes a turn or beats may hold a lock while this waits for it, and none gets one
/// afterwards.
const EXCLUSIVE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    LOCK TABLE license.server, license.ledger, license.store IN EXCLUSIVE MODE";

/// A store that is read.
pub(crate) struct PostgresSource(Session);

/// A store that is written.
pub(crate) struct PostgresTarget(Session);

/// A connection that is not replaced when it is lost: what it was in the middle of is lost with it.
struct Session {
    /// Lives as long as this.
    runtime: Option<Runtime>,
    connection: Connection,
    prepared: HashMap<String, Statement>,
}

impl PostgresSource {
    pub(crate) fn open(
        url: &PostgresUrl,
        password: Option<&str>,
    ) -> Result<PostgresSource, OpenError> {
        Session::open(url, password, Purpose::Use).map(PostgresSource)
    }
}

impl PostgresTarget {
    pub(crate) fn open(
        url: &PostgresUrl,
        password: Option<&str>,
    ) -> Result<PostgresTarget, OpenError> {
        let mut session = Session::open(url, password, Purpose::Copy)?;
        let unavailable = |source| OpenError::Unavailable { store: url.to_string(), source };
        let rows = session.ask("lock the copy", ALONE.to_owned(), &[]);
        let rows = rows.map_err(|error| unavailable(error.into()))?;
        match rows.first().and_then(|row| row.try_get(0).ok()) {
            Some(true) => Ok(PostgresTarget(session)),
            _ => Err(unavailable("another process copies to the same place".into())),
        }
    }
}

impl Session {
    fn open(
        url: &PostgresUrl,
        password: Option<&str>,
        purpose: Purpose,
    ) -> Result<Session, OpenError> {
        let (runtime, _, connection) = connect(url, password, purpose)?;
        Ok(Session { runtime: Some(runtime), connection, prepared: HashMap::new() })
    }

    fn wait<T: Send>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Trouble>> + Send,
    ) -> Result<T, LogError> {
        let runtime = self.runtime.as_ref().expect("it lives as long as the session");
        aside(|| runtime.block_on(work)).map_err(|trouble| trouble.into_log(action))
    }

    fn statement(&mut self, action: &'static str, text: String) -> Result<Statement, LogError> {
        if let Some(statement) = self.prepared.get(&text) {
            return Ok(statement.clone());
        }
        let statement = self.wait(action, self.connection.prepare(&text))?;
        self.prepared.insert(text, statement.clone());
        Ok(statement)
    }

    fn ask(
        &mut self,
        action: &'static str,
        text: String,
        values: &[Value],
    ) -> Result<Vec<DatabaseRow>, LogError> {
        let statement = self.statement(action, text)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.wait(action, self.connection.ask(&statement, &values))
    }

    fn integers(
        &mut self,
        action: &'static str,
        text: String,
        values: &[Value],
    ) -> Result<Vec<i64>, LogError> {
        let rows = self.ask(action, text, values)?;
        let integers: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        integers.map_err(|error| Trouble::from(error).into_log(action))
    }

    fn run(&self, action: &'static str, text: &str) -> Result<(), LogError> {
        self.wait(action, self.connection.run(text))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing, so it may happen on the thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Source for PostgresSource {
    fn sealed_to(&mut self) -> Result<Option<String>, LogError> {
        let action = "read whether it is sealed";
        let rows = self.0.ask(action, "SELECT sealed_to FROM store".to_owned(), &[])?;
        let target = rows.first().map(|row| row.try_get::<_, Option<&str>>(0)).transpose();
        let target = target.map_err(|error| Trouble::from(error).into_log(action))?;
        Ok(target.flatten().map(|target| unescaped(target).into()))
    }

    fn tables(&mut self) -> Result<Vec<Table>, LogError> {
        let action = "read its catalog";
        let rows = self.0.ask(action, CATALOG.to_owned(), &[])?;
        let read = |row: &DatabaseRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let rows: Result<_, tokio_postgres::Error> = rows.iter().map(read).collect();
        rows.map(Table::gather).map_err(|error| Trouble::from(error).into_log(action))
    }

    fn begin(&mut self, exclusive: bool) -> Result<(), LogError> {
        self.0.run("begin a turn", if exclusive { EXCLUSIVE } else { MOMENT })
    }

    fn rows(
        &mut self,
        table: &Table,
        within: &[Value],
        after: &[Value],
    ) -> Result<Vec<Row>, LogError> {
        let select = table.select(within.len(), after.len(), |at| format!("${at}"));
        let rows = self.0.ask("read", select, &[within, after].concat())?;
        let read = |row: &DatabaseRow| (0..row.len()).map(|at| value(row, at)).collect();
        let rows: Result<Vec<Row>, Cause> = rows.iter().map(read).collect();
        rows.map_err(|source| LogError::Unavailable { action: "read", source })
    }

    fn begins_at(&mut self, ledger: i64) -> Result<i64, LogError> {
        let first = "SELECT coalesce(min(sequence), 0) FROM entry WHERE ledger = $1".to_owned();
        let first = self.0.integers("read", first, &[Value::Integer(ledger)])?;
        Ok(first.first().copied().unwrap_or(0))
    }

    fn erased(&mut self, ledger: i64, after: i64, until: i64) -> Result<Vec<i64>, LogError> {
        let erased = "SELECT sequence FROM entry
            WHERE ledger = $1 AND sequence > $2 AND sequence <= $3
              AND description IS NULL AND description_digest IS NOT NULL";
        let values = [ledger, after, until].map(Value::Integer);
        self.0.integers("read", erased.to_owned(), &values)
    }

    fn seal(&mut self, successor: &str) -> Result<(), LogError> {
        let seal = "UPDATE store SET sealed_to = $1 RETURNING 1".to_owned();
        self.0.ask("be sealed", seal, &[Value::Text(successor.to_owned())])?;
        self.0.wait("commit", self.0.connection.commit(&[]))
    }

    fn end(&mut self) -> Result<(), LogError> {
        self.0.run("commit", "COMMIT")
    }
}

impl Target for PostgresTarget {
    fn clear(&mut self, table: &Table) -> Result<(), LogError> {
        self.0.run("write", &format!("TRUNCATE {} CASCADE", quoted(&table.name)))
    }

    fn add(&mut self, table: &Table, rows: &[Row]) -> Result<(), LogError> {
        let statement = self.0.statement("write", table.insert(|at| format!("${at}")))?;
        let rows: Vec<Vec<&(dyn ToSql + Sync)>> =
            rows.iter().map(|row| row.iter().map(|value| value as _).collect()).collect();
        let begin = &self.0.connection.statements.begin_turn;
        let mut trip: Vec<(&Statement, &[&(dyn ToSql + Sync)])> = vec![(begin, &[])];
        trip.extend(rows.iter().map(|row| (&statement, &**row)));
        self.0.wait("write", self.0.connection.commit(&trip))
    }

    fn forget(&mut self, ledger: i64, below: i64) -> Result<(), LogError> {
        let delete = "DELETE FROM entry WHERE ledger = $1 AND sequence < $2".to_owned();
        self.0.ask("write", delete, &[Value::Integer(ledger), Value::Integer(below)]).map(drop)
    }

    fn erase(&mut self, ledger: i64, sequences: &[i64]) -> Result<(), LogError> {
        let connection = &self.0.connection;
        let erase: &[&(dyn ToSql + Sync)] = &[&ledger, &sequences];
        self.0.wait("write", async {
            let begin = &connection.statements.begin_turn;
            connection.commit(&[(begin, &[]), (&connection.statements.erase, erase)]).await
        })
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.0.wait("finish the copy", self.0.connection.finish_copy())
    }
}

fn value(row: &DatabaseRow, at: usize) -> Result<Value, Cause> {
    let kind = row.columns()[at].type_();
    Ok(match *kind {
        Type::INT8 => row.try_get::<_, Option<i64>>(at)?.map(Value::Integer),
        Type::BOOL => row.try_get::<_, Option<bool>>(at)?.map(|it| Value::Integer(it.into())),
        Type::TEXT => row
            .try_get::<_, Option<&str>>(at)?
            .map(|text| Value::Text(unescaped(text).into_owned())),
        Type::BYTEA => {
            row.try_get::<_, Option<&[u8]>>(at)?.map(|bytes| Value::Bytes(bytes.to_vec()))
        }
        _ => return Err(format!("a column of type {kind} cannot be copied").into()),
    }
    .unwrap_or(Value::Null))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            // SQLite has no other truth.
            Value::Integer(integer) if *kind == Type::BOOL => (*integer != 0).to_sql(kind, out),
            Value::Integer(integer) => integer.to_sql(kind, out),
            Value::Text(text) => escaped(text.into()).to_sql(kind, out),
            Value::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
