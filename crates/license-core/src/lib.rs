//! Pure retention logic: decides who may retain a license, and folds the log into reports.
//!
//! A [`Ledger`] is what one customer's log adds up to. [`decide`] chooses what a [`Command`] does to
//! it, as a [`Verdict`] or a [`Refusal`]; [`Ledger::seal`] makes entries of the verdict's events;
//! [`Ledger::apply`] is the only thing that ever changes a ledger. Nothing here reads a clock, a
//! file, the environment or a random number: the same log gives the same ledger everywhere.
//!
//! ```
//! use license_core::{Command, Install, Ledger, License, Retain, SAMPLE_LICENSE, Stamp, decide};
//! use license_types::Session;
//!
//! let now: jiff::Timestamp = "2026-01-05T10:00:00Z".parse()?;
//! let stamp = Stamp::local();
//! let install = Install::new(License::parse(SAMPLE_LICENSE.as_bytes())?);
//! let ann = Session::rest("ann", "job-7", "127.0.0.1");
//! let retain = Retain::new("0009".parse()?, "job-7".parse()?, ann);
//!
//! let mut ledger = Ledger::new();
//! for command in [Command::Install(install), Command::Retain(retain)] {
//!     for event in decide(&ledger, &command, &stamp, now)?.events {
//!         let entry = ledger.seal(event, &stamp, now);
//!         ledger.apply(&entry)?;
//!     }
//! }
//! let held = ledger.usage(None).next().expect("job-7 holds a license");
//! assert_eq!(held.token.get(), 1);
//! assert_eq!(held.product_balance.get(), 14);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod chain;
mod command;
mod day;
mod decide;
mod description;
mod entry;
mod fault;
mod figure;
mod json;
mod ledger;
mod license;
mod read;
mod recount;
mod refusal;
mod report;
mod rights;
mod served;
mod session;
mod snapshot;
mod tally;
mod tokens;
mod wire;

pub use chain::Digest;
pub use command::{Command, Install, Release, Renew, Retain, Stamp, Target};
pub use decide::{Events, Outcome, Verdict, decide};
pub use description::{Description, Identity};
pub use entry::{Entry, Event, Installed, Refused, Released, Retained, Whom};
pub use fault::{Breach, Fault};
pub use figure::{Figure, Refusals};
pub use ledger::{Head, Ledger};
pub use license::{InstallError, License};
pub use refusal::Refusal;
pub use report::Held;
pub use snapshot::{Chunk, Restoration, RestoreError, Snapshot};
pub use tally::{HeldBefore, Part, Tally, Told, Whose};

/// A license document to try things with: 15 clients, unlimited REST sessions, one SQL connection.
pub const SAMPLE_LICENSE: &str = include_str!("sample-license.json");
