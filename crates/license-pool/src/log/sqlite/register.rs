//! The register in SQLite: who shares the file, which ledgers each serves, and which of its sessions
//! are silent.

use std::time::Duration;

use license_types::{ServerName, Token};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row, params};

use super::presence::Presences;
use super::{failed_to, format};
use crate::log::{LedgerId, LogError, Server, ServerRow, Silence};

/// Takes a server's name, from whoever had it; gives its epoch.
pub(super) fn take(connection: &Connection, server: &Server) -> Result<u64, LogError> {
    const TAKE: &str = "
        INSERT INTO server (name, epoch, instance, beat, lease_seconds, grace_seconds, transient,
            format)
        VALUES (?1, 1, ?2, 0, ?3, ?4, ?5, ?6)
        ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, instance = excluded.instance,
            beat = excluded.beat, lease_seconds = excluded.lease_seconds,
            grace_seconds = excluded.grace_seconds, transient = excluded.transient,
            format = excluded.format
        RETURNING epoch";
    let Server { name, instance, lease_seconds, grace_seconds, transient } = server;
    let row =
        params![name.as_str(), instance, lease_seconds, grace_seconds, transient, format::FORMAT];
    connection.query_row(TAKE, row, |row| row.get(0)).map_err(failed_to("register the server"))
}

/// Takes the server off the register; says whether it still had its place there.
pub(super) fn leave(connection: &Connection, server: &Server) -> Result<bool, LogError> {
    let row = params![server.name.as_str(), server.instance];
    let left = connection
        .execute("DELETE FROM server WHERE name = ?1 AND instance = ?2", row)
        .map_err(failed_to("take the server off the register"))?;
    Ok(left > 0)
}

pub(super) fn not_fenced(connection: &Connection, server: Option<&Server>) -> Result<(), LogError> {
    let Some(Server { name, instance, .. }) = server else { return Ok(()) };
    let own = connection
        .prepare_cached("SELECT 1 FROM server WHERE name = ?1 AND instance = ?2")
        .and_then(|mut statement| statement.exists(params![name.as_str(), instance]))
        .map_err(failed_to("read the register"))?;
    if own { Ok(()) } else { Err(LogError::Fenced { server: name.to_string() }) }
}

/// The store that took the place of this one. Fails where a newer version raised the store since it
/// was opened: a log that acts as no server is not fenced by that.
pub(super) fn sealed_to(connection: &Connection) -> Result<Option<String>, LogError> {
    let (sealed_to, format): (_, u64) = connection
        .prepare_cached("SELECT sealed_to, format FROM store")
        .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(failed_to("read whether it is sealed"))?;
    if format > format::FORMAT {
        let source = format!(
            "a newer version raised it to store format {format}, and this version reads up to {}",
            format::FORMAT
        );
        return Err(LogError::Unavailable { action: "be read", source: source.into() });
    }
    Ok(sealed_to)
}

/// Ends the epochs of servers that are as they were found.
pub(super) fn end(turn: &Connection, ends: &[ServerRow]) -> Result<(), LogError> {
    for ServerRow { name, epoch, instance, beat, .. } in ends {
        let ended = turn
            .prepare_cached(
                "UPDATE server SET instance = ''
                 WHERE name = ?1 AND epoch = ?2 AND instance = ?3 AND beat = ?4",
            )
            .and_then(|mut end| end.execute(params![name.as_str(), epoch, instance, beat]))
            .map_err(failed_to("end a server's epoch"))?;
        if ended == 0 {
            return Err(LogError::Alive { server: name.to_string() });
        }
    }
    Ok(())
}

/// Forgets the servers whose epoch ended and that serve nothing more.
pub(super) fn forget_ended(turn: &Connection) -> Result<()> {
    turn.prepare_cached(
        "DELETE FROM server
         WHERE instance = '' AND name NOT IN (SELECT server FROM serving)",
    )?
    .execute([])?;
    Ok(())
}

/// Notes who begins or ceases to serve sessions in a ledger.
pub(super) fn serve(
    turn: &Connection,
    ledger: LedgerId,
    serving: &[(ServerName, bool)],
) -> Result<()> {
    for (server, serves) in serving {
        let change = if *serves {
            "INSERT INTO serving (server, ledger) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM serving WHERE server = ?1 AND ledger = ?2"
        };
        turn.prepare_cached(change)?.execute(params![server.as_str(), ledger.0])?;
    }
    Ok(())
}

/// Moves the server's beat on, and keeps what is told of silent sessions.
pub(super) fn beat(turn: &Connection, server: &Server, silences: &[Silence]) -> Result<()> {
    turn.prepare_cached("UPDATE server SET beat = beat + 1 WHERE name = ?1 AND instance = ?2")?
        .execute(params![server.name.as_str(), server.instance])?;
    for Silence { ledger, token, silent } in silences {
        if silent.is_zero() {
            turn.prepare_cached("DELETE FROM silence WHERE ledger = ?1 AND token = ?2")?
                .execute(params![ledger.0, token.get()])?;
        } else {
            let milliseconds = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
            turn.prepare_cached(
                "INSERT INTO silence (ledger, token, milliseconds) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET milliseconds = excluded.milliseconds",
            )?
            .execute(params![ledger.0, token.get(), milliseconds])?;
        }
    }
    Ok(())
}

/// The whole register, in the order of the names.
pub(super) fn rows(connection: &Connection, presences: &Presences) -> Result<Vec<ServerRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, epoch, instance, beat, lease_seconds, grace_seconds, transient, format
         FROM server ORDER BY name",
    )?;
    let row = |row: &Row<'_>| {
        let name: String = row.get(0)?;
        let name = ServerName::new(name).map_err(|error| unreadable(0, error))?;
        // Where the lock cannot be looked at, the beat tells.
        let alive = presences.is_alive(&name).ok();
        Ok(ServerRow {
            name,
            epoch: row.get(1)?,
            instance: row.get(2)?,
            beat: row.get(3)?,
            lease_seconds: row.get(4)?,
            grace_seconds: row.get(5)?,
            transient: row.get(6)?,
            format: row.get(7)?,
            alive,
        })
    };
    statement.query_map([], row)?.collect()
}

pub(super) fn serving(connection: &Connection, server: &ServerName) -> Result<Vec<LedgerId>> {
    let mut statement = connection
        .prepare_cached("SELECT ledger FROM serving WHERE server = ?1 ORDER BY ledger")?;
    statement.query_map([server.as_str()], |row| row.get(0).map(LedgerId))?.collect()
}

pub(super) fn silences(connection: &Connection, ledger: LedgerId) -> Result<Vec<Silence>> {
    let mut statement = connection.prepare_cached(
        "SELECT token, milliseconds FROM silence WHERE ledger = ?1 ORDER BY token",
    )?;
    let silence = |row: &Row<'_>| {
        let token = Token::new(row.get(0)?).map_err(|error| unreadable(0, error))?;
        Ok(Silence { ledger, token, silent: Duration::from_millis(row.get(1)?) })
    };
    statement.query_map([ledger.0], silence)?.collect()
}

/// Something else wrote to the register.
fn unreadable(column: usize, error: license_types::Invalid) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
