//! What commands ask of the licenses, behind which a store stands or a server.

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
    /// The installed license with live counters, where one is installed.
    fn info(&mut self) -> Result<Option<LicenseInfo>, Failure>;
    /// What is held now, on a server or on all of them, in the order of the tokens. Only who is
    /// `shown` it is told where that takes more than one question which server serves what.
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
    /// What a session holds.
    fn holding(&mut self, session: &SessionId) -> Result<Vec<Token>, Failure>;
    /// The first entry of the log that there is; older ones may have been deleted.
    fn first(&mut self) -> Result<Option<Entry>, Failure>;
    /// Hands over the entries that are wanted, page by page in the order of the log.
    fn history(&mut self, wanted: Selection, each: EachPage<'_>) -> Result<(), Failure>;
    /// Recomputes the chain of the log; `reached` is told now and then which entry was reached.
    fn verify(&mut self, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Failure>;
    /// The figures of each product on each day, in UTC, that lies at least partly in `time`.
    fn days(&mut self, time: Range<Timestamp>) -> Result<Vec<ProductDay>, Failure>;
    /// Who shares the store.
    fn servers(&mut self) -> Result<Vec<ServerStatus>, Failure>;
    /// Reads the whole store and recomputes what can be.
    fn check(&mut self) -> Result<StoreCheck, Failure>;
}

/// A license that is held for a program that runs.
pub(crate) trait Seat: Send {
    /// Releases it, and waits until that is done.
    fn release(self: Box<Self>) -> Result<(), Failure>;
}

/// Retains a license for a program that is to run, waiting where none is left, in any thread. What
/// happens to it later is told in a sentence.
pub(crate) type RetainSeat =
    Box<dyn FnOnce(Wanted, Duration, Tell) -> Result<Box<dyn Seat>, Failure> + Send>;

/// Tells people.
pub(crate) type Tell = Box<dyn FnMut(String) + Send>;

/// Takes one page after the other.
pub(crate) type EachPage<'a> = &'a mut dyn FnMut(HistoryPage) -> Result<(), Failure>;

/// A document to install.
pub(crate) struct Installation<'a> {
    /// The exact bytes, which are kept.
    pub document: &'a [u8],
    /// Where they were read, for messages.
    pub source: &'a str,
    /// Number of the license that it replaces under a new one.
    pub replaces: Option<&'a str>,
    /// Whether to change nothing.
    pub dry_run: bool,
}

/// A license that a session wants.
pub(crate) struct Wanted {
    pub product: ProductId,
    pub session: SessionId,
    pub reason: Reason,
    pub description: Session,
}

/// A retention and the server that serves it, which no record tells.
pub(crate) struct Held {
    pub server: Option<ServerName>,
    pub retention: Retention,
}
