//! The pool: what an embedder holds, and everything it can be asked.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{
    Command, Head, Held, Install, Ledger, License, Refusal, Release, Renew, Retain, Target,
};
use license_types::{
    Availability, Entry, InstallReceipt, IntoProductId, LicenseInfo, LicenseUsage, Principal,
    ProductDay, ProductId, ReleaseReceipt, RenewReceipt, RetainReceipt, ServerName, Session,
    SessionId, SessionState, StoreCheck,
};

use crate::chain;
use crate::check;
use crate::ledgers;
use crate::log::{Asked, Found, LedgerId, Log, LogError, OpenError, Selection, Stretch, Which};
use crate::request::{Done, Installation, Read, Reply, Request, Write};
use crate::shared::Shared;
use crate::{
    ChainCheck, Error, History, HistoryPage, KeptCredential, Options, Pending, Seat, Verifier,
};

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
    shared: Arc<Shared>,
    store: Arc<str>,
    verifier: Arc<dyn Verifier>,
    server: Arc<ServerName>,
    license: Which,
    principal: Option<Arc<Principal>>,
    /// Whether reports need an installed license.
    required: bool,
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

    pub(crate) fn new(
        shared: Arc<Shared>,
        store: String,
        verifier: Arc<dyn Verifier>,
        server: Arc<ServerName>,
    ) -> Pool {
        let (license, principal) = (Which::Only, None);
        Pool { shared, store: store.into(), verifier, server, license, principal, required: false }
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
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) instead of an empty report.
    pub fn required(&self) -> Pool {
        Pool { required: true, ..self.clone() }
    }

    /// The name that it acts under as a server.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// Names the store, without secrets.
    pub fn store(&self) -> &str {
        &self.store
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
    pub fn retain_with(&self, retain: Retain) -> Pending<Seat> {
        let (sender, pending) = Pending::new(self.shared.clone());
        let shared = Arc::downgrade(&self.shared);
        self.write(Command::Retain(retain), move |done| {
            let seat = done.and_then(|Done { held, granted, .. }| {
                match (held.into_iter().next(), granted, shared.upgrade()) {
                    (Some(held), Some(granted), Some(shared)) => {
                        Ok(Seat::new(granted.seat, held, granted.new, shared))
                    }
                    _ => Err(Error::Closed),
                }
            });
            let granted = seat.is_ok();
            match sender.send(seat) {
                Ok(()) => granted,
                Err(unreceived) => {
                    if let Ok(seat) = unreceived.into_inner() {
                        seat.disarm();
                    }
                    false
                }
            }
        });
        pending
    }

    /// Renews what a session holds, and may tell its new state; gives what it holds.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`](crate::Refusal::NotRetained) when it holds nothing; or what the store said.
    pub fn renew(&self, session: &str, state: Option<SessionState>) -> Result<RenewReceipt, Error> {
        self.renew_async(session, state).wait()
    }

    /// [`renew`](Self::renew) for async callers.
    pub fn renew_async(&self, session: &str, state: Option<SessionState>) -> Pending<RenewReceipt> {
        let session = match SessionId::new(session) {
            Ok(session) => Arc::new(session),
            Err(invalid) => return self.refuse(Error::Input(invalid)),
        };
        let (sender, pending) = Pending::new(self.shared.clone());
        self.write(Command::Renew(Renew { session, state }), move |done| {
            let _ = sender.send(done.map(|done| done.held));
            false
        });
        pending.then(|held| {
            let receipt = |held: &Held| RetainReceipt { retention: held.retention(), lease: None };
            Ok(RenewReceipt { held: held?.iter().map(receipt).collect() })
        })
    }

    /// Releases what a session holds, of one product or of all.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`](crate::Refusal::NotRetained) when it holds nothing of that; or what the store said.
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
        let (sender, pending) = Pending::new(self.shared.clone());
        self.write(Command::Release(release), move |done| {
            let _ = sender.send(done.map(|done| ReleaseReceipt { released: done.released }));
            false
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
        let install =
            self.verifier.verify(document).map_err(Error::Signature).and_then(|verified| {
                let license = License::parse(&verified.document).map_err(Error::Document)?;
                Ok(Install { license: Arc::new(license), replaces, signed: verified.signed })
            });
        let install = match install {
            Ok(install) => install,
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

    /// License usage: what is held now, on `server` or on all of them, in the order of the tokens.
    ///
    /// # Errors
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) when the named license is not installed; or what the store said.
    pub fn usage(&self, server: Option<&str>) -> Result<LicenseUsage, Error> {
        self.usage_async(server).wait()
    }

    /// [`usage`](Self::usage) for async callers.
    pub fn usage_async(&self, server: Option<&str>) -> Pending<LicenseUsage> {
        // Records are rendered by who asked: the writer only lists them.
        self.held_async(server).then(|held| Ok(held?.iter().map(Held::retention).collect()))
    }

    /// [`usage`](Self::usage) with what no record tells: the session's id and the server that serves
    /// it.
    ///
    /// # Errors
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) when the named license is not installed; or what the store said.
    pub fn held(&self, server: Option<&str>) -> Result<Vec<Held>, Error> {
        self.held_async(server).wait()
    }

    /// [`held`](Self::held) for async callers.
    pub fn held_async(&self, server: Option<&str>) -> Pending<Vec<Held>> {
        let server: Option<Arc<str>> = server.map(Arc::from);
        self.read(move |ledger, _| {
            let served = |held: &Held| server.as_ref().is_none_or(|s| **s == *held.server.as_str());
            ledger.live().filter(served).collect()
        })
    }

    /// What one session holds, in the order of the tokens. Whoever acts for a principal sees only
    /// sessions of its own.
    pub fn session_async(&self, session: SessionId) -> Pending<Vec<Held>> {
        let (session, principal) = (Arc::new(session), self.principal.clone());
        let held = self.read(move |ledger, _| match ledger.owned(&session, principal.as_ref()) {
            Err(refusal) => Err(Error::Refused(refusal)),
            Ok(()) => Ok(ledger.held(&session).collect()),
        });
        held.then(Result::flatten)
    }

    /// License info: the installed license with live counters; `None` where none is installed.
    ///
    /// # Errors
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) when the named license is not installed; or what the store said.
    pub fn info(&self) -> Result<Option<LicenseInfo>, Error> {
        self.info_async().wait()
    }

    /// [`info`](Self::info) for async callers.
    pub fn info_async(&self) -> Pending<Option<LicenseInfo>> {
        self.read(|ledger, now| ledger.info(now))
    }

    /// Whether a new session would be granted a license of a product now.
    ///
    /// # Errors
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) when the named license is not installed; or what the store said.
    pub fn availability(&self, product: impl IntoProductId) -> Result<Availability, Error> {
        self.availability_async(product).wait()
    }

    /// [`availability`](Self::availability) for async callers.
    pub fn availability_async(&self, product: impl IntoProductId) -> Pending<Availability> {
        match product.into_product_id() {
            Ok(product) => self.read(move |ledger, now| ledger.availability(product, now)),
            Err(invalid) => self.refuse(Error::Input(invalid)),
        }
    }

    /// Every entry of the license, from the first.
    pub fn history(&self) -> History {
        self.select(Selection::default())
    }

    /// The entries of the license that are wanted, from the first.
    pub fn select(&self, wanted: Selection) -> History {
        History::new(self.clone(), wanted)
    }

    /// Where the log of the license ends.
    pub fn head_async(&self) -> Pending<Head> {
        self.read(|ledger, _| ledger.head())
    }

    /// Up to `limit` entries after the sequence `after`; fewer only at the end.
    pub fn page(&self, after: u64, limit: usize) -> Pending<Vec<Entry>> {
        let page = self.read_log(Vec::new(), move |log, ledger| log.page(ledger, after, limit));
        page.then(|page| Ok(page?.iter().map(license_core::Entry::to_wire).collect()))
    }

    /// Up to `limit` entries that are wanted, from a stretch of the log after the sequence `after`:
    /// there may be none in it and still some beyond.
    pub fn stretch(&self, after: u64, limit: usize, wanted: Selection) -> Pending<HistoryPage> {
        let nothing = Stretch { reached: after, end: after, ..Stretch::default() };
        let stretch =
            self.read_log(nothing, move |log, ledger| log.select(ledger, after, limit, &wanted));
        stretch.then(|stretch| {
            let Stretch { entries, reached, end } = stretch?;
            let entries = entries.iter().map(license_core::Entry::to_wire).collect();
            Ok(HistoryPage { entries, reached, end })
        })
    }

    /// Recomputes the chain over every entry of the license, and tells up to where it holds. Others
    /// go on meanwhile; `reached` is told now and then which entry was reached.
    ///
    /// # Errors
    /// What the store said. A chain that does not hold is no error but in the answer.
    pub fn verify_chain(&self, mut reached: impl FnMut(u64)) -> Result<ChainCheck, Error> {
        chain::verify(self, &mut reached)
    }

    /// The figures of each product for each day, in UTC, that begins or ends in `time`, in the order
    /// of the days; those of the day that runs are as of now. They outlive the entries that they are
    /// made from.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE, Session};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let seat = pool.retain("0009", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
    /// let always = jiff::Timestamp::MIN..jiff::Timestamp::MAX;
    /// let days = pool.days(always).wait()?;
    /// assert_eq!(days[0].peak_used_count.get(), 1);
    /// assert_eq!(days[0].allowed_count.get(), 15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn days(&self, time: Range<Timestamp>) -> Pending<Vec<ProductDay>> {
        let pool = self.clone();
        let running = self.read(|ledger, now| ledger.running_figures(now));
        // Afterwards, so that no day is missed that ends in between; what is written down counts.
        running.followed_by(move |running| {
            let days = time.clone();
            let written = pool.read_log(Vec::new(), move |log, ledger| log.figures(ledger, days));
            written.then(move |written| {
                let figures = running.into_iter().filter(|figure| figure.is_within(&time));
                let mut days = BTreeMap::new();
                for figure in figures.chain(written?) {
                    let within = figure.product_days(&time);
                    days.extend(within.map(|day| ((day.date.clone(), day.product_id), day)));
                }
                Ok(days.into_values().collect())
            })
        })
    }

    /// The numbers of the licenses in force.
    ///
    /// # Errors
    /// What the store said.
    pub fn licenses(&self) -> Result<Vec<String>, Error> {
        self.licenses_async().wait()
    }

    /// [`licenses`](Self::licenses) for async callers.
    pub fn licenses_async(&self) -> Pending<Vec<String>> {
        self.with_log(|log| {
            let ledgers = log.ledgers().map_err(Error::store)?;
            Ok(ledgers.into_iter().filter_map(|mut ledger| ledger.numbers.pop()).collect())
        })
    }

    /// Reads every entry of the store again: whether each follows from the one before, the chain
    /// holds and every count adds up. Others go on meanwhile.
    ///
    /// # Errors
    /// What the store said. A fault in the store is no error but in the report.
    pub fn check(&self) -> Result<StoreCheck, Error> {
        check::check(self)
    }

    /// Every credential of the store, in the order in which they were made; revoked ones too.
    pub fn credentials(&self) -> Pending<Vec<KeptCredential>> {
        self.with_log(|log| log.credentials().map_err(Error::store))
    }

    /// Keeps a credential in the store, in the place of the one with its id.
    pub fn keep_credential(&self, credential: KeptCredential) -> Pending<()> {
        self.with_log(move |log| log.keep_credential(&credential).map_err(Error::store))
    }

    /// Ends the pool for every handle, once what was asked before is done, releases of dropped
    /// seats included. Seats that still live are not released.
    pub fn close(&self) -> Pending<()> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Close(Box::new(move || drop(sender.send(Ok(()))))));
        // A pool that was closed before is closed.
        pending.then(|_| Ok(()))
    }

    fn write(
        &self,
        command: Command,
        reply: impl FnOnce(Result<Done, Error>) -> bool + Send + 'static,
    ) {
        self.shared.send(Request::Write(Write {
            license: self.license.clone(),
            principal: self.principal.clone(),
            command,
            reply: Reply::Caller(Box::new(reply)),
        }));
    }

    fn read<T: Send + 'static>(
        &self,
        report: impl FnOnce(&Ledger, Timestamp) -> T + Send + 'static,
    ) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        let required = self.required;
        self.shared.send(Request::Read(Read {
            license: self.license.clone(),
            run: Box::new(move |ledger, now| {
                let ledger = ledger.and_then(|ledger| match ledger.license() {
                    None if required => {
                        Err(Error::Refused(Refusal::UnknownLicense { number: None }))
                    }
                    Some(_) | None => Ok(ledger),
                });
                drop(sender.send(ledger.map(|ledger| report(ledger, now))));
            }),
        }));
        pending
    }

    /// Reads the log of the license; `nothing` is what is read where none is installed.
    pub(crate) fn read_log<T: Send + 'static>(
        &self,
        nothing: T,
        read: impl FnOnce(&mut dyn Log, LedgerId) -> Result<T, LogError> + Send + 'static,
    ) -> Pending<T> {
        let (license, required) = (self.license.clone(), self.required);
        self.with_log(move |log| {
            let asked = Asked { license: license.clone(), known: None };
            let news = log.catch_up(&[asked]).map_err(Error::store)?;
            match (news.found.first(), &license) {
                (None, _) => Err(Error::Internal(None)),
                (Some(Found::Unknown), Which::Only) if !required => Ok(nothing),
                (Some(found), _) => {
                    let ledger = ledgers::id(&license, found)?;
                    read(log, ledger).map_err(Error::store)
                }
            }
        })
    }

    /// Does something with the log itself, between two turns.
    pub(crate) fn with_log<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut dyn Log) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Log(Box::new(move |log| drop(sender.send(run(log))))));
        pending
    }

    /// The answer to what needs not be sent.
    fn refuse<T: Send + 'static>(&self, error: Error) -> Pending<T> {
        let (sender, pending) = Pending::new(self.shared.clone());
        drop(sender.send(Err(error)));
        pending
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pool { store, license, .. } = self;
        f.debug_struct("Pool")
            .field("store", store)
            .field("license", license)
            .finish_non_exhaustive()
    }
}
