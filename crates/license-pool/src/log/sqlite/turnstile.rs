//! Decides which process has the next turn. SQLite's own waiting is by chance, and starves one of two
//! busy processes.
//!
//! Advisory locks on three files beside the store make a line. To get a turn, a process first locks
//! *next*, then waits for the lock *turn* itself, and only then unlocks *next* for another. So a
//! process that had a turn gets no other while somebody else is next.
//!
//! That alone is not fair: on a busy machine a process that is woken to lock *next* may come too late,
//! every time, since the one that had the last turn is running already. So those who wait also share
//! the lock *line*, and the process that had the last turn lets them go first while there are any, for
//! a short time. The operating system frees the locks of a process that dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

/// How long a process that had the last turn lets others go first. Not longer, since one that is
/// frozen in line must not hold up everybody.
const COURTESY: Duration = Duration::from_millis(50);

/// How many bytes a note has.
const NOTE: usize = 41;

/// How often to look whether they went.
const LOOK: Duration = Duration::from_micros(100);

/// The way to a turn.
pub(super) struct Turnstile {
    places: Places,
    line: Arc<Line>,
}

/// The turn itself; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Pass(Arc<File>);

/// Why there is no turn.
pub(super) enum Denied {
    /// Others kept their turns for too long.
    Busy {
        /// The process that has the turn, where it says so.
        holder: Option<u32>,
    },
    /// The files cannot be locked.
    Failed(io::Error),
}

/// The files whose locks are the places.
struct Places {
    line: File,
    next: File,
    turn: Arc<File>,
    /// What is written into the file *turn*: it tells this turnstile from every other. All notes have
    /// the same length.
    note: [u8; NOTE],
}

/// Where a thread stands in line on behalf of a caller, whose patience may end: waiting for a lock
/// cannot be cut short. It opens the files on its own, since a lock belongs to an open file, and keeps
/// its place for when the caller asks again.
struct Line {
    places: Places,
    wait: Mutex<Wait>,
    passed: Condvar,
}

#[derive(Default)]
struct Wait {
    /// Whether the thread stands in line.
    standing: bool,
    /// Whether the caller still waits; otherwise the turn is given back at once.
    wanted: bool,
    pass: Option<io::Result<Pass>>,
}

impl Turnstile {
    /// The turnstile of the store at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Turnstile> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let paths = [beside("-line"), beside("-next"), beside("-turn")];
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let opened = OPENED.fetch_add(1, Ordering::Relaxed);
        let note = format!("{:<width$}\n", format!("{} {opened}", process::id()), width = NOTE - 1);
        let note = note.as_bytes().first_chunk().ok_or(io::ErrorKind::InvalidData)?;
        let line = Line {
            places: Places::open(&paths, note)?,
            wait: Mutex::new(Wait::default()),
            passed: Condvar::new(),
        };
        Ok(Turnstile { places: Places::open(&paths, note)?, line: Arc::new(line) })
    }

    /// Waits for a turn, but no longer than `patience`.
    pub(super) fn enter(&self, patience: Duration) -> Result<Pass, Denied> {
        let others_first = self.places.others_first().map_err(Denied::Failed)?;
        if !others_first && let Some(pass) = self.places.try_pass().map_err(Denied::Failed)? {
            return Ok(pass);
        }
        match Line::wait(&self.line, patience).map_err(Denied::Failed)? {
            Some(pass) => Ok(pass),
            None => Err(Denied::Busy { holder: self.places.holder() }),
        }
    }
}

impl Line {
    fn wait(line: &Arc<Line>, patience: Duration) -> io::Result<Option<Pass>> {
        let mut wait = line.lock();
        if !wait.standing {
            let standing = Arc::clone(line);
            let stand = move || standing.stand();
            thread::Builder::new().name("license-turn".to_owned()).spawn(stand)?;
            wait.standing = true;
        }
        wait.wanted = true;
        let (mut wait, _) = line
            .passed
            .wait_timeout_while(wait, patience, |wait| wait.pass.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        wait.wanted = false;
        wait.pass.take().transpose()
    }

    fn stand(&self) {
        let pass = self.places.let_others_go().and_then(|()| self.places.pass());
        let mut wait = self.lock();
        wait.standing = false;
        if wait.wanted {
            wait.pass = Some(pass);
            self.passed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn open([line, next, turn]: &[PathBuf; 3], note: &[u8; NOTE]) -> io::Result<Places> {
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)
        };
        let turn = Arc::new(open(turn)?);
        Ok(Places { line: open(line)?, next: open(next)?, turn, note: *note })
    }

    /// Whether somebody else waits, and this had the last turn.
    fn others_first(&self) -> io::Result<bool> {
        if locked(self.line.try_lock())? {
            self.line.unlock()?;
            return Ok(false);
        }
        Ok(self.last().is_some_and(|last| last == self.note))
    }

    /// Lets those who wait go first, if this had the last turn.
    fn let_others_go(&self) -> io::Result<()> {
        let since = Instant::now();
        while self.others_first()? && since.elapsed() < COURTESY {
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// A turn that nobody else has or waits for.
    fn try_pass(&self) -> io::Result<Option<Pass>> {
        if !locked(self.next.try_lock())? {
            return Ok(None);
        }
        let free = locked(self.turn.try_lock());
        self.next.unlock()?;
        if free? { self.taken().map(Some) } else { Ok(None) }
    }

    /// A turn, once those who came before had theirs.
    fn pass(&self) -> io::Result<Pass> {
        self.line.lock_shared()?;
        let pass = self.wait_for_pass();
        self.line.unlock()?;
        pass
    }

    fn wait_for_pass(&self) -> io::Result<Pass> {
        self.next.lock()?;
        let turn = self.turn.lock();
        self.next.unlock()?;
        turn?;
        self.taken()
    }

    /// Leaves a note of who has the turn. A process that is alone finds its own, and writes nothing.
    fn taken(&self) -> io::Result<Pass> {
        let pass = Pass(self.turn.clone());
        if self.last() != Some(self.note) {
            let mut file = &*self.turn;
            file.rewind()?;
            file.write_all(&self.note)?;
        }
        Ok(pass)
    }

    /// The note of the turnstile that has the turn, or had the last one.
    fn last(&self) -> Option<[u8; NOTE]> {
        let mut note = [0; NOTE];
        let mut file = &*self.turn;
        file.rewind().ok()?;
        file.read_exact(&mut note).ok()?;
        Some(note)
    }

    /// The process that has the turn, by its note.
    fn holder(&self) -> Option<u32> {
        std::str::from_utf8(&self.last()?).ok()?.split(' ').next()?.parse().ok()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Only a file that is gone cannot be unlocked, and then the lock is gone too.
        let _ = self.0.unlock();
    }
}

fn locked(outcome: Result<(), TryLockError>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn whoever_had_a_turn_gets_no_other_while_somebody_is_next() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Turnstile::of(&folder.path().join("store")).unwrap());
        for _ in 0..50 {
            let turns = Mutex::new(Vec::new());
            let pass = one.enter(LONG).ok().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let _pass = other.line.places.pass().unwrap();
                    turns.lock().unwrap().push("other");
                });
                // Until the other has the place of the next.
                while locked(one.places.next.try_lock()).unwrap() {
                    one.places.next.unlock().unwrap();
                    thread::yield_now();
                }
                drop(pass);
                let _pass = one.enter(LONG).ok().unwrap();
                turns.lock().unwrap().push("one");
            });
            assert_eq!(*turns.lock().unwrap(), ["other", "one"]);
        }
    }

    #[test]
    fn whoever_had_the_last_turn_lets_those_go_first_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Turnstile::of(&folder.path().join("store")).unwrap());
        drop(one.enter(LONG).ok().unwrap());
        // The other waits, but was not woken yet to become the next.
        other.line.places.line.lock_shared().unwrap();
        assert!(one.places.others_first().unwrap());
        assert!(!other.places.others_first().unwrap(), "it did not have the last turn");
        thread::scope(|scope| {
            let late = scope.spawn(|| {
                let _pass = other.line.places.wait_for_pass().unwrap();
                other.line.places.line.unlock().unwrap();
            });
            drop(one.enter(LONG).ok().unwrap());
            late.join().unwrap();
        });
        // The other had its turn, so the first may have the next one, and must not take a third.
        assert!(!one.places.others_first().unwrap());
        // One that is frozen in line holds up nobody for ever.
        drop(one.enter(LONG).ok().unwrap());
        other.line.places.line.lock_shared().unwrap();
        let since = Instant::now();
        drop(one.enter(LONG).ok().unwrap());
        assert!(since.elapsed() >= COURTESY);
    }

    #[test]
    fn waiting_ends_and_names_who_has_the_turn() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Turnstile::of(&folder.path().join("store")).unwrap());
        let pass = one.enter(LONG).ok().unwrap();
        let Err(Denied::Busy { holder }) = other.enter(Duration::ZERO) else { panic!("denied") };
        assert_eq!(holder, Some(process::id()));
        drop(pass);
        // Who gave up keeps the place in line, but takes no turn that nobody waits for.
        drop(other.enter(LONG).ok().unwrap());
        drop(one.enter(LONG).ok().unwrap());
    }

    #[test]
    fn asking_again_and_again_takes_one_place_in_line() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Turnstile::of(&folder.path().join("store")).unwrap());
        let pass = one.enter(LONG).ok().unwrap();
        for _ in 0..100 {
            assert!(other.enter(Duration::ZERO).is_err());
        }
        // The turnstile, and one thread.
        assert_eq!(Arc::strong_count(&other.line), 2);
        drop(pass);
        drop(other.enter(LONG).ok().unwrap());
    }
}
