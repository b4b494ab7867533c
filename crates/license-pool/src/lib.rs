//! Retains and releases licenses durably: the runtime around the ledger, with its log backends.
//!
//! A [`Pool`] takes commands from any number of threads and tasks, decides them by the pure ledger of
//! `license-core` and answers once the [`Log`] made them durable. Everything that waits shares one
//! commit. Nothing here speaks HTTP, validates foreign JSON or needs an async runtime.
//!
//! ```
//! use license_pool::{Error, Pool, Refusal, SAMPLE_LICENSE, Session};
//!
//! # let directory = tempfile::tempdir()?;
//! # let url = format!("sqlite:{}", directory.path().join("license.db").display());
//! # let url = url.as_str(); /*
//! let url = "sqlite:license.db";
//! # */
//! let pool = Pool::open(url)?;
//! pool.install(SAMPLE_LICENSE.as_bytes())?;
//!
//! let ann = Session::rest("ann", "job-7", "127.0.0.1");
//! let seat = pool.retain("0025", "job-7", ann)?; // the only SQL connection of the sample
//! assert_eq!(seat.record().product_balance.get(), 0);
//!
//! let eve = Session::rest("eve", "job-8", "127.0.0.1");
//! let refused = pool.retain("0025", "job-8", eve.clone()).unwrap_err();
//! assert!(matches!(refused, Error::Refused(Refusal::NoLicenseLeft { .. })));
//!
//! drop(seat); // releases
//! pool.retain("0025", "job-8", eve)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarms;
mod archivist;
mod chain;
mod clock;
mod commits;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod copy;
mod credential;
mod driver;
mod error;
pub mod guide;
mod leases;
mod ledgers;
pub mod log;
mod pool;
mod recover;
mod request;
mod share;
mod tail;
mod turn;
mod url;
mod verify;
mod writer;

pub use alarms::Alarms;
pub use chain::ChainCheck;
pub use clock::{Clock, ManualClock, SystemClock};
pub use commits::{Commits, Histogram};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use copy::{CopyError, CopyOptions, copy};
pub use credential::{KeptCredential, Secret};
pub use driver::Driver;
pub use error::{Error, explained};
pub use license_core::{
    Head, Held, InstallError, License, Refusal, Release, Retain, SAMPLE_LICENSE, Target,
};
pub use license_types::*;
pub use log::{Log, LogError, OpenError, Selection, TurnError};
pub use pool::clients::Granted;
pub use pool::history::{History, HistoryPage};
pub use pool::options::{LOCAL, Options};
pub use pool::pending::Pending;
pub use pool::seat::Seat;
pub use pool::{InstallOptions, Pool};
pub use tail::Line;
pub use turn::store_clock::ClockState;
pub use url::{InvalidStoreUrl, StoreUrl};
pub use verify::{AcceptUnsigned, Verified, Verifier, VerifyError};
