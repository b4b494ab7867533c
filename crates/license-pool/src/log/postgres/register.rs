//! The register in PostgreSQL: who shares the database, which ledgers each serves, and which of its
//! sessions are silent.

use std::time::Duration;

use license_types::{ServerName, Token};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::{Connection, FORMAT, Trip};
use super::error::Trouble;
use super::news::{name, sealed_to};
use super::row::{escaped, signed, unescaped, unsigned};
use super::statements::Statements;
use crate::log::{Append, LedgerId, LogError, Server, ServerRow, Silence, TurnError};

/// Moves the server's beat on, keeps what is told of silent sessions, and reads the register; none
/// where the name is no longer its own.
pub(super) async fn beat(
    connection: &Connection,
    server: Option<&Server>,
    silences: &[Silence],
) -> Result<Option<Vec<ServerRow>>, Trouble> {
    let Statements { begin_turn, beat, hush, hear, servers, .. } = &connection.statements;
    let Some(server) = server else {
        return rows(&connection.ask(servers, &[]).await?).map(Some);
    };
    let (heard, silent): (Vec<&Silence>, Vec<&Silence>) =
        silences.iter().partition(|silence| silence.silent.is_zero());
    let (heard_in, heard): (Vec<i64>, Vec<i64>) = heard.into_iter().map(key).unzip();
    let milliseconds =
        |silence: &&Silence| i64::try_from(silence.silent.as_millis()).unwrap_or(i64::MAX);
    let milliseconds: Vec<i64> = silent.iter().map(milliseconds).collect();
    let (silent_in, silent): (Vec<i64>, Vec<i64>) = silent.into_iter().map(key).unzip();
    let mut answers = connection
        .trip(&[
            (begin_turn, &[]),
            (beat, &[&name(server), &server.instance]),
            (hear, &[&heard_in, &heard]),
            (hush, &[&silent_in, &silent, &milliseconds]),
            (servers, &[]),
        ])
        .await?;
    let register = rows(&answers.pop().unwrap_or_default())?;
    let own = answers.get(1).is_some_and(|rows| !rows.is_empty());
    connection.commit(&[]).await?;
    Ok(own.then_some(register))
}

/// Takes a server's name, from whoever has it; or says why nobody can.
pub(super) async fn take_name(
    connection: &Connection,
    server: &Server,
) -> Result<Result<u64, LogError>, Trouble> {
    let (name, format) = (name(server), signed(FORMAT));
    let (lease, grace) = (signed(server.lease_seconds), signed(server.grace_seconds));
    let values: [&(dyn ToSql + Sync); 6] =
        [&name, &server.instance, &lease, &grace, &server.transient, &format];
    let Statements { begin_turn, hold_server, store, register, rollback, .. } =
        &connection.statements;
    // Whoever seals or raises the store waits for this, or the other way round.
    let looking: &Trip<'_> = &[(begin_turn, &[]), (hold_server, &[&name]), (store, &[])];
    let rows = connection.trip(looking).await?.pop().unwrap_or_default();
    if let Some(target) = sealed_to(rows.first().ok_or(Trouble::Nonsense)?)? {
        connection.ask(rollback, &[]).await?;
        return Ok(Err(LogError::Sealed { target }));
    }
    let rows = connection.ask(register, &values).await?;
    let epoch = unsigned(rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?)?;
    connection.commit(&[]).await?;
    Ok(Ok(epoch))
}

/// Ends the epochs of servers that are as they were found.
pub(super) async fn end(connection: &Connection, ends: &[ServerRow]) -> Result<(), TurnError> {
    for row in ends {
        let (name, epoch, beat) =
            (escaped(row.name.as_str().into()), signed(row.epoch), signed(row.beat));
        let values = [&&*name as _, &epoch as _, &row.instance as _, &beat as _];
        let Statements { hold_server, end_server, .. } = &connection.statements;
        let ended = connection.trip(&[(hold_server, &[&&*name]), (end_server, &values)]).await;
        let ended = ended
            .map_err(|trouble| TurnError::Dropped(trouble.into_log("end a server's epoch")))?
            .pop()
            .unwrap_or_default();
        if ended.is_empty() {
            let server = row.name.to_string();
            return Err(TurnError::Dropped(LogError::Alive { server }));
        }
    }
    Ok(())
}

/// Who begins or ceases to serve sessions of which ledgers, as the statements take it.
#[derive(Default)]
pub(super) struct Served {
    pub(super) begun: (Vec<String>, Vec<i64>),
    pub(super) ceased: (Vec<String>, Vec<i64>),
}

impl Served {
    pub(super) fn of(ledgers: &[LedgerId], appends: &[Append]) -> Served {
        let mut served = Served::default();
        for (ledger, append) in ledgers.iter().zip(appends) {
            for (server, serves) in &append.serving {
                let changed = if *serves { &mut served.begun } else { &mut served.ceased };
                changed.0.push(escaped(server.as_str().into()).into_owned());
                changed.1.push(ledger.0);
            }
        }
        served
    }
}

pub(super) fn silences(ledger: LedgerId, rows: &[Row]) -> Result<Vec<Silence>, Trouble> {
    let silence = |row: &Row| {
        let token = Token::new(unsigned(row.try_get(0)?)?).map_err(|_| Trouble::Nonsense)?;
        let silent = Duration::from_millis(unsigned(row.try_get(1)?)?);
        Ok(Silence { ledger, token, silent })
    };
    rows.iter().map(silence).collect()
}

fn rows(rows: &[Row]) -> Result<Vec<ServerRow>, Trouble> {
    let row = |row: &Row| {
        let name = ServerName::new(unescaped(row.try_get(0)?)).map_err(|_| Trouble::Nonsense)?;
        Ok(ServerRow {
            name,
            epoch: unsigned(row.try_get(1)?)?,
            instance: row.try_get(2)?,
            beat: unsigned(row.try_get(3)?)?,
            lease_seconds: unsigned(row.try_get(4)?)?,
            grace_seconds: unsigned(row.try_get(5)?)?,
            transient: row.try_get(6)?,
            format: unsigned(row.try_get(7)?)?,
            alive: None,
        })
    };
    rows.iter().map(row).collect()
}

fn key(silence: &Silence) -> (i64, i64) {
    (silence.ledger.0, signed(silence.token.get()))
}
