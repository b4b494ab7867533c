//! The client: what an application holds, and everything it can ask.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SendError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
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

/// A server is asked to wait for a license for so long; then it is asked again, and the place in
/// its queue is kept.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Who waits for long tries a server that failed again after so long, however little patience it
/// has otherwise.
const PAUSE: Duration = Duration::from_secs(1);

/// What a server takes for longer was spent waiting.
const SERVER_TIME_MAX: Duration = Duration::from_secs(1);

/// Retains and releases licenses through a server, or through several that share a store. Cheap to
/// clone; every clone is the same client.
///
/// It stays with one server until that fails, and then goes on to the next. Every request may safely
/// be sent twice, and is when an answer is lost.
///
/// Calls block the thread; [`retain_async`](Self::retain_async) and
/// [`in_background`](Self::in_background) give a [`Pending`], which is a future that needs no
/// particular runtime.
///
/// A client speaks of the only license that is installed, unless [`Options::license`] names one.
///
/// When the last handle, seat and pending answer of a client are dropped, the drop waits until
/// dropped seats are released, five seconds at most, so a program may end right after it. Where an
/// answer was ever awaited as a future the drop does not wait, so that it never blocks a runtime:
/// await [`close`](Self::close) before the program ends.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Arc<Servers>,
    background: Sender<Message>,
    /// The license that was named.
    license: Option<Arc<str>>,
    /// The only one that is installed, once that is known.
    only: Mutex<Option<Arc<str>>>,
    patience: Duration,
    guards: AtomicU64,
    /// Whether an answer was ever awaited as a future.
    awaited: AtomicBool,
}

impl Client {
    /// A client of the server at this base URL, such as `http://127.0.0.1:7427`. It is not asked
    /// anything before the client is.
    ///
    /// # Errors
    /// [`Error::Setup`] when the address is no server's.
    pub fn connect(server: &str) -> Result<Client, Error> {
        Client::options().connect(server)
    }

    /// Sets a client up in another way.
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

    /// Retains one license of a product for a session, which the record describes as
    /// `description`. A session that holds it already gets the same retention again.
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

    /// [`retain`](Self::retain) with a reason or a lease of its own, or waiting where none is left.
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    pub fn retain_with(&self, retain: Retain) -> Result<Seat, Error> {
        let license = self.license()?;
        match self.retain_of(&license, &retain) {
            // Another license was installed in its place since.
            Err(error) if error.code() == Some(ProblemCode::UnknownLicense) && self.forget() => {
                self.retain_of(&self.license()?, &retain)
            }
            seat => seat,
        }
    }

    /// Retains without a seat: nobody renews or releases it but the caller. Tells the same as
    /// [`Seat::receipt`].
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    pub fn grant(&self, retain: &Retain) -> Result<RetainReceipt, Error> {
        Ok(self.granted(self.named(), retain)?.0)
    }

    /// Does something with this client in a thread of its own; for async callers.
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
        // Without a thread, the answer is that there is none.
        let _ = thread.spawn(move || drop(reply.send(ask(&client))));
        pending
    }

    /// Ends the client for every handle once dropped seats are released. Seats that still live are
    /// neither renewed nor released any more.
    pub fn close(&self) -> Pending<()> {
        let (reply, pending) = Pending::new(self.clone());
        if let Err(SendError(Message::Close(reply))) =
            self.shared.background.send(Message::Close(reply))
        {
            // It was closed before.
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

    /// The license that was named, or whatever stands for the only one.
    pub(crate) fn named(&self) -> &str {
        self.shared.license.as_deref().unwrap_or(ACTIVE)
    }

    pub(crate) fn awaited(&self) {
        self.shared.awaited.store(true, Ordering::Relaxed);
    }

    pub(crate) fn tell(&self, event: Event) {
        // A client that was closed releases nothing more.
        let _ = self.shared.background.send(Message::Event(event));
    }

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

    /// Asks until a license is granted, refused, or waited for too long; tells when the request
    /// was sent from which its lease counts.
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
            let asked = Instant::now();
            let answer = ask(&Question { timeout, ..question });
            let waiting = since.elapsed() < retain.wait;
            match answer.as_ref().map_err(|error| error.code()) {
                // How much of its lease passed while the server waited, nobody knows.
                Ok(_) if asked.elapsed() > SERVER_TIME_MAX => return ask(&once).or(answer),
                Err(Some(ProblemCode::NoLicenseLeft)) if waiting => {}
                // Who waits for long may see a server come back that was there.
                Err(_) if waiting && self.servers().were_there() && is_transient(&answer) => {
                    thread::sleep(PAUSE.mul_f64(0.5 + 0.5 * fastrand::f64()));
                }
                Ok(_) | Err(_) => return answer,
            }
        }
    }

    /// The number of the license that is meant, by which it is known whatever is installed beside
    /// it later.
    fn license(&self) -> Result<Arc<str>, Error> {
        if let Some(license) = &self.shared.license {
            return Ok(license.clone());
        }
        let mut only = self.shared.only.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(license) = &*only {
            return Ok(license.clone());
        }
        let licenses = self.licenses()?;
        // Where there are none or several, the server finds the words.
        let [license] = &licenses[..] else { return Ok(ACTIVE.into()) };
        Ok(only.insert(license.license_number.as_str().into()).clone())
    }

    /// Forgets which license is the only one; tells whether it was known.
    fn forget(&self) -> bool {
        self.shared.only.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
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
