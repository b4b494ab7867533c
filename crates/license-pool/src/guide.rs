//! Guide: how a program keeps licenses by itself, without a server.

/// # Embed it
///
/// A program depends on `license-pool` alone; there is nothing to install or to run beside it. The
/// store is one SQLite file, which several processes of a machine may open at once; the feature
/// `postgres` adds stores that several machines share.
///
/// ```
/// use license_pool::{Error, Pool, Refusal, Session};
///
/// # let folder = tempfile::tempdir()?;
/// # let store = format!("sqlite:{}", folder.path().join("license.db").display());
/// # let document = license_pool::SAMPLE_LICENSE.as_bytes();
/// # let (pool, document) = (Pool::open(&store)?, document); /*
/// let pool = Pool::open("sqlite:license.db")?;
/// let document = &std::fs::read("license.json")?;
/// # */
/// pool.install(document)?; // an identical document changes nothing, so every start may do it
///
/// let session = Session::rest("ann", "job-7", "127.0.0.1");
/// match pool.retain("0009", "job-7", session) {
///     Ok(seat) => {
///         // … the work. The pool vouches for the seat while it lives: there is no lease to renew.
///         drop(seat); // releases exactly this retention; never blocks
///     }
///     Err(Error::Refused(Refusal::NoLicenseLeft { allowed_count, .. })) => {
///         eprintln!("all {allowed_count} licenses are in use");
///     }
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What to know
///
/// - **Sessions.** The second argument is your own name of the session. Retaining twice with one
///   name gives one retention and two seats; it ends when the last seat is dropped. A program that
///   is to get its license back after a crash comes with the same name.
/// - **Threads and tasks.** [`Pool`](crate::Pool) and [`Seat`](crate::Seat) are `Send + Sync`, a pool
///   is cheap to clone, and everything that waits at the same moment shares one durable commit. Each
///   call has a form that returns a [`Pending`](crate::Pending), a future for any runtime.
/// - **Processes.** Each opens the file for itself. What a process held that died is released when
///   another writes next. The file must not lie on a network file system, and is refused there.
/// - **Names.** A pool has a name that nobody had before, unless it is opened as a
///   [server](crate::Options::server) under a name of its own, which keeps its seats over a restart.
/// - **Refused or failed.** [`Error::Refused`](crate::Error::Refused) is an answer, recorded in the
///   history. Any other error says that nothing was done, but
///   [`OutcomeUnknown`](crate::Error::OutcomeUnknown), after which asking again is safe.
/// - **Alarms.** A store that went back in time, or another process under the name of this server: who
///   runs for long hears of it by [`Pool::watch_alarms`](crate::Pool::watch_alarms).
/// - **The end.** Dropping the last handle waits until dropped seats are released. Where an answer
///   was awaited it does not wait: await [`Pool::close`](crate::Pool::close) before the program ends.
///
/// # Who holds what, and what happened
///
/// ```
/// # use license_pool::{Pool, SAMPLE_LICENSE, Session};
/// # let pool = Pool::open("memory:")?;
/// # pool.install(SAMPLE_LICENSE.as_bytes())?;
/// let seat = pool.retain("0009", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
/// for held in pool.usage(None)? {
///     println!("{} holds {} since {}", held.token, held.product_name, held.time);
/// }
/// assert_eq!(pool.availability("0009")?.product_balance.get(), 14);
/// for entry in pool.history() {
///     println!("{}", entry?.sequence);
/// }
/// assert!(pool.check()?.ledgers.iter().all(|ledger| ledger.sound));
/// # drop(seat);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The command `license` reads the same file while the program runs: `license usage`, `license
/// history`, `license store copy`. `license serve` may serve it at the same time.
pub mod embed {}
