//! A store of an older format that cannot be raised to this one. It is read from a copy in memory,
//! which is raised. If the reason is that a server of an older version lives, that one goes on writing
//! to the file, and a new copy is made whenever it has.

use std::fmt;
use std::time::Duration;

use license_types::ServerName;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Result};

use super::{format, read};

/// The file of a store that a server of an older version writes to.
pub(super) struct Older {
    file: Connection,
    /// What the file's version was before it was copied last.
    version: u64,
    server: ServerName,
}

impl Older {
    /// The file, which must stay in its format for `server`, and a copy of it.
    pub(super) fn copied(file: Connection, server: ServerName) -> Result<(Older, Connection)> {
        // It is left as it is.
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        file.pragma_update(None, "query_only", true)?;
        let mut older = Older { version: read::version(&file)?, file, server };
        let copy = older.copy()?;
        Ok((older, copy))
    }

    /// What changes when somebody writes to the file.
    pub(super) fn version(&self) -> Result<u64> {
        read::version(&self.file)
    }

    /// A new copy, if somebody wrote to the file since the last one.
    pub(super) fn newer_copy(&mut self) -> Result<Option<Connection>> {
        if self.version()? == self.version { Ok(None) } else { self.copy().map(Some) }
    }

    fn copy(&mut self) -> Result<Connection> {
        // Read before copying: what is written in between is copied again the next time.
        self.version = self.version()?;
        let copy = raised_copy(&self.file)?;
        copy.pragma_update(None, "query_only", true)?;
        Ok(copy)
    }
}

/// Why this version cannot write to it, and what to do.
impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        write!(
            f,
            "server `{server}` of an older version uses it, which could not read what this version \
             writes: end that, or update it; until then the store can only be read"
        )
    }
}

/// A copy in memory in the format of this version.
pub(super) fn raised_copy(from: &Connection) -> Result<Connection> {
    let mut copy = Connection::open_in_memory()?;
    // In one step, which nobody who writes can interrupt.
    Backup::new(from, &mut copy)?.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    format::raise(&copy, |_| false)?;
    Ok(copy)
}
