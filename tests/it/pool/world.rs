//! What the tests of this theme share: a store in a folder of its own, and short ways to ask.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use license_core::Digest;
use license_pool::log::{LogError, MemoryLog};
use license_pool::{Error, ManualClock, Options, Pool, Refusal, SAMPLE_LICENSE, Seat, Session};
use license_tests::around::Around;
use tempfile::TempDir;

/// A store that goes with the test.
pub(crate) struct Store {
    folder: TempDir,
}

impl Store {
    pub(crate) fn new() -> Store {
        Store { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("license.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    pub(crate) fn open(&self) -> Pool {
        options().open(&self.url()).unwrap()
    }

    /// The names in the store's folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap);
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What the store is: a digest of its file, and of the log beside it where that says anything.
    /// Only for a store that nobody has open, since reading a file drops this process's locks on it.
    pub(crate) fn content(&self) -> Vec<Digest> {
        let files = ["license.db", "license.db-wal"].map(|name| self.folder.path().join(name));
        let read = files.into_iter().filter_map(|path| fs::read(path).ok());
        read.filter(|bytes| !bytes.is_empty()).map(|bytes| Digest::of(&bytes)).collect()
    }
}

/// Options with a clock that stands still.
pub(crate) fn options() -> Options {
    Pool::options().clock(clock())
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-05T10:00:00Z".parse().unwrap()))
}

/// A pool in memory with the sample license: 15 clients (0009), one SQL connection (0025), REST
/// (0007) without limit.
pub(crate) fn sample() -> Pool {
    let pool = options().open("memory:").unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    pool
}

/// A license with one product, 0009.
pub(crate) fn license(number: &str, count: u64) -> String {
    format!(
        r#"{{"name": "Test", "key": 1, "licenseNumber": "{number}", "version": "20",
        "userName": "", "userMail": "", "companyName": "", "platforms": [],
        "products": [{{"id": 808464441, "name": "4D Client", "usedCount": 0, "allowedCount": {count},
        "rights": [{{"count": {count}}}]}}]}}"#
    )
}

pub(crate) fn retain(pool: &Pool, product: &str, session: &str) -> Result<Seat, Error> {
    pool.retain(product, session, Session::rest("ann", session, "127.0.0.1"))
}

/// The sessions that hold something, in the order of their tokens.
pub(crate) fn holders(pool: &Pool) -> Vec<String> {
    let usage = pool.usage(None).unwrap();
    usage
        .into_iter()
        .map(|record| match record.session {
            Session::Rest(session) => session.session_id,
            Session::Client(_) | Session::Sql(_) => {
                unreachable!("these tests describe REST sessions")
            }
        })
        .collect()
}

/// The JSON of usage and info, to compare to the byte.
pub(crate) fn reports(pool: &Pool) -> (String, String) {
    let usage = serde_json::to_string(&pool.usage(None).unwrap()).unwrap();
    (usage, serde_json::to_string(&pool.info().unwrap()).unwrap())
}

pub(crate) fn is_refused(outcome: Result<Seat, Error>) -> bool {
    matches!(outcome, Err(Error::Refused(Refusal::NoLicenseLeft { .. })))
}

/// A log of which old entries are deleted when it is read for the so many-th time from now.
pub(crate) struct Shortened {
    pub(crate) log: MemoryLog,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) reads: u32,
}

impl Around for Shortened {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        self.reads = self.reads.wrapping_sub(u32::from(action == "page"));
        if self.reads == 0 {
            let options = Pool::options().clock(self.clock.clone()).history(Duration::ZERO);
            options.open_log(self.log.clone()).unwrap().archive().unwrap();
        }
        Ok(())
    }
}
