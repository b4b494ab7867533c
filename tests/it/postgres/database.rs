//! A database as the tests of logs and pools use it.

use license_pool::log::{PostgresLog, PostgresUrl};
use license_pool::{Options, Pool, StoreUrl};

use super::server::Database;
use crate::pool::world::options;

impl Database {
    /// A pool with a clock that stands still.
    pub(crate) fn open(&self) -> Pool {
        self.open_as(options())
    }

    pub(crate) fn open_as(&self, options: Options) -> Pool {
        options.open(&self.address()).unwrap()
    }

    pub(crate) fn log(&self) -> PostgresLog {
        PostgresLog::open(&url(&self.address()), None, true).unwrap()
    }
}

pub(crate) fn url(address: &str) -> PostgresUrl {
    match address.parse().unwrap() {
        StoreUrl::Postgres(url) => url,
        other => panic!("{other:?}"),
    }
}
