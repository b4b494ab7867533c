//! Opens the file: private to its owner, in our format, and durable, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use license_types::ServerName;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Result};

use super::carrier::Carrier;
use super::file_system::{self, Ground};
use super::older::{self, Older};
use super::place::Place;
use super::presence::Presences;
use super::trouble::told;
use super::turnstile::{Pass, Turnstile};
use super::{SqliteLog, format};
use crate::log::{Cause, OpenError};

pub(super) fn open(path: &Path, create: bool, patience: Duration) -> Result<SqliteLog, OpenError> {
    open_on(path, create, patience, file_system::ground)
}

/// Opens a store on the file system that `ground` shows.
fn open_on(
    path: &Path,
    create: bool,
    patience: Duration,
    ground: impl FnOnce(&Path) -> io::Result<Ground>,
) -> Result<SqliteLog, OpenError> {
    // Older ones can lose a commit when two connections write and checkpoint at once.
    assert!(rusqlite::version_number() >= 3_051_003, "SQLite {} is too old", rusqlite::version());

    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: io::Error| unavailable(&path, error);
    let ground = fit(&path, ground)?;
    let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if create && !ground.read_only {
        create_private(&path).map_err(failed)?;
    } else if !path.try_exists().map_err(failed)? {
        return Err(OpenError::Missing { store: named(&path) });
    }
    let place = Place::of(&path).map_err(failed)?;
    let connection = if ground.read_only { sealed(&path) } else { connect(&path) };
    let connection = connection.map_err(|error| unavailable(&path, error))?;
    drop(opening);
    // Processes that open the file by different paths must still meet at the same lock files.
    let file = path.canonicalize().map_err(failed)?;
    let presences = Presences::of(&file);
    match prepare(connection, create, patience, &presences) {
        Ok(Prepared::Ours(mut connection, older)) => {
            let carrier = Carrier::new(place.clone());
            carrier.share(&mut connection).map_err(|error| unavailable(&path, told(error)))?;
            let turnstile = match &older {
                Some(older) => Err(older.to_string()),
                None if ground.read_only => Err("it lies where nothing can be written".to_owned()),
                None => Ok(Turnstile::of(&file).map_err(failed)?),
            };
            Ok(SqliteLog {
                lined_up: None,
                version: 0,
                carrier,
                connection,
                older,
                place,
                turnstile,
                presences,
                patience,
                server: None,
                presence: None,
            })
        }
        Ok(Prepared::Unfinished) => Err(OpenError::Unfinished { store: named(&path) }),
        Ok(Prepared::Foreign) => Err(OpenError::Foreign { store: named(&path) }),
        Ok(Prepared::Newer(format)) => {
            Err(OpenError::Newer { store: named(&path), format, known: format::FORMAT })
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign { store: named(&path) })
        }
        Err(error) => Err(unavailable(&path, told(error))),
    }
}

/// Closing a file drops every POSIX lock that this process has on it, SQLite's too. So nobody else in
/// this process may open the store while its file is being created and closed.
static OPENING: Mutex<()> = Mutex::new(());

/// Begins a copy at `path`, where nothing may be but what an earlier copy left unfinished; nobody
/// else copies there until the pass is dropped.
pub(super) fn begin_copy(path: &Path) -> Result<(Connection, Pass), OpenError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: io::Error| unavailable(&path, error);
    fit(&path, file_system::ground)?;
    let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    create_private(&path).map_err(failed)?;
    let connection = connect(&path).map_err(|error| unavailable(&path, error))?;
    drop(opening);
    let turnstile = Turnstile::of(&path.canonicalize().map_err(failed)?).map_err(failed)?;
    let pass = turnstile.enter(Duration::ZERO).map_err(|_| {
        unavailable(&path, "another process has its turn there: it copies to the same place")
    })?;
    match prepare_copy(&connection) {
        Ok(Some(())) => Ok((connection, pass)),
        Ok(None) => Err(OpenError::Occupied { store: named(&path) }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(OpenError::Occupied { store: named(&path) })
        }
        Err(error) => Err(unavailable(&path, told(error))),
    }
}

/// None where something else is there.
fn prepare_copy(connection: &Connection) -> Result<Option<()>> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if format::is_empty(connection)? {
        format::initialise_copy(connection)?;
    }
    if !format::is_unfinished(connection)? {
        return Ok(None);
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What the source deletes or erases meanwhile is not to be read from the copy's file either.
    connection.pragma_update(None, "secure_delete", true)?;
    // Tables come in no particular order.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(Some(()))
}

/// The file system of a store, unless processes cannot share a file there.
fn fit(path: &Path, ground: impl FnOnce(&Path) -> io::Result<Ground>) -> Result<Ground, OpenError> {
    let nearest = if path.exists() { Some(path) } else { path.parent() };
    let ground = match nearest.filter(|nearest| nearest.exists()) {
        Some(nearest) => ground(nearest).map_err(|error| unavailable(path, error))?,
        None => Ground::default(),
    };
    match ground.unfit {
        Some(file_system) => Err(OpenError::FileSystem { store: named(path), file_system }),
        None => Ok(ground),
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, Cause> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(told)
}

/// Opens a store that nobody can write to, as on a medium that can only be read: SQLite then puts no
/// files beside it and locks nothing.
fn sealed(path: &Path) -> Result<Connection, Cause> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let source = "its last entries are still in the file beside it that ends in -wal, which \
            cannot be read where nothing can be written: copy both to a disk";
        return Err(source.into());
    }
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(uri + "?immutable=1", flags)?)
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

#[expect(clippy::large_enum_variant, reason = "there is one for each store that is opened")]
enum Prepared {
    /// With the file itself, where the connection leads to a copy of an older one.
    Ours(Connection, Option<Older>),
    Unfinished,
    Foreign,
    Newer(u64),
}

/// Until the file is known to be ours nothing is written to it, not even what the last writer of a
/// foreign one left in its write-ahead log.
fn prepare(
    mut connection: Connection,
    create: bool,
    patience: Duration,
    presences: &Presences,
) -> Result<Prepared> {
    connection.busy_timeout(patience)?;
    // Without this SQLite re-prepares nearly every statement for the values bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let read_only = connection.is_readonly(MAIN_DB)?;
    if create && !read_only && format::is_empty(&connection)? {
        format::initialise(&connection)?;
    }
    if format::is_unfinished(&connection)? {
        return Ok(Prepared::Unfinished);
    }
    if !format::is_ours(&connection)? {
        return Ok(Prepared::Foreign);
    }
    let format = format::of(&connection)?;
    if format > format::FORMAT {
        return Ok(Prepared::Newer(format));
    }
    if read_only {
        if format < format::FORMAT {
            connection = older::raised_copy(&connection)?;
        }
        connection.pragma_update(None, "query_only", true)?;
        return Ok(Prepared::Ours(connection, None));
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
    // A server whose lock cannot be looked at is taken to live.
    let is_alive = |server: &ServerName| presences.is_alive(server).unwrap_or(true);
    Ok(match format::raise(&connection, is_alive)? {
        Some(server) => {
            let (older, copy) = Older::copied(connection, server)?;
            Prepared::Ours(copy, Some(older))
        }
        None => Prepared::Ours(connection, None),
    })
}

fn unavailable(path: &Path, error: impl Into<Cause>) -> OpenError {
    OpenError::Unavailable { store: named(path), source: error.into() }
}

fn named(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
