//! Asks one question after the other on the log's connection, and opens a new one if that was lost.

use std::panic::resume_unwind;
use std::thread;

use tokio::runtime::{self, Handle, Runtime};

use super::PostgresLog;
use super::ahead::is_nothing;
use super::connection::{Connection, FORMAT, Purpose};
use super::error::Trouble;
use super::url::{PostgresUrl, Target};
use crate::log::{LogError, News, OpenError};

impl PostgresLog {
    /// Does `work` on the connection; if that turns out to be lost, does it again on a new one, so it
    /// must be safe to do twice. Gives the connection too: the caller puts it back to keep it.
    pub(super) fn ask<T>(
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
    pub(super) fn read<T>(
        &mut self,
        action: &'static str,
        work: impl AsyncFn(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, LogError> {
        let (connection, done) = self.ask(work).map_err(|trouble| trouble.into_log(action))?;
        self.connection = Some(connection);
        Ok(done)
    }

    /// Ends a turn on its connection, and keeps that only if all went well.
    pub(super) fn end<T, E>(
        &mut self,
        connection: Connection,
        work: impl AsyncFnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let runtime = self.runtime.as_ref().expect("it lives as long as the log");
        let (done, connection) = runtime.block_on(async {
            match work(&connection).await {
                Ok(done) => (Ok(done), Some(connection)),
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
    pub(super) fn give_back(&mut self, connection: Connection) {
        // Where that fails the connection is closed, which gives it back too.
        let _ = self.end(connection, async |connection: &Connection| {
            connection.ask(&connection.statements.rollback, &[]).await.map(drop)
        });
    }

    /// Notes whether `news` holds something that no commit of ours followed yet.
    pub(super) fn note(&mut self, news: &News) {
        self.unsettled |= !news.ledgers.iter().all(|(_, since)| is_nothing(since));
        self.calm.note(news);
    }
}

/// Connects to the database, on a runtime that does nothing but what it is told to wait for.
pub(super) fn connect(
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

/// Does `work` where it may block. If the caller is on a thread of some async runtime, that is another
/// thread.
pub(super) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if Handle::try_current().is_err() {
        return work();
    }
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| resume_unwind(panic)))
}
