//! Carries committed pages from the write-ahead log over into the file, beside the turns. By itself
//! SQLite does that within a commit: every dozenth turn of a busy server took five times as long as
//! the others.
//!
//! SQLite begins its log anew when somebody writes and every page was carried over. While turn follows
//! upon turn a thread never gets that far, so the few that are left of a long log are carried over
//! within a commit after all.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, MAIN_DB};

use super::open::connect;
use super::place::Place;
use crate::log::Cause;

/// How many pages the thread carries over at once, or more. SQLite's own measure.
const SOME: i32 = 1000;

/// Fewer than these may be carried over within a commit.
const FEW: i32 = SOME / 2;

/// From what length on, in pages, a log is to end.
const LONG: i32 = 4 * SOME;

/// What length it may not exceed, however many pages are left.
const LONGEST: i32 = 2 * LONG;

/// Carries over what some connections of this process commit to one file, in a thread that begins when
/// there is enough to do. Dropping this ends the thread; do so before the last of the connections is
/// closed, since only the last one to the file takes its log away.
pub(super) struct Carrier(Arc<Shared>);

struct Shared {
    place: Place,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    thread: Option<JoinHandle<()>>,
    /// How long the log was after the last commit.
    pages: i32,
    /// How many of them are carried over, as far as this process knows.
    carried: i32,
    /// How long the log was when it was to end and did not, as while somebody reads.
    tried: i32,
    /// Whether the thread has something to do, or is doing it.
    is_due: bool,
    is_over: bool,
}

/// What to do after a commit.
#[derive(Debug, PartialEq)]
enum Task {
    Nothing,
    /// Have the thread carry over what is left.
    Beside,
    /// Carry it over at once.
    Within,
}

impl Carrier {
    /// For the connections that are to [share](Self::share) it.
    pub(super) fn new(place: Place) -> Carrier {
        Carrier(Arc::new(Shared { place, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// Carries over what this connection commits from now on, which SQLite does no more.
    pub(super) fn share(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let shared = self.0.clone();
        connection.wal_hook(Some(move |log: &mut Wal, pages| {
            shared.committed(log, pages);
            // An error would say that the commit failed, which is durable.
            Ok(())
        }))
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_over = true;
        let thread = state.thread.take();
        drop(state);
        self.0.changed.notify_one();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl State {
    /// What to do when the log has so many pages.
    fn task(&mut self, pages: i32) -> Task {
        if pages < self.pages {
            // It was begun anew.
            (self.carried, self.tried) = (0, 0);
        }
        self.pages = pages;
        // The thread may tell of the last log what it carried over.
        let left = if pages < self.carried { pages } else { pages - self.carried };
        let is_long = pages >= LONG && pages - self.tried >= SOME;
        if is_long && (pages >= LONGEST || left < FEW && !self.is_due) {
            self.tried = pages;
            Task::Within
        } else if left >= SOME && !self.is_due && !self.is_over {
            self.is_due = true;
            Task::Beside
        } else {
            Task::Nothing
        }
    }
}

impl Shared {
    fn committed(self: &Arc<Self>, log: &mut Wal, pages: i32) {
        let mut state = self.lock();
        match state.task(pages) {
            Task::Nothing => {}
            // Another process may be at it. If it fails, a later commit tries again.
            Task::Within => drop(log.checkpoint()),
            Task::Beside => {
                if state.thread.is_none() {
                    let shared = self.clone();
                    let thread = thread::Builder::new().name("license-carry".to_owned());
                    // Where there can be no thread, the log only becomes longer.
                    state.thread = thread.spawn(move || shared.run()).ok();
                }
                self.changed.notify_one();
            }
        }
    }

    fn run(&self) {
        let mut connection = None;
        while self.wait() {
            // Nothing may be done to another file that is there now.
            if self.place.holds().is_err() {
                return;
            }
            if connection.is_none() {
                connection = self.connect().ok();
            }
            // Nobody has to wait for this; an error, as of a full disk, meets who commits as well.
            let carried = connection.as_ref().and_then(|connection| {
                connection.wal_checkpoint_v2(Some(MAIN_DB), Default::default()).ok()
            });
            let mut state = self.lock();
            state.is_due = false;
            if let Some((_, carried)) = carried {
                state.carried = carried;
            }
        }
    }

    /// Waits until there is something to do; false at the end.
    fn wait(&self) -> bool {
        let is_idle = |state: &mut State| !state.is_due && !state.is_over;
        let state = self.changed.wait_while(self.lock(), is_idle);
        !state.unwrap_or_else(PoisonError::into_inner).is_over
    }

    fn connect(&self) -> Result<Connection, Cause> {
        let connection = connect(self.place.path())?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    const PAGE: usize = 4096;

    #[test]
    fn a_commit_carries_over_only_the_few_pages_that_are_left_of_a_long_log() {
        let task = |carried, pages| State { carried, ..State::default() }.task(pages);
        assert_eq!(task(0, SOME - 1), Task::Nothing);
        assert_eq!(task(0, SOME), Task::Beside);
        assert_eq!(task(SOME, 2 * SOME - 1), Task::Nothing);
        assert_eq!(task(SOME, 2 * SOME), Task::Beside);
        assert_eq!(task(LONG, LONG + FEW - 1), Task::Within);
        assert_eq!(task(LONG, LONG + FEW), Task::Nothing);
        assert_eq!(task(LONG - 1, LONG - 1), Task::Nothing);
        assert_eq!(task(LONG, LONG + SOME), Task::Beside);
        assert_eq!(task(0, LONGEST), Task::Within);
        // Of the last log.
        assert_eq!(task(LONG, SOME), Task::Beside);

        let mut busy = State::default();
        assert_eq!(busy.task(SOME), Task::Beside);
        assert_eq!(busy.task(LONG), Task::Nothing);
        assert_eq!(busy.task(LONGEST), Task::Within);
        let mut over = State { is_over: true, ..State::default() };
        assert_eq!(over.task(SOME), Task::Nothing);
        assert_eq!(over.task(LONGEST), Task::Within);
    }

    #[test]
    fn while_a_log_cannot_end_not_every_commit_tries_it() {
        let mut state = State { carried: LONG, ..State::default() };
        assert_eq!(state.task(LONG), Task::Within);
        state.carried = LONG + SOME - 1;
        assert_eq!(state.task(LONG + SOME - 1), Task::Nothing);
        assert_eq!(state.task(LONG + SOME), Task::Within);
        // It ended, and the next one is long.
        assert_eq!(state.task(1), Task::Nothing);
        state.carried = LONG;
        assert_eq!(state.task(LONG), Task::Within);

        let mut late = State { is_due: true, ..State::default() };
        assert_eq!(late.task(LONGEST), Task::Within);
        assert_eq!(late.task(LONGEST + SOME - 1), Task::Nothing);
        assert_eq!(late.task(LONGEST + SOME), Task::Within);
    }

    #[test]
    fn what_is_committed_reaches_the_file_while_nobody_commits() {
        let (folder, mut connection, carrier) = begin();
        carrier.share(&mut connection).unwrap();
        write(&connection, SOME);
        until(|| len(&folder.path().join("file")) > SOME as u64 * PAGE as u64);
        drop(carrier);
        assert_eq!(read(&connection), SOME);
    }

    #[test]
    fn however_much_is_committed_the_log_stays_short() {
        const TURN: i32 = 200;
        let (folder, mut connection, carrier) = begin();
        // As a thread that is always late.
        carrier.0.lock().is_due = true;
        carrier.share(&mut connection).unwrap();
        for _ in 0..2 * LONGEST / TURN {
            write(&connection, TURN);
        }
        let longest = (LONGEST + 2 * TURN) as u64 * (PAGE as u64 + 24);
        assert!(len(&folder.path().join("file-wal")) < longest);
        assert_eq!(read(&connection), 2 * LONGEST);
    }

    #[test]
    fn after_the_end_no_other_connection_keeps_the_log() {
        let (folder, mut connection, carrier) = begin();
        carrier.share(&mut connection).unwrap();
        write(&connection, SOME);
        until(|| !carrier.0.lock().is_due);
        drop(carrier);
        drop(connection);
        assert!(!folder.path().join("file-wal").exists());
    }

    #[test]
    fn a_file_that_took_the_place_of_the_first_is_left_alone() {
        let (folder, mut connection, carrier) = begin();
        carrier.share(&mut connection).unwrap();
        let path = folder.path().join("file");
        std::fs::rename(&path, folder.path().join("first")).unwrap();
        std::fs::write(&path, "another").unwrap();
        write(&connection, SOME);
        until(|| carrier.0.lock().thread.as_ref().is_some_and(JoinHandle::is_finished));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another");
    }

    fn begin() -> (tempfile::TempDir, Connection, Carrier) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "page_size", PAGE).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection.pragma_update(None, "synchronous", "off").unwrap();
        connection.execute("CREATE TABLE page (content BLOB)", []).unwrap();
        let carrier = Carrier::new(Place::of(&path).unwrap());
        (folder, connection, carrier)
    }

    /// Commits about so many pages.
    fn write(connection: &Connection, pages: i32) {
        let turn = connection.unchecked_transaction().unwrap();
        for _ in 0..pages {
            turn.execute("INSERT INTO page VALUES (?1)", [[7_u8; PAGE - 100]]).unwrap();
        }
        turn.commit().unwrap();
    }

    fn read(connection: &Connection) -> i32 {
        connection.query_row("SELECT count(*) FROM page", [], |row| row.get(0)).unwrap()
    }

    fn len(path: &Path) -> u64 {
        path.metadata().unwrap().len()
    }

    fn until(holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < end, "too late");
            thread::yield_now();
        }
    }
}
