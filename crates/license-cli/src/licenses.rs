//! What commands ask for. A store and a server answer it alike ([`Licenses`]), so that no command needs
//! to know which of the two it acts on.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use license_pool::{ChainCheck, HistoryPage, Selection, Target};
use license_types::{
    Availability, Entry, InstallReceipt, LicenseInfo, ProductDay, ProductId, Reason,
    ReleaseReceipt, RenewReceipt, RetainReceipt, Retention, ServerName, ServerStatus, Session,
    SessionId, SessionState, StoreCheck, Token,
};

use crate::failure::Failure;

/// The licenses of one store, or of the one license that was named.
pub(crate) trait Licenses {
    /// Installs a document, or shows what installing it would change.
    fn install(&mut self, install: &Installation<'_>) -> Result<InstallReceipt, Failure>;
    /// The installed license with live counters; none if nothing is installed.
    fn info(&mut self) -> Result<Option<LicenseInfo>, Failure>;
    /// What is held now, on one server or on all of them, in the order of the tokens. Which server
    /// serves what may take a request for each, so it may be left out unless it is to be `shown`.
    fn usage(&mut self, server: Option<&ServerName>, shown: bool) -> Result<Vec<Held>, Failure>;
    /// Whether a license of the product can be retained.
    fn availability(&mut self, product: ProductId) -> Result<Availability, Failure>;
    /// Retains a license.
    fn retain(&mut self, wanted: Wanted) -> Result<RetainReceipt, Failure>;
    /// Renews all that the session holds.
    fn renew(
        &mut self,
        session: &SessionId,
        state: Option<SessionState>,
    ) -> Result<RenewReceipt, Failure>;
    /// Releases what is held.
    fn release(&mut self, target: Target) -> Result<ReleaseReceipt, Failure>;
    /// The tokens of what a session holds.
    fn holding(&mut self, session: &SessionId) -> Result<Vec<Token>, Failure>;
    /// The oldest entry of the log that is still there; none if it is empty.
    fn first(&mut self) -> Result<Option<Entry>, Failure>;
    /// Hands over the entries that are wanted, page by page in the order of the log.
    fn history(&mut self, wanted: Selection, each: EachPage<'_>) -> Result<(), Failure>;
    /// Recomputes the chain of the log; calls `reached` now and then with the sequence it is at.
    fn verify(&mut self, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Failure>;
    /// The figures of each product on each day (UTC) that lies at least partly in `time`.
    fn days(&mut self, time: Range<Timestamp>) -> Result<Vec<ProductDay>, Failure>;
    /// The store that took the place of this one, if this one is sealed; only on a store.
    fn successor(&mut self) -> Result<Option<String>, Failure>;
    /// Who shares the store.
    fn servers(&mut self) -> Result<Vec<ServerStatus>, Failure>;
    /// Reads the whole store and recomputes everything that can be; only on a store.
    fn check(&mut self) -> Result<StoreCheck, Failure>;
}

/// A license that is held for a program that runs.
pub(crate) trait Seat: Send {
    /// Releases it, and waits until that is done.
    fn release(self: Box<Self>) -> Result<(), Failure>;
}

/// Retains a license for a program that is to run, and waits in line if none is left. It may run on any
/// thread. Sentences for people about the license go to [`Tell`], as long as the seat lives.
pub(crate) type RetainSeat =
    Box<dyn FnOnce(Wanted, Duration, Tell) -> Result<Box<dyn Seat>, Failure> + Send>;

/// Takes a sentence for people.
pub(crate) type Tell = Box<dyn FnMut(String) + Send>;

/// Takes one page after the other.
pub(crate) type EachPage<'a> = &'a mut dyn FnMut(HistoryPage) -> Result<(), Failure>;

/// A document to install.
pub(crate) struct Installation<'a> {
    /// The exact bytes, which the log keeps.
    pub document: &'a [u8],
    /// The name of their file, for messages.
    pub source: &'a str,
    /// The number of the installed license that it replaces under a new number.
    pub replaces: Option<&'a str>,
    /// Whether only to say what would change.
    pub dry_run: bool,
}

/// A license that a session wants.
pub(crate) struct Wanted {
    pub product: ProductId,
    pub session: SessionId,
    pub reason: Reason,
    pub description: Session,
}

/// A retention, and the server that serves it if that is known; the record does not say it.
pub(crate) struct Held {
    pub server: Option<ServerName>,
    pub retention: Retention,
}
