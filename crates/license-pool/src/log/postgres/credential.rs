//! Credentials in PostgreSQL: a table of their own, beside the log.

use tokio_postgres::Row;

use super::connection::Connection;
use super::error::Trouble;
use super::news::begin_beside;
use crate::credential::Columns;
use crate::log::LogError;

/// Every credential, in the order in which they were made.
pub(super) async fn all(connection: &Connection) -> Result<Vec<Columns>, Trouble> {
    let rows = connection.ask(&connection.statements.credentials, &[]).await?;
    let columns = |row: &Row| {
        Ok(Columns {
            id: row.try_get(0)?,
            digest: row.try_get(1)?,
            role: row.try_get(2)?,
            max_seats: row.try_get(3)?,
            created: row.try_get(4)?,
            expires: row.try_get(5)?,
            revoked: row.try_get(6)?,
        })
    };
    rows.iter().map(columns).collect()
}

/// Keeps a credential, in the place of the one with its id; or says which store took the place of
/// this one.
pub(super) async fn keep(
    connection: &Connection,
    columns: &Columns,
) -> Result<Result<(), LogError>, Trouble> {
    let Columns { id, digest, role, max_seats, created, expires, revoked } = columns;
    let values =
        [id as _, digest as _, role as _, max_seats as _, created as _, expires as _, revoked as _];
    if let Some(target) = begin_beside(connection).await? {
        return Ok(Err(LogError::Sealed { target }));
    }
    connection.commit(&[(&connection.statements.keep_credential, &values)]).await?;
    Ok(Ok(()))
}
