//! Opens the file: private to its owner, in our format, and durable, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Result, Transaction, TransactionBehavior};

use super::place::Place;
use super::turnstile::Turnstile;
use super::{SqliteLog, file_system};
use crate::log::{Cause, OpenError};

/// The format of the stores that this version writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 1;

/// Marks a SQLite file as ours: "LicR".
const APPLICATION_ID: u32 = 0x4C69_6352;

const SCHEMA: &str = include_str!("schema.sql");

pub(super) fn open(path: &Path, create: bool, patience: Duration) -> Result<SqliteLog, OpenError> {
    open_where(path, create, patience, file_system::unfit)
}

/// Opens a store unless `unfit` names the file system on which it lies.
fn open_where(
    path: &Path,
    create: bool,
    patience: Duration,
    unfit: impl FnOnce(&Path) -> io::Result<Option<String>>,
) -> Result<SqliteLog, OpenError> {
    // Older ones can lose a commit when two connections write and checkpoint at once.
    assert!(rusqlite::version_number() >= 3_051_003, "SQLite {} is too old", rusqlite::version());

    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let nearest = if path.exists() { Some(&*path) } else { path.parent() };
    let unfit = nearest.filter(|nearest| nearest.exists()).map(unfit).transpose();
    if let Some(file_system) = unfit.map_err(|error| unavailable(&path, error))?.flatten() {
        return Err(OpenError::FileSystem { store: named(&path), file_system });
    }
    // Closing a file drops every POSIX lock that this process has on it, SQLite's too: nobody may
    // open the store in this process between the creation of its file and the end of that.
    static OPENING: Mutex<()> = Mutex::new(());
    let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if create {
        create_private(&path).map_err(|error| unavailable(&path, error))?;
    } else if !path.try_exists().map_err(|error| unavailable(&path, error))? {
        return Err(OpenError::Missing { store: named(&path) });
    }
    let place = Place::of(&path).map_err(|error| unavailable(&path, error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(&path, flags).map_err(|error| unavailable(&path, error))?;
    drop(opening);
    match prepare(&connection, create, patience) {
        Ok(Prepared::Ours) => {
            let turnstile = Turnstile::of(&path).map_err(|error| unavailable(&path, error))?;
            Ok(SqliteLog { connection, place, turnstile, patience, server: None })
        }
        Ok(Prepared::Foreign) => Err(OpenError::Foreign { store: named(&path) }),
        Ok(Prepared::Newer(format)) => {
            Err(OpenError::Newer { store: named(&path), format, known: FORMAT })
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign { store: named(&path) })
        }
        Err(error) => Err(unavailable(&path, error)),
    }
}

/// Makes sure that there is a file, and that one without content is private before it gets any.
/// SQLite gives the files it puts beside this one the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            if fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0) {
                let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(path, private)?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

enum Prepared {
    Ours,
    Foreign,
    Newer(u64),
}

/// Until the file is known to be ours nothing is written to it, not even what the last writer of a
/// foreign one left in its write-ahead log.
fn prepare(connection: &Connection, create: bool, patience: Duration) -> Result<Prepared> {
    connection.busy_timeout(patience)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if create && is_empty(connection)? {
        initialise(connection)?;
    }
    if application_id(connection)? != APPLICATION_ID {
        return Ok(Prepared::Foreign);
    }
    let format = format(connection)?;
    if format > FORMAT {
        return Ok(Prepared::Newer(format));
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| {
        let mode: String = row.get(0)?;
        // A file system without shared memory keeps another mode, in which readers block a turn.
        if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
    })?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A damaged page is an error when it is read, and never an empty one.
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(Prepared::Ours)
}

/// The version of the format that the store is written in.
pub(super) fn format(connection: &Connection) -> Result<u64> {
    connection.query_row("SELECT format FROM store", [], |row| row.get(0))
}

fn application_id(connection: &Connection) -> Result<u32> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(0 == connection.pragma_query_value(None, "page_count", |row| row.get::<_, u64>(0))?)
}

/// Writes the schema, unless another process was faster.
fn initialise(connection: &Connection) -> Result<()> {
    let turn = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    if application_id(&turn)? != APPLICATION_ID {
        turn.pragma_update(None, "application_id", APPLICATION_ID)?;
        turn.execute_batch(SCHEMA)?;
    }
    turn.commit()
}

fn unavailable(path: &Path, error: impl Into<Cause>) -> OpenError {
    OpenError::Unavailable { store: named(path), source: error.into() }
}

fn named(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_processes_do_not_see_each_others_locks_no_store_is_opened_or_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("license.db");
        let open = |create, file_system: Option<&str>| {
            let unfit = |_: &Path| Ok(file_system.map(str::to_owned));
            open_where(&path, create, Duration::ZERO, unfit)
        };
        let error = open(true, Some("NFS")).unwrap_err();
        assert!(
            matches!(&error, OpenError::FileSystem { file_system, .. } if file_system == "NFS")
        );
        assert!(error.to_string().contains("`license serve`"), "{error}");
        assert!(!path.exists());
        drop(open(true, None).unwrap());
        assert!(matches!(open(false, Some("9p")), Err(OpenError::FileSystem { .. })));
        drop(open(false, None).unwrap());
    }
}
