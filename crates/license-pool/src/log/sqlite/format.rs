//! The format of the file: whether it is one of ours, and how an older one is raised.

use license_core::Ledger;
use license_types::ServerName;
use rusqlite::{Connection, Error, Result, Transaction, TransactionBehavior};

use super::{figure, read, register};
use crate::log::{LedgerId, LogError};

/// The format of the stores that this version writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 2;

/// Marks a SQLite file as ours: "LicR".
const APPLICATION_ID: u32 = 0x4C69_6352;

/// Marks the beginning of a copy, which is no store yet: "LicU".
const UNFINISHED_ID: u32 = 0x4C69_6355;

const SCHEMA: &str = include_str!("schema.sql");

/// From each format to the next, by a script and what that cannot do; the first leads from format 1
/// to 2, the first that has daily figures and knows who serves.
const RAISE: [(&str, Act); 1] = [(include_str!("raise_to_2.sql"), tell_past)];

type Act = fn(&Connection) -> Result<()>;

/// How many entries are read at once.
const PAGE: usize = 1024;

/// Whether the file is a store at all.
pub(super) fn is_ours(connection: &Connection) -> Result<bool> {
    Ok(application_id(connection)? == APPLICATION_ID)
}

/// Whether the file is a copy that was begun and not finished.
pub(super) fn is_unfinished(connection: &Connection) -> Result<bool> {
    Ok(application_id(connection)? == UNFINISHED_ID)
}

fn application_id(connection: &Connection) -> Result<u32> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

/// The version of the format that the store is written in.
pub(super) fn of(connection: &Connection) -> Result<u64> {
    connection.query_row("SELECT format FROM store", [], |row| row.get(0))
}

pub(super) fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(0 == connection.pragma_query_value(None, "page_count", |row| row.get::<_, u64>(0))?)
}

/// Writes the schema, unless another process was faster.
pub(super) fn initialise(connection: &Connection) -> Result<()> {
    let turn = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    if !is_ours(&turn)? {
        turn.pragma_update(None, "application_id", APPLICATION_ID)?;
        turn.execute_batch(SCHEMA)?;
    }
    turn.commit()
}

/// Writes the schema for a copy.
pub(super) fn initialise_copy(connection: &Connection) -> Result<()> {
    let turn = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    turn.pragma_update(None, "application_id", UNFINISHED_ID)?;
    turn.execute_batch(SCHEMA)?;
    turn.commit()
}

/// Makes a store of a copy. No server of the store that was copied holds its name here.
pub(super) fn finish_copy(connection: &Connection) -> Result<()> {
    let turn = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    turn.execute("UPDATE server SET instance = 'copied' WHERE instance <> ''", [])?;
    turn.pragma_update(None, "application_id", APPLICATION_ID)?;
    turn.commit()
}

/// Raises an older store to the format of this version, unless another process was faster or a
/// server that lives cannot read that: then names that server.
pub(super) fn raise(
    connection: &Connection,
    is_alive: impl Fn(&ServerName) -> bool,
) -> Result<Option<ServerName>> {
    if of(connection)? == FORMAT {
        // Whoever writes now keeps nobody from opening it.
        return Ok(None);
    }
    let turn = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let older = older_servers(&turn)?;
    if let Some(older) = older.into_iter().find(is_alive) {
        return Ok(Some(older));
    }
    let raised = usize::try_from(of(&turn)?.saturating_sub(1)).unwrap_or(usize::MAX);
    for (script, rest) in RAISE.iter().skip(raised) {
        turn.execute_batch(script)?;
        rest(&turn)?;
    }
    turn.commit()?;
    Ok(None)
}

/// The servers that cannot read the format of this version.
fn older_servers(connection: &Connection) -> Result<Vec<ServerName>> {
    let mut statement = connection.prepare("SELECT name FROM server WHERE format < ?1")?;
    let names = statement.query_map([FORMAT], |row| row.get::<_, String>(0))?;
    // What is no name is no server either.
    Ok(names.collect::<Result<Vec<_>>>()?.into_iter().flat_map(ServerName::new).collect())
}

/// Writes down what only the entries of a store tell: the figures of all days that ended, and which
/// servers serve sessions. Of a ledger that is broken it is told up to where it is.
fn tell_past(connection: &Connection) -> Result<()> {
    let mut statement = connection.prepare("SELECT id FROM ledger")?;
    let ids: Vec<LedgerId> =
        statement.query_map([], |row| row.get(0).map(LedgerId))?.collect::<Result<_>>()?;
    for id in ids {
        let mut ledger = Ledger::new();
        loop {
            let page = match read::page(connection, id, ledger.head().sequence, PAGE) {
                Ok(page) => page,
                Err(LogError::Entry { .. }) => break,
                Err(error) => return Err(Error::ToSqlConversionFailure(error.into())),
            };
            let mut told = 0;
            for entry in &page {
                if ledger.apply(entry).is_err() {
                    break;
                }
                if let Some(from) = entry.void_from() {
                    figure::void(connection, id, from)?;
                }
                figure::insert(connection, id, &ledger.take_figures())?;
                told += 1;
            }
            if told < PAGE {
                break;
            }
        }
        let serving = ledger.servers().map(|server| ((**server).clone(), true));
        register::serve(connection, id, &serving.collect::<Vec<_>>())?;
    }
    Ok(())
}
