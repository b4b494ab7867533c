//! The client: what an application holds, and how it retains.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SendError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use license_types::{IntoProductId, ProblemCode, RetainReceipt, Session, SessionId};
use ureq::http::Method;

use crate::ask::{ACTIVE, question, session_path};
use crate::background::{self, Message, RELEASE_TIME_MAX};
use crate::keeper::{Event, Granted, Guard, Place};
use crate::moment::Moment;
use crate::servers::Servers;
use crate::transport::Question;
use crate::{Error, Notices, Options, Pending, Retain, Seat};

/// How long one request lets the server wait for a license. A longer wait takes several requests; the
/// session keeps its place in line between them.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The pause before a server that failed is tried again during a wait, even if the client's patience is
/// over.
const PAUSE: Duration = Duration::from_secs(1);

/// An answer that took longer than this is taken to have waited in line.
const SERVER_TIME_MAX: Duration = Duration::from_secs(1);

/// Retains and releases licenses through a server, or through several that share a store. Cheap to
/// clone; every clone is the same client.
///
/// It stays with one server until that fails, and then goes on to the next. When an answer is lost, it
/// sends the same request again, which is always safe.
///
/// Calls block the thread; [`retain_async`](Self::retain_async) and
/// [`in_background`](Self::in_background) give a [`Pending`], which is a future that needs no
/// particular runtime.
///
/// A client acts on the only license that is installed, unless [`Options::license`] names one.
///
/// When the last handle, seat and pending answer of a client are dropped, the drop waits until
/// dropped seats are released, five seconds at most, so a program may end right after it. But if any
/// answer was ever awaited as a future, the drop does not wait, so that it never blocks a runtime:
/// then await [`close`](Self::close) before the program ends.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Arc<Servers>,
    background: Sender<Message>,
    /// The number of the license that was named, if one was.
    license: Option<Arc<str>>,
    /// Otherwise the number of the only one that is installed, once that is known.
    only: Mutex<Option<Arc<str>>>,
    patience: Duration,
    /// The number of the next guard.
    guards: AtomicU64,
    /// Whether an answer was ever awaited as a future.
    awaited: AtomicBool,
}

impl Client {
    /// A client of the server at this base URL, such as `http://127.0.0.1:7427`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Setup`] when the address is malformed.
    pub fn connect(server: &str) -> Result<Client, Error> {
        Client::options().connect(server)
    }

    /// Starts to set up a client with options.
    pub fn options() -> Options {
        Options::new()
    }

    pub(crate) fn start(
        servers: Servers,
        license: Option<Arc<str>>,
        patience: Duration,
    ) -> Result<Client, Error> {
        let servers = Arc::new(servers);
        let background = background::start(servers.clone())?;
        Ok(Client {
            shared: Arc::new(Shared {
                servers,
                background,
                license,
                only: Mutex::new(None),
                patience,
                guards: AtomicU64::new(0),
                awaited: AtomicBool::new(false),
            }),
        })
    }

    /// Retains one license of a product for a session; `description` becomes the record's session. A
    /// session that holds the product already gets the same retention again.
    ///
    /// # Errors
    /// [`Error::Problem`] with the reason, which is recorded in the history; [`Error::Input`] when
    /// an id is malformed; or why no server answered.
    pub fn retain(
        &self,
        product: impl IntoProductId,
        session: &str,
        description: Session,
    ) -> Result<Seat, Error> {
        let product = product.into_product_id().map_err(Error::Input)?;
        let session = SessionId::new(session).map_err(Error::Input)?;
        self.retain_with(Retain::new(product, session, description))
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
        self.in_background(move |client| {
            let (product, session) = ids.map_err(Error::Input)?;
            client.retain_with(Retain::new(product, session, description))
        })
    }

    /// [`retain`](Self::retain) with a reason, a lease, or a wait in line when none is left.
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    pub fn retain_with(&self, retain: Retain) -> Result<Seat, Error> {
        let license = self.license()?;
        match self.retain_of(&license, &retain) {
            // The license that was known was replaced since: look once which one it is now.
            Err(error)
                if error.code() == Some(ProblemCode::UnknownLicense) && self.forget(&license) =>
            {
                self.retain_of(&self.license()?, &retain)
            }
            seat => seat,
        }
    }

    /// Retains without a seat: the caller has to renew and release it. Gives the same as
    /// [`Seat::receipt`].
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    pub fn grant(&self, retain: &Retain) -> Result<RetainReceipt, Error> {
        Ok(self.granted(self.named(), retain)?.0)
    }

    /// Runs a blocking call of this client in a thread of its own; for async callers.
    ///
    /// ```no_run
    /// # async fn shown(client: &license_client::Client) -> Result<(), license_client::Error> {
    /// let available = client.in_background(|client| client.availability("0009")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_background<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Client) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (reply, pending) = Pending::new(self.clone());
        let client = self.clone();
        let thread = thread::Builder::new().name("license-request".to_owned());
        // If no thread can be started, `reply` is dropped, and the answer is `Error::Closed`.
        let _ = thread.spawn(move || drop(reply.send(ask(&client))));
        pending
    }

    /// Ends the client, for every handle of it, once the seats that were dropped are released. Seats
    /// that still live are no longer renewed, and are not released when they are dropped.
    pub fn close(&self) -> Pending<()> {
        let (reply, pending) = Pending::new(self.clone());
        if let Err(SendError(Message::Close(reply))) =
            self.shared.background.send(Message::Close(reply))
        {
            // The client was closed before.
            let _ = reply.send(Ok(()));
        }
        pending
    }

    /// Asks, and reads the answer as `T`.
    pub(crate) fn ask<T: serde::de::DeserializeOwned>(
        &self,
        question: &Question,
    ) -> Result<T, Error> {
        Ok(self.shared.servers.ask(question, self.shared.patience)?.0)
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.shared.servers
    }

    pub(crate) fn patience(&self) -> Duration {
        self.shared.patience
    }

    /// The license that was named, or [`ACTIVE`] for the only one.
    pub(crate) fn named(&self) -> &str {
        self.shared.license.as_deref().unwrap_or(ACTIVE)
    }

    /// Notes that an answer was awaited as a future, so that no drop may block.
    pub(crate) fn awaited(&self) {
        self.shared.awaited.store(true, Ordering::Relaxed);
    }

    /// Hands an event to the keeper.
    pub(crate) fn tell(&self, event: Event) {
        // A client that was closed releases nothing more.
        let _ = self.shared.background.send(Message::Event(event));
    }

    /// Retains from one license, as a seat that the keeper keeps. The keeper is asked first, since a
    /// release of the same place may be in flight.
    fn retain_of(&self, license: &Arc<str>, retain: &Retain) -> Result<Seat, Error> {
        let place = Place {
            license: license.clone(),
            session: retain.session.clone(),
            product: retain.product,
        };
        let (go, gone) = oneshot::channel();
        self.tell(Event::Retaining { place: place.clone(), go });
        gone.recv().map_err(|_| Error::Closed)?;
        let (receipt, sent) = match self.granted(license, retain) {
            Ok(granted) => granted,
            Err(error) => {
                self.tell(Event::NotRetained { place });
                return Err(error);
            }
        };
        let (sender, notices) = Notices::channel();
        let id = self.shared.guards.fetch_add(1, Ordering::Relaxed);
        let (token, lease) = (receipt.retention.token, receipt.lease.clone());
        let guard = Guard { id, notices: sender };
        let granted = Granted { token, sent, lease, guard };
        self.tell(Event::Retained { place: place.clone(), granted });
        Ok(Seat::new(place, receipt, id, notices, self.clone()))
    }

    /// Asks until a license is granted or refused, or the wait is over. Also gives when the request was
    /// sent from which the lease counts.
    fn granted(&self, license: &str, retain: &Retain) -> Result<(RetainReceipt, Moment), Error> {
        let path = session_path(license, &retain.session, Some(retain.product));
        let once = question(Method::PUT, path).with(&retain.request);
        let ask = |question: &Question| self.servers().ask(question, self.patience());
        let since = Instant::now();
        loop {
            let left = retain.wait.saturating_sub(since.elapsed()).min(WAIT_MAX);
            let question = match left.as_millis() {
                0 => once.clone(),
                left => once.clone().query("wait", Some(&format!("{left}ms"))),
            };
            let timeout = Some(self.servers().timeout() + left);
            let answer = ask(&Question { timeout, ..question });
            let waiting = since.elapsed() < retain.wait;
            match answer.as_ref().map_err(|error| error.code()) {
                // The grant may have come any time while the server waited, so nobody knows how much of
                // the lease is left. Asking once more renews it.
                Ok((_, sent)) if Moment::now().since(*sent) > SERVER_TIME_MAX => {
                    return ask(&once).or(answer);
                }
                Err(Some(ProblemCode::NoLicenseLeft)) if waiting => {}
                // The server is away, but it was there before: during a wait it may come back.
                Err(_) if waiting && self.servers().were_there() && is_transient(&answer) => {
                    thread::sleep(PAUSE.mul_f64(0.5 + 0.5 * fastrand::f64()));
                }
                Ok(_) | Err(_) => return answer,
            }
        }
    }

    /// The number of the license to act on. Seats keep it, so that they go on renewing the same license
    /// when another one is installed beside it.
    fn license(&self) -> Result<Arc<str>, Error> {
        if let Some(license) = &self.shared.license {
            return Ok(license.clone());
        }
        if let Some(license) = &*self.only() {
            return Ok(license.clone());
        }
        // Asked without the lock: whoever waited for it would begin to be patient only afterwards.
        let licenses = self.licenses()?;
        // With none or several, let the server refuse: it says why.
        let [license] = &licenses[..] else { return Ok(ACTIVE.into()) };
        Ok(self.only().get_or_insert_with(|| license.license_number.as_str().into()).clone())
    }

    /// Forgets that this license is the only one; false if nobody looked for that, but it was named.
    fn forget(&self, license: &Arc<str>) -> bool {
        let was_looked_for = self.shared.license.is_none() && **license != *ACTIVE;
        if was_looked_for {
            self.only().take_if(|only| only == license);
        }
        was_looked_for
    }

    fn only(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.shared.only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_transient<T>(answer: &Result<T, Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_transient())
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.awaited.get_mut() {
            return;
        }
        let (reply, done) = oneshot::channel();
        if self.background.send(Message::Close(reply)).is_ok() {
            let _ = done.recv_timeout(RELEASE_TIME_MAX);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers().names()).finish_non_exhaustive()
    }
}
