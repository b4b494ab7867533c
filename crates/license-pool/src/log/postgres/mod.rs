//! The log in a PostgreSQL database, for servers on several machines.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use license_core::{Entry, Figure};
use license_types::ServerName;
use tokio::runtime::{self, Runtime};

use self::ahead::Calm;
use self::asking::{aside, connect};
use self::commit::{dropped, end_all, look_for, write};
use self::connection::{Connection, Process, Purpose, READ, Trip};
use self::error::Trouble;
use self::news::{Question, name};
use self::row::escaped;
use self::url::Target;
use crate::KeptCredential;
use crate::log::{
    Archive, Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, News, OpenError, Selection,
    Server, ServerRow, Silence, Stretch, Turn, TurnError,
};

mod ahead;
mod archive;
mod asking;
mod commit;
mod connection;
mod credential;
mod error;
mod figure;
mod news;
mod numbers;
mod page;
mod register;
mod row;
mod select;
mod statements;
mod tables;
mod tls;
mod url;

pub(crate) use tables::{PostgresSource, PostgresTarget};
pub use url::PostgresUrl;

/// For how long to try to find out what became of a commit, while the database cannot be asked.
const LOOK: Duration = Duration::from_secs(3);

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(100);

#[doc = include_str!("guide.md")]
pub struct PostgresLog {
    url: PostgresUrl,
    targets: Vec<Target>,
    /// Runs only while something is asked. Always there, until this is dropped.
    runtime: Option<Runtime>,
    /// None if the last one failed: the next question opens another.
    connection: Option<Connection>,
    /// The transactions that were visible at the last look for changes.
    seen: Option<String>,
    /// Whether something was read that no commit of ours followed yet. A commit of somebody else may
    /// be visible and still be lost, if its wait for the standby was broken off; once a later commit
    /// of ours is on the standby, so is that.
    unsettled: bool,
    /// Whether turns may be decided ahead.
    calm: Calm,
    /// The database's processes that may still carry out a turn without a lock that would show it.
    doubtful: Vec<Process>,
    server: Option<Server>,
}

impl PostgresLog {
    /// Opens the store at `url`; where the database has none, creates it if `create` says so. The
    /// password is for an address that has none in it.
    ///
    /// # Errors
    /// See [`OpenError`]: what is no license store, or one of a newer format, is left as it is, and
    /// so is a database that may lose what it acknowledged.
    pub fn open(
        url: &PostgresUrl,
        password: Option<&str>,
        create: bool,
    ) -> Result<PostgresLog, OpenError> {
        let purpose = if create { Purpose::UseOrCreate } else { Purpose::Use };
        let (runtime, targets, connection) = connect(url, password, purpose)?;
        Ok(PostgresLog {
            url: url.clone(),
            targets,
            runtime: Some(runtime),
            connection: Some(connection),
            seen: None,
            unsettled: true,
            calm: Calm::new(),
            doubtful: Vec::new(),
            server: None,
        })
    }

    /// A handle with a connection of its own, once it needs one, that acts as `server`.
    fn handle(&self, server: Option<Server>) -> Result<PostgresLog, OpenError> {
        let failed = |error: std::io::Error| OpenError::Unavailable {
            store: self.url.to_string(),
            source: error.into(),
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(PostgresLog {
            url: self.url.clone(),
            targets: self.targets.clone(),
            runtime: Some(runtime.map_err(failed)?),
            connection: None,
            seen: None,
            unsettled: true,
            calm: Calm::new(),
            doubtful: Vec::new(),
            server,
        })
    }

    /// Takes a turn in two trips: the first takes its locks and looks, the second writes.
    fn turn_looking(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        let server = self.server.clone();
        let question = Question::new(asked, server.as_ref());
        let begun = self.ask(async |connection: &Connection| question.begin_turn(connection).await);
        let (connection, answer) = begun.map_err(dropped("begin a turn"))?;
        let news = match question.news(answer) {
            Ok(news) => news,
            Err(error) => {
                self.give_back(connection);
                return Err(TurnError::Dropped(error));
            }
        };
        self.note(&news);
        let turn = decide(news);
        if turn.appends.is_empty() && turn.ends.is_empty() && !self.unsettled {
            self.give_back(connection);
            return Ok(());
        }
        self.end(connection, async |connection: &Connection| write(connection, &turn).await)?;
        self.unsettled = false;
        Ok(())
    }
}

impl Log for PostgresLog {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        match self.assume(asked) {
            Some(assumed) => self.turn_ahead(asked, decide(assumed)),
            None => self.turn_looking(asked, decide),
        }
    }

    fn prefers_company(&self) -> bool {
        true
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        let until = Instant::now() + LOOK;
        loop {
            // What is left of the old connection may hold what the new one waits for.
            self.connection = None;
            let doubtful = mem::take(&mut self.doubtful);
            let looked = self.ask(async |connection: &Connection| {
                end_all(connection, &doubtful).await?;
                look_for(connection, mark).await
            });
            match looked {
                Ok((connection, landed)) => {
                    self.connection = Some(connection);
                    self.unsettled = false;
                    return Ok(landed);
                }
                Err(trouble) => {
                    self.doubtful = doubtful;
                    if Instant::now() >= until {
                        return Err(trouble.into_log("tell whether a commit took place"));
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        let server = self.server.clone();
        let question = Question::new(asked, server.as_ref());
        let read = async |connection: &Connection| question.read(connection).await;
        let news = question.news(self.read("read", read)?)?;
        self.note(&news);
        Ok(news)
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        let question = page::Question { ledger, after, limit };
        let read = async |connection: &Connection| question.ask(connection).await;
        let answer = self.read("read", read)?;
        self.unsettled = true;
        question.entries(&answer)
    }

    fn select(
        &mut self,
        ledger: LedgerId,
        after: u64,
        limit: usize,
        wanted: &Selection,
    ) -> Result<Stretch, LogError> {
        let question = select::Question::new(ledger, after, limit, wanted);
        let read = async |connection: &Connection| question.ask(connection).await;
        let answer = self.read("read", read)?;
        self.unsettled = true;
        question.stretch(&answer)
    }

    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError> {
        let until = crate::log::figure::spelled(days.end);
        let rows = self.read("read the figures", async |connection: &Connection| {
            connection.ask(&connection.statements.figures, &[&ledger.0, &until]).await
        })?;
        figure::read(ledger, &days, &rows)
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        let rows = self.read("read", async |connection: &Connection| {
            connection.ask(&connection.statements.ledgers, &[]).await
        })?;
        numbers::read(&rows).map_err(|error| Trouble::from(error).into_log("read"))
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        let register =
            async |connection: &Connection| register::take_name(connection, &server).await;
        let epoch = aside(|| self.read("register the server", register))??;
        self.server = Some(server);
        Ok(epoch)
    }

    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError> {
        let server = self.server.clone();
        let rows = self.read("beat", async |connection: &Connection| {
            register::beat(connection, server.as_ref(), silences).await
        })?;
        let fenced =
            || LogError::Fenced { server: server.map_or_else(String::new, |s| s.name.to_string()) };
        rows.ok_or_else(fenced)
    }

    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError> {
        self.read("read the register", async |connection: &Connection| {
            let name = escaped(server.as_str().into());
            let rows = connection.ask(&connection.statements.serving, &[&&*name]).await?;
            rows.iter().map(|row| Ok(LedgerId(row.try_get(0)?))).collect()
        })
    }

    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError> {
        self.read("read the register", async |connection: &Connection| {
            let rows = connection.ask(&connection.statements.silences, &[&ledger.0]).await?;
            register::silences(ledger, &rows)
        })
    }

    fn changed(&mut self) -> Result<Option<bool>, LogError> {
        let seen = self.read("look for changes", async |connection: &Connection| {
            let changed: &Trip<'_> = &[(&connection.statements.changed, &[])];
            let rows = connection.trip_within(READ, changed).await?.pop().unwrap_or_default();
            Ok(rows.first().ok_or(Trouble::Nonsense)?.try_get::<_, String>(0)?)
        })?;
        let changed = self.seen.as_ref() != Some(&seen);
        self.seen = Some(seen);
        Ok(Some(changed))
    }

    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError> {
        let kept = self.read("tell its credentials", credential::all)?;
        kept.into_iter().map(KeptCredential::of_columns).collect()
    }

    fn keep_credential(&mut self, kept: &KeptCredential) -> Result<(), LogError> {
        let columns = kept.to_columns();
        self.read("keep a credential", async |connection: &Connection| {
            credential::keep(connection, &columns).await
        })?
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        self.read("take the server off the register", async |connection: &Connection| {
            let values = [&name(&server) as _, &server.instance as _];
            connection.ask(&connection.statements.leave, &values).await?;
            Ok(())
        })
    }

    fn archive(&mut self) -> Option<&mut dyn Archive> {
        Some(self)
    }

    fn for_writer(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(Some(Box::new(self.handle(self.server.clone())?)))
    }

    fn for_archivist(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(Some(Box::new(self.handle(None)?)))
    }

    fn format(&mut self) -> Result<u64, LogError> {
        self.read("read", async |connection: &Connection| {
            let rows = connection.ask(&connection.statements.format, &[]).await?;
            let format: i64 = rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?;
            u64::try_from(format).map_err(|_| Trouble::Nonsense)
        })
    }
}

impl Drop for PostgresLog {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing, so it may happen on the thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLog").field("url", &self.url).finish_non_exhaustive()
    }
}
