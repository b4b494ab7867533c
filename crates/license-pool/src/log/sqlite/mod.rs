//! The log in one SQLite file, the embedded default. Several processes may share the file: a turn
//! is a write transaction, and whoever holds it has read all that the others committed.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use license_core::Entry;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use crate::log::{
    Append, Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, News, OpenError, Selection,
    Server, Stretch, TurnError,
};

mod file_system;
mod format;
mod open;
mod place;
mod presence;
mod read;
mod row;
mod select;
mod turnstile;

use place::Place;
use presence::{Presence, Presences};
use turnstile::{Denied, Pass, Turnstile};

/// A log in one SQLite file.
pub struct SqliteLog {
    connection: Connection,
    place: Place,
    /// None where the store can only be read.
    turnstile: Option<Turnstile>,
    presences: Presences,
    patience: Duration,
    server: Option<Server>,
    /// Shows the others that this server lives.
    presence: Option<Presence>,
}

impl SqliteLog {
    /// Opens the store at `path`; where there is none, creates it if `create` says so. Waits for
    /// the turns of other processes as long as `patience` lasts.
    ///
    /// # Errors
    /// See [`OpenError`]: what is no license store, or one of a newer format, is left as it is.
    pub fn open(path: &Path, create: bool, patience: Duration) -> Result<SqliteLog, OpenError> {
        open::open(path, create, patience)
    }

    /// Begins a turn: from here on nobody else writes, and everything committed can be read.
    fn begin(&mut self) -> Result<(Pass, Transaction<'_>), LogError> {
        let failed = |source| LogError::Unavailable { action: "begin a turn", source };
        let Some(turnstile) = &self.turnstile else {
            return Err(failed("it lies where nothing can be written".into()));
        };
        let pass = turnstile.enter(self.patience).map_err(|denied| match denied {
            Denied::Busy { holder } => LogError::Busy { holder },
            Denied::Failed(error) => failed(error.into()),
        })?;
        let turn = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed_to("begin a turn"))?;
        self.place.holds()?;
        not_fenced(&turn, self.server.as_ref())?;
        Ok((pass, turn))
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

impl Log for SqliteLog {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Vec<Append>,
    ) -> Result<(), TurnError> {
        let (_pass, turn) = self.begin().map_err(TurnError::Dropped)?;
        let appends = decide(read::news(&turn, asked).map_err(TurnError::Dropped)?);
        if appends.is_empty() {
            return Ok(());
        }
        for append in &appends {
            write(&turn, append).map_err(|error| TurnError::Dropped(failed_to("write")(error)))?;
        }
        turn.commit().map_err(|error| TurnError::Unknown(failed_to("commit")(error)))
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        let (_pass, turn) = self.begin()?;
        read::landed(&turn, mark).map_err(failed_to("read"))
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        let moment = self.connection.transaction().map_err(failed_to("read"))?;
        self.place.holds()?;
        not_fenced(&moment, self.server.as_ref())?;
        read::news(&moment, asked)
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let moment = self.connection.transaction().map_err(failed_to("read"))?;
        read::page(&moment, ledger, after, limit)
    }

    fn select(
        &mut self,
        ledger: LedgerId,
        after: u64,
        limit: usize,
        wanted: &Selection,
    ) -> Result<Stretch, LogError> {
        let moment = self.connection.transaction().map_err(failed_to("read"))?;
        select::select(&moment, ledger, after, limit, wanted)
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        read::ledgers(&self.connection).map_err(failed_to("read"))
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        const REGISTER: &str = "
            INSERT INTO server (name, epoch, instance, beat, lease_seconds, grace_seconds, format)
            VALUES (?1, 1, ?2, 0, ?3, ?4, ?5)
            ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, instance = excluded.instance,
                lease_seconds = excluded.lease_seconds, grace_seconds = excluded.grace_seconds,
                format = excluded.format
            RETURNING epoch";
        let Server { name, instance, lease_seconds, grace_seconds } = &server;
        let row = params![name.as_str(), instance, lease_seconds, grace_seconds, format::FORMAT];
        // Who registers again, or under another name, gives up the place that it had.
        self.presence = None;
        let presences = self.presences.clone();
        let (_pass, turn) = self.begin()?;
        let presence = presences.take(name).map_err(|denied| match denied {
            presence::Denied::Taken { holder } => {
                LogError::Taken { server: name.to_string(), holder }
            }
            presence::Denied::Failed(error) => {
                LogError::Unavailable { action: "take a name", source: error.into() }
            }
        })?;
        let epoch = turn.query_row(REGISTER, row, |row| row.get(0));
        let epoch = epoch.map_err(failed_to("register the server"))?;
        turn.commit().map_err(failed_to("register the server"))?;
        self.server = Some(server);
        self.presence = Some(presence);
        Ok(epoch)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let presence = self.presence.take();
        let row = params![server.name.as_str(), server.instance];
        let (_pass, turn) = self.begin()?;
        let left = turn
            .execute("DELETE FROM server WHERE name = ?1 AND instance = ?2", row)
            .map_err(failed_to("take the server off the register"))?;
        // The file of a name that was taken over is the successor's.
        if let Some(presence) = presence.filter(|_| left > 0) {
            presence.end();
        }
        turn.commit().map_err(failed_to("take the server off the register"))
    }

    fn format(&mut self) -> Result<u64, LogError> {
        format::of(&self.connection).map_err(failed_to("read"))
    }

    fn damage(&mut self) -> Result<Vec<String>, LogError> {
        read::damage(&self.connection).map_err(failed_to("examine its file"))
    }
}

fn not_fenced(connection: &Connection, server: Option<&Server>) -> Result<(), LogError> {
    let Some(Server { name, instance, .. }) = server else { return Ok(()) };
    let own = connection
        .prepare_cached("SELECT 1 FROM server WHERE name = ?1 AND instance = ?2")
        .and_then(|mut statement| statement.exists(params![name.as_str(), instance]))
        .map_err(failed_to("read the register"))?;
    if own { Ok(()) } else { Err(LogError::Fenced { server: name.to_string() }) }
}

fn write(turn: &Transaction<'_>, append: &Append) -> rusqlite::Result<()> {
    let ledger = match append.ledger {
        Some(ledger) => ledger,
        None => {
            turn.execute("INSERT INTO ledger (sequence, chain) VALUES (0, '')", [])?;
            LedgerId(turn.last_insert_rowid())
        }
    };
    if let (Some(number), Some(entry)) = (&append.number, append.entries.first()) {
        let point = "INSERT INTO license_number (number, ledger, installed) VALUES (?1, ?2, ?3)
            ON CONFLICT (number) DO UPDATE SET installed = excluded.installed";
        turn.execute(point, params![&**number, ledger.0, entry.sequence])?;
    }
    row::insert(turn, ledger, &append.entries)?;
    if let Some(last) = append.entries.last() {
        turn.prepare_cached("UPDATE ledger SET sequence = ?2, chain = ?3 WHERE id = ?1")?
            .execute(params![ledger.0, last.sequence, last.chain.to_string()])?;
    }
    Ok(())
}

fn failed_to(action: &'static str) -> impl FnOnce(rusqlite::Error) -> LogError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => LogError::Busy { holder: None },
        _ => LogError::Unavailable { action, source: error.into() },
    }
}
