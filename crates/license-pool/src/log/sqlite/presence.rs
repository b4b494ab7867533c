//! Which servers live. Each locks a file of its own beside the store for as long as it lives, and the
//! operating system frees the lock when it dies. Only whoever has the turn makes or removes these
//! files. Anybody may look whether one is locked, by taking a shared lock for a moment.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use license_core::Digest;
use license_types::ServerName;

/// How many times, and with what pauses, to try a lock that somebody may hold only to look.
const TRIES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(1);

/// The folder of these files.
#[derive(Clone)]
pub(super) struct Presences {
    folder: PathBuf,
}

/// The lock of one server, held until this is dropped.
#[derive(Debug)]
pub(super) struct Presence {
    file: File,
    path: PathBuf,
}

/// Why a name was not taken.
pub(super) enum Denied {
    /// A process that lives has it.
    Taken {
        /// That process, where it says so.
        holder: Option<u32>,
    },
    /// There can be no file.
    Failed(io::Error),
}

impl Presences {
    /// Those of the store at `path`.
    pub(super) fn of(path: &Path) -> Presences {
        let mut folder = path.as_os_str().to_owned();
        folder.push("-servers");
        Presences { folder: folder.into() }
    }

    /// Takes a name for as long as this process lives.
    pub(super) fn take(&self, name: &ServerName) -> Result<Presence, Denied> {
        self.sweep().map_err(Denied::Failed)?;
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(Denied::Failed)?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Denied::Taken { holder: holder(&file) }),
            Err(TryLockError::Error(error)) => return Err(Denied::Failed(error)),
        }
        // The process id is for whoever is refused the name; the name is for people who look here.
        writeln!(file, "{} {name}", std::process::id()).map_err(Denied::Failed)?;
        Ok(Presence { file, path })
    }

    /// Whether the process that took a name lives.
    pub(super) fn is_alive(&self, name: &ServerName) -> io::Result<bool> {
        match File::open(self.path(name)) {
            Ok(file) => is_locked(&file),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the folder, and removes what the dead left there.
    fn sweep(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)?;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // Whatever else lies there is not ours.
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_none_or(|name| name.parse::<Digest>().is_err()) {
                continue;
            }
            if !is_locked(&File::open(&path)?)? {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Named by a digest: a server's name may contain what a file name cannot, and two names may
    /// differ by case alone.
    fn path(&self, name: &ServerName) -> PathBuf {
        self.folder.join(Digest::of(name.as_str().as_bytes()).to_string())
    }
}

impl Presence {
    /// Gives the name back, and leaves nothing behind.
    pub(super) fn end(self) {
        // What is left is removed by whoever takes a name next.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just being started has it open too.
        let _ = self.file.unlock();
    }
}

/// Takes a lock, unless a live process holds it.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if !is_locked(file).map_err(TryLockError::Error)? => {
                thread::sleep(PAUSE);
            }
            locked => return locked,
        }
    }
    Err(TryLockError::WouldBlock)
}

/// Whether a live process holds the lock, and not only to look.
fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn holder(mut file: &File) -> Option<u32> {
    let mut note = String::new();
    file.read_to_string(&mut note).ok()?;
    note.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child has the files of its process until it is another program.
    #[test]
    fn a_name_that_was_given_back_is_free_though_a_child_has_its_file_still() {
        let folder = tempfile::tempdir().unwrap();
        let presences = Presences::of(&folder.path().join("license.db"));
        let name = ServerName::new("east").unwrap();
        let east = presences.take(&name).ok().unwrap();
        let _childs = east.file.try_clone().unwrap();
        assert!(matches!(presences.take(&name), Err(Denied::Taken { .. })));
        drop(east);
        assert!(!presences.is_alive(&name).unwrap());
        presences.take(&name).ok().unwrap();
    }

    #[test]
    fn what_others_put_beside_the_locks_stays_and_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let presences = Presences::of(&folder.path().join("license.db"));
        let name = ServerName::new("east").unwrap();
        let dead = presences.take(&name).ok().unwrap().path.clone();
        fs::create_dir(presences.folder.join("lost+found")).unwrap();
        fs::write(presences.folder.join("notes"), "").unwrap();
        presences.take(&ServerName::new("west").unwrap()).ok().unwrap();
        assert!(presences.folder.join("lost+found").exists());
        assert!(presences.folder.join("notes").exists());
        assert!(!dead.exists());
    }
}
