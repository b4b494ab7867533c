//! Stands between a pool and its server, and cuts the line where it hurts: around a commit.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;

use tempfile::TempDir;

use super::server::{DEADLINE, Database, Server, address, host, until};

/// What befalls the next commit.
#[derive(Clone)]
pub(crate) enum Cut {
    /// It never arrives.
    Before,
    /// It takes place, and nobody is told.
    After,
    /// The same, but it arrives only when somebody waits for the lock that its transaction holds; or
    /// where it is the whole transaction, when that process of the server has ended for which it is.
    Late,
    /// It stands still, and never arrives once its test goes on.
    Stalled(Arc<Mutex<Stall>>),
}

pub(crate) struct Stall {
    arrived: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
}

/// A commit that stands still until this is dropped.
pub(crate) struct Stalled {
    arrived: mpsc::Receiver<()>,
    _goes_on: mpsc::Sender<()>,
}

impl Stalled {
    /// Waits until there is such a commit.
    pub(crate) fn arrived(&self) {
        self.arrived.recv_timeout(DEADLINE).expect("somebody commits");
    }
}

pub(crate) struct Proxy {
    folder: TempDir,
    database: Database,
    next: Arc<Mutex<Option<Cut>>>,
    ahead: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn new(database: &Database) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let (next, ahead, ended) = (Arc::new(Mutex::new(None)), Arc::default(), Arc::default());
        let listener = UnixListener::bind(socket(folder.path())).unwrap();
        let line = Line {
            server: Arc::downgrade(&database.server),
            socket: socket(database.server.folder()),
            database: database.name.clone(),
            next: next.clone(),
            ahead: Arc::clone(&ahead),
            ended: Arc::clone(&ended),
        };
        // Ends with the process, so it must not keep the server from ending before.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, line) = (client.unwrap(), line.clone());
                thread::spawn(move || line.carry(client));
            }
        });
        Proxy { folder, database: database.clone(), next, ahead, ended }
    }

    /// The database's address, through this.
    pub(crate) fn address(&self) -> String {
        address(&[host(self.folder.path())], &self.database.name)
    }

    /// How many turns were sent that were decided before it was looked.
    pub(crate) fn ahead(&self) -> u64 {
        self.ahead.load(Ordering::SeqCst)
    }

    /// Of how many of them that came late the process had ended by then.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Stalls the next commit.
    pub(crate) fn stall(&self) -> Stalled {
        let ((arrived, arrives), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
        self.cut(Cut::Stalled(Arc::new(Mutex::new(Stall { arrived, goes_on }))));
        Stalled { arrived: arrives, _goes_on: go_on }
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }
}

#[derive(Clone)]
struct Line {
    server: Weak<Server>,
    socket: PathBuf,
    database: String,
    next: Arc<Mutex<Option<Cut>>>,
    ahead: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

/// What commits.
#[derive(Clone, Copy, PartialEq)]
enum Commit {
    /// The end of a transaction that has locks already.
    End,
    /// A whole turn.
    Ahead,
}

impl Line {
    /// Carries one connection until either side ends it.
    fn carry(&self, mut client: UnixStream) {
        let Ok(mut server) = UnixStream::connect(&self.socket) else {
            return;
        };
        let (mut answers, mut hears) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut hears);
            let _ = hears.shutdown(Shutdown::Both);
        });
        let mut commits = HashMap::new();
        // The first message has no kind.
        let mut begun = false;
        while let Some(message) = next_message(&mut client, begun) {
            begun = true;
            let commit = match message[0] {
                b'P' => {
                    let mut texts = texts(&message);
                    let (name, text) = (texts.next().unwrap(), texts.next().unwrap());
                    if text == b"COMMIT" {
                        commits.insert(name.to_owned(), Commit::End);
                    } else if text.starts_with(b"-- A whole turn in one statement") {
                        commits.insert(name.to_owned(), Commit::Ahead);
                    }
                    None
                }
                b'B' => commits.get(texts(&message).nth(1).unwrap()).copied(),
                _ => None,
            };
            if commit == Some(Commit::Ahead) {
                self.ahead.fetch_add(1, Ordering::SeqCst);
            }
            let next = |_| self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (commit.and_then(next), commit) {
                (Some(cut), Some(commit)) => {
                    return self.cut(cut, commit, &message, client, server);
                }
                _ if server.write_all(&message).is_ok() => {}
                _ => break,
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn cut(
        &self,
        cut: Cut,
        commit: Commit,
        message: &[u8],
        mut client: UnixStream,
        mut server: UnixStream,
    ) {
        let late = match cut {
            Cut::Before => {
                let _ = server.shutdown(Shutdown::Both);
                return;
            }
            Cut::Stalled(stall) => {
                let stall = stall.lock().unwrap_or_else(PoisonError::into_inner);
                stall.arrived.send(()).unwrap();
                // Nothing is ever sent.
                let _ = stall.goes_on.recv();
                let _ = server.shutdown(Shutdown::Both);
                return;
            }
            Cut::After => false,
            Cut::Late => true,
        };
        let mut rest = Vec::new();
        while rest.last().is_none_or(|message: &Vec<u8>| message[0] != b'S') {
            rest.push(next_message(&mut client, true).unwrap());
        }
        let _ = client.shutdown(Shutdown::Both);
        if late && commit == Commit::Ahead {
            let _ = std::io::copy(&mut server, &mut std::io::sink());
            assert!(server.write_all(message).is_err(), "nobody is there to take it");
            self.ended.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if late {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let there = self.server.upgrade().unwrap();
            until("somebody waits", || there.sql(&self.database, waiting) == "1");
        }
        server.write_all(&[message, &rest.concat()].concat()).unwrap();
        // The server ends the connection when it has done all of that; it would do less if nobody
        // took its answers.
        let _ = server.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut server, &mut std::io::sink());
    }
}

/// The next message of a client, whole.
fn next_message(client: &mut UnixStream, has_kind: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; if has_kind { 5 } else { 4 }];
    client.read_exact(&mut message).ok()?;
    let length = message.last_chunk().copied().map(u32::from_be_bytes)?;
    let head = message.len();
    message.resize(head + length as usize - 4, 0);
    client.read_exact(&mut message[head..]).ok()?;
    Some(message)
}

/// The texts at the start of a message.
fn texts(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message[5..].split(|byte| *byte == 0)
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}
