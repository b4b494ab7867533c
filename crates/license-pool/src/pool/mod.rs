//! The pool: what an embedder holds, and everything it can be asked.

use std::fmt;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use license_core::{Command, Install, Ledger, License, Refusal, Release, Retain, Target};
use license_types::{
    InstallReceipt, IntoProductId, Principal, ProductId, ReleaseReceipt, ServerName, Session,
    SessionId, UninstallReceipt,
};

use crate::log::{Log, LogError, OpenError, Which};
use crate::request::{
    Done, Granted, Installation, Read, Received, Reply, Request, Uninstallation, Write,
};
use crate::writer::Writer;
use crate::{Error, KeptCredential, Options, Pending, Seat};

mod check;
pub(crate) mod clients;
pub(crate) mod history;
pub(crate) mod options;
pub(crate) mod pending;
mod reports;
pub(crate) mod seat;
mod servers;
mod shared;

use shared::Shared;

/// How many bytes the description of a session may have.
const DESCRIPTION_MAX: usize = 64 << 10;

/// Retains and releases licenses of one store. Cheap to clone; every clone is the same pool.
///
/// Everything that is asked at the same time, from any thread or task, becomes durable in one
/// commit, and is answered after it. Each request has a blocking form and one that returns a
/// [`Pending`], which is a future.
///
/// A pool speaks of the only license that is installed, unless [`license`](Self::license) names one.
///
/// When the last handle, seat and pending answer of a pool are dropped, the drop waits until what
/// was asked before is done, releases of dropped seats included, so a program may end right after
/// it. Where an answer was ever awaited as a future the drop does not wait, so that it never blocks
/// a runtime: await [`close`](Self::close) before the program ends.
///
/// ```
/// use license_pool::{Pool, SAMPLE_LICENSE, Session};
///
/// let pool = Pool::open("memory:")?;
/// pool.install(SAMPLE_LICENSE.as_bytes())?;
/// let seat = pool.retain("0009", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
/// assert_eq!(seat.token().get(), 1);
/// assert_eq!(pool.availability("0009")?.product_balance.get(), 14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    /// Whether reports need an installed license.
    pub(crate) must_be_installed: bool,
}

/// How a license is to be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallOptions {
    /// The number of the installed license that it replaces, where its own differs.
    pub replaces: Option<String>,
    /// Whether only to say what would change.
    pub dry_run: bool,
}

impl Pool {
    /// Opens the store that `url` names, `memory:`, `sqlite:PATH` or, with the feature `postgres`,
    /// `postgres://USER@HOST/DATABASE`, and creates it where it does
    /// not exist. The pool acts as a server of its own, under a name that nobody had before.
    ///
    /// # Errors
    /// See [`OpenError`]; a store that is refused is left as it is.
    pub fn open(url: &str) -> Result<Pool, OpenError> {
        Pool::options().open(url)
    }

    /// Opens a store in another way.
    pub fn options() -> Options {
        Options::new()
    }

    pub(crate) fn new(shared: Shared) -> Pool {
        let (license, principal) = (Which::Only, None);
        Pool { shared: Arc::new(shared), license, principal, must_be_installed: false }
    }

    /// The same pool, speaking of the license to which this number points.
    pub fn license(&self, number: impl Into<Arc<str>>) -> Pool {
        Pool { license: Which::Number(number.into()), ..self.clone() }
    }

    /// The same pool, acting for this principal: entries name it, and it is refused what belongs
    /// to another.
    pub fn acting_for(&self, principal: Principal) -> Pool {
        Pool { principal: Some(Arc::new(principal)), ..self.clone() }
    }

    /// The same pool, but to report on nothing is refused: where no license is installed, there is
    /// [`Refusal::UnknownLicense`] instead of an empty report.
    pub fn must_be_installed(&self) -> Pool {
        Pool { must_be_installed: true, ..self.clone() }
    }

    /// The name that it acts under as a server.
    pub fn server(&self) -> &ServerName {
        &self.shared.opened.server
    }

    /// Names the store, without secrets.
    pub fn store(&self) -> &str {
        &self.shared.opened.store
    }

    /// Retains one license of a product for a session, which the record describes as
    /// `description`. A session that holds it already gets the same retention again.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, which is recorded in the history; [`Error::Input`] when
    /// an id is malformed; or what the store said.
    pub fn retain(
        &self,
        product: impl IntoProductId,
        session: &str,
        description: Session,
    ) -> Result<Seat, Error> {
        self.retain_async(product, session, description).wait()
    }

    /// [`retain`](Self::retain) for async callers.
    pub fn retain_async(
        &self,
        product: impl IntoProductId,
        session: &str,
        description: Session,
    ) -> Pending<Seat> {
        let ids =
            product.into_product_id().and_then(|product| Ok((product, SessionId::new(session)?)));
        match ids {
            Ok((product, session)) => self.retain_with(Retain::new(product, session, description)),
            Err(invalid) => self.refuse(Error::Input(invalid)),
        }
    }

    /// [`retain`](Self::retain) with a reason, a lease or a maximum of its own.
    ///
    /// # Errors
    /// As [`retain`](Self::retain), and [`Error::TooLong`] when the session is described at more
    /// length than 64 KiB: a million descriptions may lie in memory.
    pub fn retain_with(&self, retain: Retain) -> Pending<Seat> {
        if let Some(error) = too_long(&retain) {
            return self.refuse(error);
        }
        let (sender, waits, pending) = Pending::watched(self.shared.clone());
        let shared = Arc::downgrade(&self.shared);
        self.write(Command::Retain(retain), waits, move |done| {
            let seat = done.and_then(|Done { granted, .. }| match (granted, shared.upgrade()) {
                (Some(Granted { seat, kept, new }), Some(shared)) => {
                    Ok(Seat::new(seat, kept.held, new, shared))
                }
                (None, _) | (_, None) => Err(Error::Closed),
            });
            let granted = seat.is_ok();
            match sender.send(seat) {
                Ok(()) if granted => Received::Seat,
                Ok(()) => Received::Plain,
                Err(unreceived) => {
                    if let Ok(seat) = unreceived.into_inner() {
                        seat.disarm();
                    }
                    Received::Lost
                }
            }
        });
        pending
    }

    /// Releases what a session holds, of one product or of all.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`] when it holds nothing of that; or what the store said.
    pub fn release(
        &self,
        session: &str,
        product: Option<ProductId>,
    ) -> Result<ReleaseReceipt, Error> {
        self.release_async(session, product).wait()
    }

    /// [`release`](Self::release) for async callers.
    pub fn release_async(
        &self,
        session: &str,
        product: Option<ProductId>,
    ) -> Pending<ReleaseReceipt> {
        match SessionId::new(session) {
            Ok(session) => {
                let session = Arc::new(session);
                self.release_with(Release::new(Target::Session { session, product, token: None }))
            }
            Err(invalid) => self.refuse(Error::Input(invalid)),
        }
    }

    /// [`release`](Self::release) by token, or for another cause.
    pub fn release_with(&self, release: Release) -> Pending<ReleaseReceipt> {
        let (sender, waits, pending) = Pending::watched(self.shared.clone());
        self.write(Command::Release(release), waits, move |done| {
            let _ = sender.send(done.map(|done| ReleaseReceipt { released: done.released }));
            Received::Plain
        });
        pending
    }

    /// Installs a license document: JSON of the License info shape, in which `//` comments are
    /// accepted. The same number again replaces what it granted and keeps what is held.
    ///
    /// # Errors
    /// [`Error::Document`] names what cannot be believed; or what the store said.
    pub fn install(&self, document: &[u8]) -> Result<InstallReceipt, Error> {
        self.install_with(document, InstallOptions::default()).wait()
    }

    /// [`install`](Self::install) in the place of another number, or only to see what it would
    /// change.
    pub fn install_with(
        &self,
        document: &[u8],
        options: InstallOptions,
    ) -> Pending<InstallReceipt> {
        let InstallOptions { replaces, dry_run } = options;
        let install = match self.document(document) {
            Ok((license, signed)) => Install { license: Arc::new(license), replaces, signed },
            Err(error) => return self.refuse(error),
        };
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Install(Installation {
            principal: self.principal.clone(),
            install,
            dry_run,
            reply: Box::new(move |receipt| drop(sender.send(receipt))),
        }));
        pending
    }

    /// Whether a license document could be installed, as far as it can tell by itself: no store is
    /// asked.
    ///
    /// # Errors
    /// [`Error::Signature`] or [`Error::Document`], as [`install`](Self::install) would answer.
    ///
    /// ```
    /// use license_pool::{Error, Pool, SAMPLE_LICENSE};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.check_document(SAMPLE_LICENSE.as_bytes())?;
    /// assert!(matches!(pool.check_document(b"{"), Err(Error::Document(_))));
    /// assert_eq!(pool.info()?, None, "nothing is installed by that");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_document(&self, document: &[u8]) -> Result<(), Error> {
        self.document(document).map(drop)
    }

    /// The license of a document, and whether it is signed.
    fn document(&self, document: &[u8]) -> Result<(License, bool), Error> {
        let verified = self.shared.opened.verifier.verify(document).map_err(Error::Signature)?;
        let license = License::parse(&verified.document).and_then(License::to_install);
        Ok((license.map_err(Error::Document)?, verified.signed))
    }

    /// Uninstalls the license, of which nothing may be held: from then on it is as if it had never
    /// been installed, but that its number still leads to its history, and that the history goes on
    /// when the number is installed again.
    ///
    /// # Errors
    /// [`Refusal::InUse`] while any of it is held; or what the store said.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// assert_eq!(pool.uninstall()?.license_number, "SAMPLE-0001");
    /// assert_eq!(pool.info()?, None);
    /// assert_eq!(pool.license("SAMPLE-0001").history().count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn uninstall(&self) -> Result<UninstallReceipt, Error> {
        self.uninstall_async().wait()
    }

    /// [`uninstall`](Self::uninstall) for async callers.
    pub fn uninstall_async(&self) -> Pending<UninstallReceipt> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Uninstall(Uninstallation {
            license: self.license.clone(),
            principal: self.principal.clone(),
            reply: Box::new(move |receipt| drop(sender.send(receipt))),
        }));
        pending
    }

    /// Every credential of the store, in the order in which they were made; revoked ones too.
    pub fn credentials(&self) -> Pending<Vec<KeptCredential>> {
        self.with_log(|log| log.credentials().map_err(Error::store))
    }

    /// Keeps a credential in the store, in the place of the one with its id.
    pub fn keep_credential(&self, credential: KeptCredential) -> Pending<()> {
        self.with_log(move |log| log.keep_credential(&credential).map_err(Error::store))
    }

    /// Keeps the store short now, on the caller's thread, as the pool does by itself beside its
    /// turns: writes a snapshot of every ledger that has changed since its last, and deletes what is
    /// older than [what is kept](Options::history). Others go on meanwhile.
    ///
    /// # Errors
    /// What the store said. What was done until then stays done.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// pool.archive()?;
    /// assert_eq!(pool.history().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn archive(&self) -> Result<(), Error> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Archivist(Box::new(move |archivist| {
            let opened = archivist.map_err(|error| {
                let source = Box::new(error);
                Error::store(LogError::Unavailable { action: "open a second time", source })
            });
            drop(sender.send(opened));
        })));
        let archivist = pending.wait()?;
        archivist.map_or(Ok(()), |mut archivist| archivist.archive_all().map_err(Error::store))
    }

    /// Ends the pool for every handle, once what was asked before is done, releases of dropped
    /// seats included. Seats that still live are not released.
    pub fn close(&self) -> Pending<()> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Close(Box::new(move || drop(sender.send(Ok(()))))));
        // A pool that was closed before is closed.
        pending.then(|_| Ok(()))
    }

    pub(crate) fn write(
        &self,
        command: Command,
        waits: Weak<()>,
        answer: impl FnOnce(Result<Done, Error>) -> Received + Send + 'static,
    ) {
        self.shared.send(Request::Write(Write {
            license: self.license.clone(),
            principal: self.principal.clone(),
            command,
            only: None,
            wait: None,
            reply: Reply::Caller { answer: Box::new(answer), waits },
        }));
    }

    /// A report on the license as it is installed.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        report: impl FnOnce(&Ledger, Timestamp) -> T + Send + 'static,
    ) -> Pending<T> {
        let named = matches!(self.license, Which::Number(_));
        self.report(self.must_be_installed || named, |ledger| ledger.license().is_some(), report)
    }

    /// A report on the past, which a license that was uninstalled has as well, if it is named.
    pub(crate) fn look_back<T: Send + 'static>(
        &self,
        report: impl FnOnce(&Ledger, Timestamp) -> T + Send + 'static,
    ) -> Pending<T> {
        self.report(self.must_be_installed, |ledger| ledger.head().sequence > 0, report)
    }

    /// A report on a ledger. If `required`, a ledger that is not `fit` is refused.
    fn report<T: Send + 'static>(
        &self,
        required: bool,
        fit: fn(&Ledger) -> bool,
        report: impl FnOnce(&Ledger, Timestamp) -> T + Send + 'static,
    ) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Read(Read {
            license: self.license.clone(),
            run: Box::new(move |ledger| {
                let ledger = ledger.and_then(|(ledger, now)| match required && !fit(ledger) {
                    true => Err(Error::Refused(Refusal::not_installed(ledger))),
                    false => Ok((ledger, now)),
                });
                drop(sender.send(ledger.map(|(ledger, now)| report(ledger, now))));
            }),
        }));
        pending
    }

    /// Does something with the log itself, between two turns of the first writer.
    pub(crate) fn with_log<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut dyn Log) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.with_log_of(None, run)
    }

    /// The same; if it is about a license, after everything that was answered about that before.
    pub(crate) fn with_log_of<T: Send + 'static>(
        &self,
        license: Option<Which>,
        run: impl FnOnce(&mut dyn Log) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        let run = Box::new(move |log: &mut dyn Log| drop(sender.send(run(log))));
        self.shared.send(Request::Log { license, run });
        pending
    }

    /// Has the writer itself do something, between two turns.
    pub(crate) fn aside<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Aside(Box::new(|writer| drop(sender.send(act(writer))))));
        pending
    }

    /// The answer to a request that is refused before it is sent.
    pub(crate) fn refuse<T: Send + 'static>(&self, error: Error) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        drop(sender.send(Err(error)));
        pending
    }
}

/// The error if the description of a session is too long.
pub(crate) fn too_long(retain: &Retain) -> Option<Error> {
    let bytes = retain.description.text().len();
    (bytes > DESCRIPTION_MAX).then_some(Error::TooLong { bytes, most: DESCRIPTION_MAX })
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pool { shared, license, .. } = self;
        f.debug_struct("Pool")
            .field("store", &shared.opened.store)
            .field("license", license)
            .finish_non_exhaustive()
    }
}
