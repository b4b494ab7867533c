//! One connection to the server that takes writes, found among those that the address names.

use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    AsyncMessage, Client, NoTls, Row, SimpleQueryMessage, SimpleQueryRow, Socket, Statement,
};

use super::error::Trouble;
use super::statements::Statements;
use super::tls::Tls;
use super::url::Target;

/// The format of the stores that this version writes. It reads no other: there were none before it on
/// PostgreSQL.
pub(super) const FORMAT: u64 = 2;

/// How long one server may take to accept a connection, where the address says nothing else.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take. Longer than the database itself lets a statement run or wait, so
/// this only ends what nobody answers any more.
const ANSWER: Duration = Duration::from_secs(10);

/// How long it may take to read what is new, which waits for nobody's lock.
pub(super) const READ: Duration = Duration::from_secs(5);

/// How long to say goodbye.
const CLOSE: Duration = Duration::from_secs(1);

const SCHEMA: &str = include_str!("schema.sql");
const SESSION: &str = include_str!("sql/session.sql");

/// What stands in the store's row beside the format.
const ENGINE: &str = "license-retention";

/// What stands there in a copy that was begun and not finished, which is no store yet.
const UNFINISHED: &str = "license-retention, an unfinished copy";

/// What a connection is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A store that exists.
    Use,
    /// The same, or a new one.
    UseOrCreate,
    /// A copy, where there is nothing yet but what an earlier one left unfinished.
    Copy,
}

/// A statement with its parameters.
pub(super) type Sent<'t> = (&'t Statement, &'t [&'t (dyn ToSql + Sync)]);

/// What is sent together.
pub(super) type Trip<'t> = [Sent<'t>];

/// The process of the database's server at the other end of a connection.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) id: i32,
    /// When it began, by which it is told from another with its number.
    pub(super) started: String,
}

pub(super) struct Connection {
    client: Client,
    pub(super) process: Process,
    pub(super) statements: Statements,
    /// The warnings that came since they were last taken.
    warnings: Arc<Mutex<Vec<DbError>>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Connects to the first server that takes writes and keeps what it acknowledges; where it has
    /// no store, creates what the purpose needs.
    pub(super) async fn open(targets: &[Target], purpose: Purpose) -> Result<Connection, Trouble> {
        let mut failed = Vec::new();
        for target in targets {
            let patience = target.config.get_connect_timeout().copied().unwrap_or(CONNECT);
            let opened = timeout(patience, Connection::open_one(target, purpose)).await;
            match opened.unwrap_or(Err(Trouble::Silent(patience))) {
                Ok(connection) => return Ok(connection),
                Err(trouble) => failed.push((target.name.clone(), trouble)),
            }
        }
        Err(match failed.pop() {
            Some((_, only)) if failed.is_empty() => only,
            last => Trouble::Servers(failed.into_iter().chain(last).collect()),
        })
    }

    async fn open_one(target: &Target, purpose: Purpose) -> Result<Connection, Trouble> {
        let warnings = Arc::default();
        let (client, task) = match &target.authorities {
            None => {
                let (client, connection) = target.config.connect(NoTls).await?;
                (client, drive(connection, Arc::clone(&warnings)))
            }
            Some(path) => {
                let tls = Tls::new(path).map_err(Trouble::Authorities)?;
                let (client, connection) = target.config.connect(tls).await?;
                (client, drive(connection, Arc::clone(&warnings)))
            }
        };
        let process = begin_session(&client).await?;
        match (judge(&client).await, purpose) {
            (Err(Trouble::Missing), Purpose::UseOrCreate) => initialise(&client).await?,
            (Err(Trouble::Missing), Purpose::Copy) => client.batch_execute(&copy_schema()).await?,
            (Err(Trouble::Unfinished), Purpose::Copy) => {}
            (
                Ok(()) | Err(Trouble::Foreign | Trouble::Newer(_) | Trouble::Unreadable(_)),
                Purpose::Copy,
            ) => {
                return Err(Trouble::Occupied);
            }
            (judged, _) => judged?,
        }
        let statements = Statements::prepare(&client).await?;
        Ok(Connection { client, process, statements, warnings, task })
    }

    /// Sends all statements at once, so that they take one trip, and gives what each answered. The
    /// first that fails is the one told of: inside a transaction those after it fail for it.
    pub(super) async fn trip(&self, trip: &Trip<'_>) -> Result<Vec<Vec<Row>>, Trouble> {
        self.trip_within(ANSWER, trip).await
    }

    /// The same, for as long as `patience` lasts.
    pub(super) async fn trip_within(
        &self,
        patience: Duration,
        trip: &Trip<'_>,
    ) -> Result<Vec<Vec<Row>>, Trouble> {
        let sent = trip.iter().map(|(statement, values)| self.client.query(*statement, values));
        match timeout(patience, try_join_all(sent)).await {
            Ok(answers) => Ok(answers?),
            Err(_) => Err(Trouble::Silent(patience)),
        }
    }

    /// One statement, in a trip of its own.
    pub(super) async fn ask(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        Ok(self.trip(&[(statement, values)]).await?.pop().unwrap_or_default())
    }

    /// The same as [`trip`](Self::trip), ended by a commit.
    pub(super) async fn commit(&self, trip: &Trip<'_>) -> Result<(), Trouble> {
        let statements = &self.statements;
        let end: &Trip<'_> = &[(&statements.unlimit, &[]), (&statements.commit, &[])];
        self.commit_with(&[trip, end].concat()).await.map(drop)
    }

    /// The same where the last statement commits by itself. PostgreSQL warns when a commit is on its
    /// own disk, but not on the standby that it waited for: then it is not known to last.
    pub(super) async fn commit_with(&self, trip: &Trip<'_>) -> Result<Vec<Vec<Row>>, Trouble> {
        self.warnings();
        let answers = self.trip(trip).await?;
        match self.warnings().pop() {
            Some(warning) => Err(Trouble::Warned(warning.into())),
            None => Ok(answers),
        }
    }

    /// Prepares a statement that was made only now.
    pub(super) async fn prepare(&self, text: &str) -> Result<Statement, Trouble> {
        Ok(self.client.prepare(text).await?)
    }

    /// Makes a store of a copy. No server of the store that was copied holds its name here, and new
    /// ledgers get ids that none has.
    pub(super) async fn finish_copy(&self) -> Result<(), Trouble> {
        const NEXT_ID: &str = "SELECT setval(pg_get_serial_sequence('license.ledger', 'id'),
            (SELECT coalesce(max(id), 0) + 1 FROM license.ledger), false)";
        let finish = format!(
            "BEGIN;
             UPDATE license.server SET instance = 'copied' WHERE instance <> '';
             UPDATE license.store SET engine = '{ENGINE}';
             {NEXT_ID};
             COMMIT;"
        );
        self.warnings();
        self.client.batch_execute(&finish).await?;
        match self.warnings().pop() {
            Some(warning) => Err(Trouble::Warned(warning.into())),
            None => Ok(()),
        }
    }

    /// Does what the text says.
    pub(super) async fn run(&self, text: &str) -> Result<(), Trouble> {
        Ok(self.client.batch_execute(text).await?)
    }

    /// Whether the connection is of no more use after `trouble`, and another may do better.
    pub(super) fn is_lost(&self, trouble: &Trouble) -> bool {
        self.client.is_closed() || trouble.is_fatal()
    }

    /// Ends the connection, and with it whatever transaction is open on it.
    pub(super) async fn close(self) {
        let Connection { client, task, .. } = self;
        drop(client);
        let abort = task.abort_handle();
        if timeout(CLOSE, task).await.is_err() {
            abort.abort();
        }
    }

    fn warnings(&self) -> Vec<DbError> {
        mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps the connection going, and every warning before the answer that follows it.
fn drive<T>(
    mut connection: tokio_postgres::Connection<Socket, T>,
    warnings: Arc<Mutex<Vec<DbError>>>,
) -> JoinHandle<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message
                && notice.parsed_severity() == Some(Severity::Warning)
            {
                warnings.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
            }
        }
    })
}

/// Sets what bounds every wait, and refuses a database that may lose what it acknowledged. Gives the
/// process that serves the connection.
async fn begin_session(client: &Client) -> Result<Process, Trouble> {
    let answer = client.simple_query(SESSION).await?;
    let settings = row(&answer).ok_or(Trouble::Nonsense)?;
    for (setting, good, cure) in [
        ("fsync", &["on"][..], "`on`"),
        ("synchronous_commit", &["on", "remote_apply"], "`on` or `remote_apply`"),
        ("server_encoding", &["UTF8"], "UTF8, in a database of its own"),
    ] {
        let value = settings.get(setting).unwrap_or("unknown");
        if !good.contains(&value) {
            return Err(Trouble::Unsafe { setting, value: value.to_owned(), cure });
        }
    }
    let id = settings.get("process").and_then(|id| id.parse().ok()).ok_or(Trouble::Nonsense)?;
    let started = settings.get("started").ok_or(Trouble::Nonsense)?.to_owned();
    Ok(Process { id, started })
}

/// Whether the database has a store that this version can use.
async fn judge(client: &Client) -> Result<(), Trouble> {
    match client.simple_query("SELECT engine, format FROM license.store").await {
        Ok(answer) => match row(&answer).and_then(|row| Some((row.get(0)?, row.get(1)?))) {
            Some((ENGINE, format)) => match format.parse() {
                Ok(FORMAT) => Ok(()),
                Ok(older @ 0..FORMAT) => Err(Trouble::Unreadable(older)),
                Ok(newer) => Err(Trouble::Newer(newer)),
                Err(_) => Err(Trouble::Foreign),
            },
            Some((UNFINISHED, _)) => Err(Trouble::Unfinished),
            Some(_) | None => Err(Trouble::Foreign),
        },
        Err(error) => Err(match error.code() {
            Some(&SqlState::UNDEFINED_TABLE) => Trouble::Missing,
            Some(&SqlState::UNDEFINED_COLUMN) => Trouble::Foreign,
            _ => error.into(),
        }),
    }
}

/// Writes the schema, unless another process was faster.
async fn initialise(client: &Client) -> Result<(), Trouble> {
    // Sent as one, PostgreSQL takes all of it or nothing.
    match client.batch_execute(SCHEMA).await {
        Ok(()) => Ok(()),
        Err(error) => match error.code() {
            // The second code: another process is creating it at this moment.
            Some(&SqlState::DUPLICATE_SCHEMA | &SqlState::UNIQUE_VIOLATION) => {
                match judge(client).await {
                    // Something else has a schema of this name.
                    Err(Trouble::Missing) => Err(Trouble::Foreign),
                    judged => judged,
                }
            }
            _ => Err(error.into()),
        },
    }
}

/// The schema of a store that is no store yet.
fn copy_schema() -> String {
    format!("{SCHEMA}\nUPDATE license.store SET engine = '{UNFINISHED}';")
}

fn row(answer: &[SimpleQueryMessage]) -> Option<&SimpleQueryRow> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}
