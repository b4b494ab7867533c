//! Credentials in SQLite: a table of their own, beside the log.

use rusqlite::{Connection, Result, Row, params};

use crate::credential::Columns;

/// Every credential, in the order in which they were made.
pub(super) fn all(connection: &Connection) -> Result<Vec<Columns>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, digest, role, max_seats, created, expires, revoked
         FROM credential ORDER BY created, id",
    )?;
    let columns = |row: &Row<'_>| {
        Ok(Columns {
            id: row.get(0)?,
            digest: row.get(1)?,
            role: row.get(2)?,
            max_seats: row.get(3)?,
            created: row.get(4)?,
            expires: row.get(5)?,
            revoked: row.get(6)?,
        })
    };
    statement.query_map([], columns)?.collect()
}

/// Keeps a credential, in the place of the one with its id.
pub(super) fn keep(turn: &Connection, columns: &Columns) -> Result<()> {
    let Columns { id, digest, role, max_seats, created, expires, revoked } = columns;
    turn.execute(
        "INSERT INTO credential (id, digest, role, max_seats, created, expires, revoked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, revoked = excluded.revoked",
        params![id, digest, role, max_seats, created, expires, revoked],
    )?;
    Ok(())
}
