//! The log in a PostgreSQL database, for servers on several machines.
//!
//! A [`PostgresLog`] needs PostgreSQL 15 or later, a database in which its role may create the schema
//! `license`, and a connection of its own: behind a pooler, one that is kept for the session.
//!
//! # What it relies on
//!
//! So that a database which speaks PostgreSQL's protocol can be judged, this is everything that must
//! hold; the statements lie in `sql/` and `schema.sql` beside this file's source.
//!
//! - **A turn** is one `READ COMMITTED` transaction of two trips. The first locks the server's own
//!   row (`FOR KEY SHARE`, which a beat does not wait for, and whoever takes the name does, by `FOR
//!   UPDATE`), the row of every ledger asked for (`FOR UPDATE`, in the order of their ids)
//!   and, where a license is not there yet, the store's only row; then it reads what is new. A
//!   statement after those locks must see everything that was committed by who held them before.
//!   The second trip inserts the entries, sets the heads and commits.
//! - **Several connections**: a server that serves many clients takes the turns of different ledgers
//!   on four connections, or as many as the address says by `connections=N`; a pool that serves none
//!   has one. Each ledger belongs to one of them. So a ledger whose row somebody else holds, or a
//!   connection that is lost in a commit, keeps only the ledgers of one connection waiting, and the
//!   others' commits share the disk's time. What one turn writes to several ledgers of a connection
//!   is one transaction.
//! - **A catch-up** is one `REPEATABLE READ READ ONLY` transaction of one trip, and sees every commit
//!   that anybody was told of before it began. A replica that lags is never asked: of several hosts,
//!   only one that takes writes is used.
//! - **A commit** that was answered without a warning is never lost. `fsync` must be `on` and
//!   `synchronous_commit` at least `on`, which is checked on every connection; whether a standby has
//!   to confirm it is what the database's `synchronous_standby_names` says. Without, a failover loses
//!   what the standby had not received.
//! - **A lock** is held until its transaction ended, also where its client is gone. So whether a
//!   commit that got no answer took place is known once a new connection got the same lock. What it
//!   finds there is answered only after a commit of that connection too, since PostgreSQL shows what
//!   a standby never confirmed once the wait for it was broken off.
//! - **Whether anybody wrote** is told by `pg_current_snapshot()`, asked ten times a second where
//!   somebody waits for a license or a server adopts what single commands retain: as long as that
//!   stays the same, nothing else is read.
//! - **The time** is `clock_timestamp()`, read in a turn once its locks are there.
//! - `lock_timeout` and `idle_in_transaction_session_timeout` end the turn of a server that stands
//!   still. Nothing ends a commit.
//! - Beside these: multi-row `INSERT … SELECT FROM unnest`, `INSERT … ON CONFLICT … RETURNING`,
//!   `LATERAL`, identity columns, prepared statements, several statements in flight at once, and DDL
//!   in a transaction.
//!
//! After a failover, the old primary must be kept from taking writes before it is shown to clients
//! again: the database cannot tell us which of two primaries is the right one.

use std::fmt;
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use license_core::{Entry, Figure};
use license_types::ServerName;
use tokio::runtime::{self, Handle, Runtime};
use tokio_postgres::types::ToSql;

use self::connection::{Connection, FORMAT, Purpose, READ, Trip};
use self::error::Trouble;
use self::news::{Question, name, sequence};
use self::register::Served;
use self::row::{Column, escaped, unescaped};
use self::statements::Statements;
use self::url::Target;
use crate::KeptCredential;
use crate::log::{
    Append, Archive, Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, News, OpenError,
    Selection, Server, ServerRow, Silence, Since, Stretch, Turn, TurnError,
};

mod archive;
mod connection;
mod credential;
mod error;
mod figure;
mod news;
mod register;
mod row;
mod select;
mod statements;
mod tables;
mod tls;
mod url;

pub(crate) use tables::{PostgresSource, PostgresTarget};
pub use url::PostgresUrl;

/// How long to look for a commit that got no answer, while the database cannot be asked.
const LOOK: Duration = Duration::from_secs(3);

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// A log in a PostgreSQL database.
pub struct PostgresLog {
    url: PostgresUrl,
    targets: Vec<Target>,
    /// Turns while something is asked; nothing runs in between.
    runtime: Option<Runtime>,
    /// None where the last one failed: the next question makes another.
    connection: Option<Connection>,
    /// The transactions that could be seen when it was last looked for changes.
    seen: Option<String>,
    /// Whether something was read that no commit of ours followed yet. What somebody else committed
    /// may be visible and still be lost, where his wait for the standby was broken off.
    unsettled: bool,
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
            server,
        })
    }

    /// Does `work` on the connection, or on a new one where that was lost meanwhile: then nothing
    /// was done yet. Gives the connection, which is kept only by being put back.
    fn ask<T>(
        &mut self,
        work: impl AsyncFn(&Connection) -> Result<T, Trouble>,
    ) -> Result<(Connection, T), Trouble> {
        let waits = self.connection.take();
        let runtime = self.runtime.as_ref().expect("it lives as long as the log");
        runtime.block_on(async {
            if let Some(connection) = waits {
                match work(&connection).await {
                    Ok(done) => return Ok((connection, done)),
                    Err(trouble) => {
                        let lost = connection.is_lost(&trouble);
                        connection.close().await;
                        if !lost {
                            return Err(trouble);
                        }
                    }
                }
            }
            self.unsettled = true;
            let connection = Connection::open(&self.targets, Purpose::Use).await?;
            match work(&connection).await {
                Ok(done) => Ok((connection, done)),
                Err(trouble) => {
                    connection.close().await;
                    Err(trouble)
                }
            }
        })
    }

    /// The same for what leaves nothing open.
    fn read<T>(
        &mut self,
        action: &'static str,
        work: impl AsyncFn(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, LogError> {
        let (connection, done) = self.ask(work).map_err(|trouble| trouble.into_log(action))?;
        self.connection = Some(connection);
        Ok(done)
    }

    /// Ends a turn on its connection, and keeps that only if all went well.
    fn end<E>(
        &mut self,
        connection: Connection,
        work: impl AsyncFnOnce(&Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        let runtime = self.runtime.as_ref().expect("it lives as long as the log");
        let (done, connection) = runtime.block_on(async {
            match work(&connection).await {
                Ok(()) => (Ok(()), Some(connection)),
                Err(error) => {
                    connection.close().await;
                    (Err(error), None)
                }
            }
        });
        self.connection = connection;
        done
    }

    /// Gives a turn back in which nothing was done.
    fn give_back(&mut self, connection: Connection) {
        // Where that fails the connection is closed, which gives it back too.
        let _ = self.end(connection, async |connection: &Connection| {
            connection.ask(&connection.statements.rollback, &[]).await.map(drop)
        });
    }

    /// Notes whether `news` tells of something that no commit of ours followed yet.
    fn note(&mut self, news: &News) {
        let is_nothing = |since: &Since| match since {
            Since::Entries(entries) => entries.is_empty(),
            Since::Reload => false,
        };
        self.unsettled |= !news.ledgers.iter().all(|(_, since)| is_nothing(since));
    }
}

impl Log for PostgresLog {
    fn turn(
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

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        let until = Instant::now() + LOOK;
        loop {
            // What is left of the old connection may hold what the new one waits for.
            self.connection = None;
            match self.ask(async |connection: &Connection| look_for(connection, mark).await) {
                Ok((connection, landed)) => {
                    self.connection = Some(connection);
                    self.unsettled = false;
                    return Ok(landed);
                }
                Err(trouble) if Instant::now() >= until => {
                    return Err(trouble.into_log("tell whether a commit took place"));
                }
                Err(_) => thread::sleep(PAUSE),
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
        let (from, most) = (sequence(after), i64::try_from(limit).unwrap_or(i64::MAX));
        let [rows, end] = self.read("read", async |connection: &Connection| {
            let Statements { begin_moment, page, end, commit, .. } = &connection.statements;
            let answers = connection
                .trip(&[
                    (begin_moment, &[]),
                    (page, &[&ledger.0, &from, &most]),
                    (end, &[&ledger.0]),
                    (commit, &[]),
                ])
                .await?;
            let [_, rows, end, _] = answers.try_into().map_err(|_| Trouble::Nonsense)?;
            Ok([rows, end])
        })?;
        self.unsettled = true;
        let entries: Vec<Entry> =
            rows.iter().map(|row| row::read(ledger, row)).collect::<Result<_, _>>()?;
        let last = entries.last().map_or(after, |entry| entry.sequence);
        let end = end.first().map_or(Ok(0), |row| row.try_get(0));
        let end: i64 = end.map_err(|error| Trouble::from(error).into_log("read"))?;
        if entries.len() < limit && end > sequence(last) {
            // Licenses that are held and yet free, if nobody noticed.
            let source =
                format!("the log should end at entry {end} and ends after entry {last}").into();
            return Err(LogError::Entry { ledger, sequence: last + 1, source });
        }
        Ok(entries)
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
        let mut ledgers: Vec<LedgerNumbers> = Vec::new();
        for row in &rows {
            let (ledger, number, in_force) =
                numbered(row).map_err(|error| Trouble::from(error).into_log("read"))?;
            if ledgers.last().is_none_or(|last| last.ledger != ledger) {
                ledgers.push(LedgerNumbers { ledger, numbers: Vec::new(), in_force: false });
            }
            if let (Some(last), Some(number)) = (ledgers.last_mut(), number) {
                last.numbers.push(unescaped(number).into_owned());
                last.in_force = in_force.unwrap_or(false);
            }
        }
        Ok(ledgers)
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        let seconds = |seconds| i64::try_from(seconds).unwrap_or(i64::MAX);
        let (lease, grace) = (seconds(server.lease_seconds), seconds(server.grace_seconds));
        let register = async |connection: &Connection| {
            let (name, format) = (name(&server), seconds(FORMAT));
            let values = [
                &name as _,
                &server.instance as _,
                &lease as _,
                &grace as _,
                &server.transient as _,
                &format as _,
            ];
            let rows = connection.ask(&connection.statements.sealed, &[]).await?;
            let sealed_to: Option<&str> = rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?;
            if let Some(target) = sealed_to {
                return Ok(Err(LogError::Sealed { target: unescaped(target).into() }));
            }
            let Statements { begin_turn, hold_server, register, .. } = &connection.statements;
            let taking: &Trip<'_> =
                &[(begin_turn, &[]), (hold_server, &[&name]), (register, &values)];
            let rows = connection.trip(taking).await?.pop().unwrap_or_default();
            let epoch: i64 = rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?;
            connection.commit(&[]).await?;
            Ok(Ok(u64::try_from(epoch).map_err(|_| Trouble::Nonsense)?))
        };
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
        })
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

    fn beside(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(Some(Box::new(self.handle(self.server.clone())?)))
    }

    fn another(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
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

/// Writes and commits what a turn decided.
async fn write(connection: &Connection, turn: &Turn) -> Result<(), TurnError> {
    let Turn { appends, ends } = turn;
    register::end(connection, ends).await?;
    if appends.is_empty() && ends.is_empty() {
        return connection.commit(&[]).await.map_err(dropped("confirm what it told"));
    }
    let mut ledgers = Vec::with_capacity(appends.len());
    for append in appends {
        ledgers.push(point(connection, append).await.map_err(dropped("write"))?);
    }
    figure::insert(connection, &ledgers, appends).await.map_err(dropped("write"))?;
    let columns = row::columns(&ledgers, appends);
    let values: Vec<_> = columns.iter().map(Column::parameter).collect();
    let (ids, sequences, chains) = row::heads(&ledgers, appends);
    let Served { begun, ceased } = Served::of(&ledgers, appends);
    let Statements { insert, heads, serve, cease, forget_ended, .. } = &connection.statements;
    let heads_values: [&(dyn ToSql + Sync); 3] = [&ids, &sequences, &chains];
    let (begun, ceased): ([&(dyn ToSql + Sync); 2], [&(dyn ToSql + Sync); 2]) =
        ([&begun.0, &begun.1], [&ceased.0, &ceased.1]);
    let mut write = vec![(insert, &*values), (heads, &heads_values)];
    if !ends.is_empty() || appends.iter().any(|append| !append.serving.is_empty()) {
        write.extend([(serve, &begun[..]), (cease, &ceased[..]), (forget_ended, &[])]);
    }
    let committed = connection.commit(&write).await;
    // Whatever went wrong, only a look at the store tells what became of the commit.
    committed.map_err(|trouble| TurnError::Unknown(trouble.into_log("commit")))
}

/// The ledger of an append, to which its number points from now on. A new one takes a trip more.
async fn point(connection: &Connection, append: &Append) -> Result<LedgerId, Trouble> {
    let statements = &connection.statements;
    let ledger = match append.ledger {
        Some(ledger) => ledger.0,
        None => {
            let rows = connection.ask(&statements.add_ledger, &[]).await?;
            rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?
        }
    };
    if let (Some(number), Some(entry)) = (&append.number, append.entries.first()) {
        let (number, installed) = (escaped((&**number).into()), sequence(entry.sequence));
        let rows = connection.ask(&statements.point, &[&number, &ledger, &installed]).await?;
        rows.first().ok_or(Trouble::Nonsense)?;
    }
    if append.uninstalls {
        connection.ask(&statements.void, &[&ledger]).await?;
    }
    Ok(LedgerId(ledger))
}

/// A ledger with a number that points to it, and whether that is in force.
fn numbered(
    row: &tokio_postgres::Row,
) -> Result<(LedgerId, Option<&str>, Option<bool>), tokio_postgres::Error> {
    Ok((LedgerId(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?))
}

/// Looks for a turn's first entry, once that turn is certain to have ended.
async fn look_for(connection: &Connection, mark: &Mark) -> Result<bool, Trouble> {
    let statements = &connection.statements;
    connection.ask(&statements.begin_turn, &[]).await?;
    let ledger = match (mark.ledger, &mark.number) {
        (None, Some(number)) => {
            connection.ask(&statements.await_store, &[]).await?;
            let number = escaped((&**number).into());
            let rows = connection.ask(&statements.numbers, &[&[&*number].as_slice()]).await?;
            rows.first().map(|row| row.try_get("ledger")).transpose()?
        }
        (ledger, _) => ledger.map(|ledger| ledger.0),
    };
    let mut landed = false;
    if let Some(ledger) = ledger {
        connection.ask(&statements.await_turn, &[&ledger]).await?;
        let at = sequence(mark.head.sequence);
        let rows = connection.ask(&statements.chain, &[&ledger, &at]).await?;
        let chain: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?;
        landed = chain.is_some_and(|chain| chain == mark.head.chain.to_string());
    }
    // What was found may not have reached the standby; once this has, it has.
    connection.commit(&[]).await?;
    Ok(landed)
}

/// Connects to the database, on a runtime that does nothing but what it is told to wait for.
fn connect(
    url: &PostgresUrl,
    password: Option<&str>,
    purpose: Purpose,
) -> Result<(Runtime, Vec<Target>, Connection), OpenError> {
    let unavailable = |source| OpenError::Unavailable { store: url.to_string(), source };
    let mut targets = url.targets().map_err(|reason| unavailable(reason.into()))?;
    for target in &mut targets {
        if let (None, Some(password)) = (target.config.get_password(), password) {
            target.config.password(password);
        }
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unavailable(error.into()))?;
    let opened = aside(|| runtime.block_on(Connection::open(&targets, purpose)));
    let connection = opened.map_err(|error| error.into_open(url.to_string(), FORMAT))?;
    Ok((runtime, targets, connection))
}

fn dropped(action: &'static str) -> impl FnOnce(Trouble) -> TurnError {
    move |trouble| TurnError::Dropped(trouble.into_log(action))
}

/// Does `work` where it may wait: a runtime of the caller forbids that on its own threads.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if Handle::try_current().is_err() {
        return work();
    }
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| resume_unwind(panic)))
}
