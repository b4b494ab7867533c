//! The log in one SQLite file, the embedded default. Several processes may share the file: a turn
//! is a write transaction, and whoever holds it has read all that the others committed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Entry, Figure};
use license_types::ServerName;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use crate::KeptCredential;
use crate::log::{
    Append, Archive, Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, News, OpenError,
    Selection, Server, ServerRow, Silence, Stretch, Turn, TurnError,
};

mod archive;
mod carrier;
mod credential;
mod figure;
mod file_system;
mod format;
mod older;
mod open;
mod place;
mod presence;
mod read;
mod register;
mod row;
mod select;
mod tables;
mod trouble;
mod turnstile;

use carrier::Carrier;
use older::Older;
use place::Place;
use presence::{Presence, Presences};
pub(crate) use tables::{SqliteSource, SqliteTarget};
use turnstile::{Denied, Pass, Turnstile};

/// A log in one SQLite file.
pub struct SqliteLog {
    /// Comes before the connection, so that it ends before that is closed.
    carrier: Carrier,
    connection: Connection,
    /// The file itself, if the connection leads to a copy of it.
    older: Option<Older>,
    place: Place,
    /// The way to a turn; or why the store can only be read.
    turnstile: Result<Turnstile, String>,
    presences: Presences,
    patience: Duration,
    /// A turn that this lined up for and did not take yet.
    lined_up: Option<Result<Pass, LogError>>,
    server: Option<Server>,
    /// The file's version when `changed` was last asked.
    version: u64,
    /// Shows the others that this server lives.
    presence: Option<Presence>,
}

/// The longest wait for others: SQLite cannot count to the end of the longest [`Duration`].
const PATIENCE_MAX: Duration = Duration::from_hours(24);

impl SqliteLog {
    /// Opens the store at `path`; where there is none, creates it if `create` says so. Waits for
    /// the turns of other processes as long as `patience` lasts, a day at most.
    ///
    /// # Errors
    /// See [`OpenError`]: what is no license store, or one of a newer format, is left as it is.
    pub fn open(path: &Path, create: bool, patience: Duration) -> Result<SqliteLog, OpenError> {
        open::open(path, create, patience.min(PATIENCE_MAX))
    }

    /// The connection for whoever reads, which shows what was committed before.
    fn read(&mut self) -> Result<&mut Connection, LogError> {
        if let Some(older) = &mut self.older
            && let Some(copy) = older.newer_copy().map_err(failed_to("read"))?
        {
            self.connection = copy;
        }
        Ok(&mut self.connection)
    }

    /// Begins a turn: from here on nobody else writes, and everything committed can be read.
    fn begin(&mut self) -> Result<(Pass, Transaction<'_>), LogError> {
        self.line_up();
        let pass = self.lined_up.take().expect("it lined up")?;
        let turn = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed_to("begin a turn"))?;
        self.place.holds()?;
        register::not_fenced(&turn, self.server.as_ref())?;
        match register::sealed_to(&turn)? {
            Some(target) => Err(LogError::Sealed { target }),
            None => Ok((pass, turn)),
        }
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

impl Log for SqliteLog {
    fn line_up(&mut self) {
        self.lined_up.get_or_insert_with(|| enter(&self.turnstile, self.patience));
    }

    fn stand_back(&mut self) {
        self.lined_up = None;
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        let (_pass, turn) = self.begin().map_err(TurnError::Dropped)?;
        let Turn { appends, ends } = decide(read::news(&turn, asked).map_err(TurnError::Dropped)?);
        if appends.is_empty() && ends.is_empty() {
            return Ok(());
        }
        register::end(&turn, &ends).map_err(TurnError::Dropped)?;
        for append in &appends {
            write(&turn, append).map_err(|error| TurnError::Dropped(failed_to("write")(error)))?;
        }
        if !ends.is_empty() || appends.iter().any(|append| !append.serving.is_empty()) {
            register::forget_ended(&turn)
                .map_err(|error| TurnError::Dropped(failed_to("write the register")(error)))?;
        }
        turn.commit().map_err(|error| TurnError::Unknown(failed_to("commit")(error)))
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        let (_pass, turn) = self.begin()?;
        read::landed(&turn, mark).map_err(failed_to("read"))
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.read()?;
        let moment = self.connection.transaction().map_err(failed_to("read"))?;
        self.place.holds()?;
        register::not_fenced(&moment, self.server.as_ref())?;
        let sealed_to = register::sealed_to(&moment)?;
        Ok(News { sealed_to, ..read::news(&moment, asked)? })
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let moment = self.read()?.transaction().map_err(failed_to("read"))?;
        read::page(&moment, ledger, after, limit)
    }

    fn select(
        &mut self,
        ledger: LedgerId,
        after: u64,
        limit: usize,
        wanted: &Selection,
    ) -> Result<Stretch, LogError> {
        let moment = self.read()?.transaction().map_err(failed_to("read"))?;
        select::select(&moment, ledger, after, limit, wanted)
    }

    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError> {
        figure::read(self.read()?, ledger, &days)
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        read::ledgers(self.read()?).map_err(failed_to("read"))
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        // Registering again, maybe under another name, gives up the name that it had.
        (self.presence, self.server) = (None, None);
        let presences = self.presences.clone();
        let (_pass, turn) = self.begin()?;
        let name = &server.name;
        let presence = presences.take(name).map_err(|denied| match denied {
            presence::Denied::Taken { holder } => {
                LogError::Taken { server: name.to_string(), holder }
            }
            presence::Denied::Failed(error) => {
                LogError::Unavailable { action: "take a name", source: error.into() }
            }
        })?;
        let epoch = register::take(&turn, &server)?;
        turn.commit().map_err(failed_to("register the server"))?;
        self.server = Some(server);
        self.presence = Some(presence);
        Ok(epoch)
    }

    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError> {
        let presences = self.presences.clone();
        let Some(server) = self.server.clone() else {
            let rows = register::rows(self.read()?, &presences);
            return rows.map_err(failed_to("read the register"));
        };
        let (_pass, turn) = self.begin()?;
        register::beat(&turn, &server, silences).map_err(failed_to("beat"))?;
        let rows = register::rows(&turn, &presences).map_err(failed_to("read the register"))?;
        turn.commit().map_err(failed_to("beat"))?;
        Ok(rows)
    }

    fn glance(&mut self) -> Result<Option<Vec<ServerRow>>, LogError> {
        let presences = self.presences.clone();
        let rows = register::rows(self.read()?, &presences);
        rows.map(Some).map_err(failed_to("read the register"))
    }

    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError> {
        register::serving(self.read()?, server).map_err(failed_to("read the register"))
    }

    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError> {
        register::silences(self.read()?, ledger).map_err(failed_to("read the register"))
    }

    fn changed(&mut self) -> Result<Option<bool>, LogError> {
        let version = match &self.older {
            Some(older) => older.version(),
            None => read::version(&self.connection),
        };
        let version = version.map_err(failed_to("read"))?;
        let before = std::mem::replace(&mut self.version, version);
        Ok(Some(before != version))
    }

    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError> {
        let kept = credential::all(self.read()?).map_err(failed_to("tell its credentials"))?;
        kept.into_iter().map(KeptCredential::of_columns).collect()
    }

    fn keep_credential(&mut self, kept: &KeptCredential) -> Result<(), LogError> {
        let (_pass, turn) = self.begin()?;
        credential::keep(&turn, &kept.to_columns())
            .and_then(|()| turn.commit())
            .map_err(failed_to("keep a credential"))
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let presence = self.presence.take();
        let (_pass, turn) = self.begin()?;
        let left = register::leave(&turn, &server)?;
        // The file of a name that was taken over is the successor's.
        if let Some(presence) = presence.filter(|_| left) {
            presence.end();
        }
        turn.commit().map_err(failed_to("take the server off the register"))
    }

    fn archive(&mut self) -> Option<&mut dyn Archive> {
        Some(self)
    }

    fn for_archivist(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        let mut other = open::open(self.place.path(), false, self.patience)?;
        // The archivist works with this one. What it deletes must not stay readable in the file.
        let prepared = other.connection.pragma_update(None, "secure_delete", true);
        prepared.and_then(|()| self.carrier.share(&mut other.connection)).map_err(|error| {
            let store = self.place.path().display().to_string();
            OpenError::Unavailable { store, source: error.into() }
        })?;
        Ok(Some(Box::new(other)))
    }

    fn format(&mut self) -> Result<u64, LogError> {
        format::of(&self.connection).map_err(failed_to("read"))
    }

    fn damage(&mut self) -> Result<Vec<String>, LogError> {
        read::damage(self.read()?).map_err(failed_to("examine its file"))
    }
}

/// Waits for a turn.
fn enter(turnstile: &Result<Turnstile, String>, patience: Duration) -> Result<Pass, LogError> {
    let failed = |source| LogError::Unavailable { action: "begin a turn", source };
    let turnstile = turnstile.as_ref().map_err(|reason| failed(reason.as_str().into()))?;
    turnstile.enter(patience).map_err(|denied| match denied {
        Denied::Busy { holder } => LogError::Busy { holder },
        Denied::Failed(error) => failed(error.into()),
    })
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
    if append.uninstalls {
        let void = "UPDATE license_number SET installed = -abs(installed) WHERE ledger = ?1";
        turn.execute(void, [ledger.0])?;
    }
    row::insert(turn, ledger, &append.entries)?;
    if let Some(last) = append.entries.last() {
        turn.prepare_cached("UPDATE ledger SET sequence = ?2, chain = ?3 WHERE id = ?1")?
            .execute(params![ledger.0, last.sequence, last.chain.to_string()])?;
    }
    if let Some(from) = append.void_from {
        figure::void(turn, ledger, from)?;
    }
    figure::insert(turn, ledger, &append.figures)?;
    register::serve(turn, ledger, &append.serving)
}

fn failed_to(action: &'static str) -> impl FnOnce(rusqlite::Error) -> LogError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => LogError::Busy { holder: None },
        _ => LogError::Unavailable { action, source: trouble::told(error) },
    }
}
