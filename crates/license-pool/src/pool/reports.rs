//! What a pool can be asked: reports, each from a ledger that was brought up to date after the
//! question came in, and the history.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Figure, Head, Held};
use license_types::{
    Availability, Entry, IntoProductId, LicenseInfo, LicenseUsage, ProductDay, ProductId,
    StoreCheck, Token,
};

use crate::log::{Asked, Found, LedgerId, LedgerNumbers, Log, LogError, Selection, Stretch, Which};
use crate::request::{Awaits, Request, Watch};
use crate::tail::{Next, Tail};
use crate::{ChainCheck, Error, History, HistoryPage, Line, Pending, Pool, chain, ledgers};

impl Pool {
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
        self.look_back(|ledger, _| ledger.head())
    }

    /// Where the log of the license ends, once that is beyond the sequence `after`: at once, or when
    /// somebody appends, another process within 100 ms. Drop the answer to watch no longer.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE, Session};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let after = pool.watch(0).wait()?.sequence;
    /// let watch = pool.watch(after);
    /// pool.retain("0025", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?.keep();
    /// assert_eq!(watch.wait()?.sequence, after + 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, after: u64) -> Pending<Head> {
        let (reply, pending) = Pending::new(self.shared.clone());
        let (license, awaits) = (self.license.clone(), Awaits::Head { after, reply });
        self.shared.send(Request::Watch(Watch { license, awaits }));
        pending
    }

    /// Up to `limit` entries after the sequence `after`, once there are any: at once, or when somebody
    /// appends, another process within 100 ms. Entries that were appended just now are shared by all
    /// who follow and read from no store. Drop the answer to follow no longer.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE, Session};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let next = pool.follow(1, 100);
    /// pool.retain("0025", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?.keep();
    /// let lines = next.wait()?;
    /// assert_eq!(lines[0].sequence(), 2);
    /// assert!(lines[0].json().starts_with(r#"{"sequence":2,"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follow(&self, after: u64, limit: usize) -> Pending<Vec<Arc<Line>>> {
        let pool = self.clone();
        let next = async move {
            loop {
                let tail = match pool.shared.tail(&pool.license) {
                    Some(tail) => tail,
                    None => pool.tail().await?,
                };
                match tail.after(after, limit).await {
                    Next::Lines(lines) => return Ok(lines),
                    Next::InLog => break,
                    Next::Ended => pool.shared.forget_tail(&pool.license, &tail),
                }
            }
            let read = move |log: &mut dyn Log, ledger| log.page(ledger, after, limit);
            let page = pool.read_log(Vec::new(), read).within().await?;
            Ok(page.into_iter().map(Line::new).collect())
        };
        Pending::of(next, self.shared.clone())
    }

    /// The end of the log, which the writer keeps up to date from now on.
    async fn tail(&self) -> Result<Arc<Tail>, Error> {
        let (reply, pending) = Pending::new(self.shared.clone());
        let (license, awaits) = (self.license.clone(), Awaits::Tail(reply));
        self.shared.send(Request::Watch(Watch { license, awaits }));
        let tail: Arc<Tail> = pending.within().await?;
        self.shared.keep_tail(&self.license, &tail);
        Ok(tail)
    }

    /// Up to `limit` of what is held, in the order of the tokens: after the token `after`, served by
    /// `server` and of `product` where these are given.
    pub fn held_page(
        &self,
        after: Option<Token>,
        limit: usize,
        server: Option<&str>,
        product: Option<ProductId>,
    ) -> Pending<Vec<Held>> {
        let server: Option<Arc<str>> = server.map(Arc::from);
        self.read(move |ledger, _| {
            let wanted = |held: &Held| {
                server.as_ref().is_none_or(|server| **server == *held.server.as_str())
                    && product.is_none_or(|product| product == held.record.product)
            };
            ledger.live_after(after).filter(wanted).take(limit).collect()
        })
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
            let Stretch { begin, entries, reached, end } = stretch?;
            let entries = entries.iter().map(license_core::Entry::to_wire).collect();
            Ok(HistoryPage { begin, entries, reached, end })
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
        let running = self.look_back(|ledger, now| ledger.running_figures(now));
        // Afterwards, so that no day is missed that ends in between; what is written down counts.
        running.followed_by(move |running| {
            let days = time.clone();
            let written = pool.read_log(Vec::new(), move |log, ledger| log.figures(ledger, days));
            written.then(move |written| {
                Ok(Figure::product_days(running.into_iter().chain(written?), &time))
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
        self.ledgers().then(|ledgers| {
            let in_force = ledgers?.into_iter().filter(|ledger| ledger.in_force);
            Ok(in_force.filter_map(|mut ledger| ledger.numbers.pop()).collect())
        })
    }

    /// Every license that there is or was, by what tells it from the others whatever number it
    /// bears: the numbers that lead to it, and whether it is in force.
    pub fn ledgers(&self) -> Pending<Vec<LedgerNumbers>> {
        self.with_log(|log| log.ledgers().map_err(Error::store))
    }

    /// Reads every entry of the store again: whether each follows from the one before, the chain
    /// holds and every count adds up. Others go on meanwhile.
    ///
    /// # Errors
    /// What the store said. A fault in the store is no error but in the report.
    pub fn check(&self) -> Result<StoreCheck, Error> {
        super::check::check(self)
    }

    /// Reads the log of the license; `nothing` is what is read where none is installed.
    pub(crate) fn read_log<T: Send + 'static>(
        &self,
        nothing: T,
        read: impl FnOnce(&mut dyn Log, LedgerId) -> Result<T, LogError> + Send + 'static,
    ) -> Pending<T> {
        let (license, required) = (self.license.clone(), self.must_be_installed);
        self.with_log_of(Some(license.clone()), move |log| {
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
}
