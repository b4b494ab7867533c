//! The threads of a client: one runs the [`Keeper`]; each request that it wants sent gets a thread of
//! its own, so that a server which does not answer delays nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use license_types::{ReleaseReceipt, Released, SessionId, Token};
use ureq::http::Method;

use crate::Error;
use crate::ask;
use crate::keeper::{Effect, Event, Keeper, Place, Reply};
use crate::moment::Moment;
use crate::servers::Servers;
use crate::transport::Question;

/// How long a release is tried; after that the license is free once its lease is over.
pub(crate) const RELEASE_TIME_MAX: Duration = Duration::from_secs(5);

/// How long one server has to answer before the next one is asked.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// How many releases may be in flight at once.
const RELEASES_MAX: usize = 8;

/// A message to the thread that keeps leases.
pub(crate) enum Message {
    Event(Event),
    /// Ends the thread once all releases are done.
    Close(Reply<Result<(), Error>>),
}

/// Starts the thread that keeps leases.
pub(crate) fn start(servers: Arc<Servers>) -> Result<Sender<Message>, Error> {
    let (sender, messages) = mpsc::channel();
    let background =
        Background { servers, sender: sender.clone(), queue: VecDeque::new(), sent: 0 };
    thread::Builder::new()
        .name("license-client".to_owned())
        .spawn(move || background.run(&messages))
        .map_err(|error| Error::setup_because("the client's thread cannot be started", error))?;
    Ok(sender)
}

struct Background {
    servers: Arc<Servers>,
    sender: Sender<Message>,
    /// Releases that are still to be sent, and since when they wait.
    queue: VecDeque<(Instant, Releasing)>,
    /// How many releases are in flight.
    sent: usize,
}

struct Releasing {
    place: Place,
    token: Token,
    reply: Option<Reply<Result<Released, Error>>>,
}

impl Background {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut keeper = Keeper::new(Rng::new());
        let mut closing = Vec::new();
        while closing.is_empty() || keeper.is_releasing() {
            let message = match keeper.next(Moment::now()) {
                Some(next) => messages.recv_timeout(next),
                None => messages.recv().map_err(RecvTimeoutError::from),
            };
            let effects = match message {
                Ok(Message::Event(event)) => {
                    self.sent -= usize::from(matches!(event, Event::Released { .. }));
                    keeper.take(Moment::now(), event)
                }
                Ok(Message::Close(reply)) => {
                    closing.push(reply);
                    Vec::new()
                }
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let due = keeper.tick(Moment::now());
            for effect in effects.into_iter().chain(due) {
                match effect {
                    Effect::Renew { license, sessions } => self.renew(license, sessions),
                    Effect::Release { place, token, reply } => {
                        self.queue.push_back((Instant::now(), Releasing { place, token, reply }));
                    }
                }
            }
            self.send_releases();
        }
        let late = messages.try_iter().filter_map(|message| match message {
            Message::Close(reply) => Some(reply),
            Message::Event(_) => None,
        });
        for reply in closing.into_iter().chain(late) {
            let _ = reply.send(Ok(()));
        }
    }

    fn renew(&self, license: Arc<str>, sessions: Vec<SessionId>) {
        let (servers, asked) = (self.servers.clone(), license.clone());
        let answer = Err(Error::setup("no thread can be started"));
        let failed = Event::Renewed { license, sent: Moment::now(), answer };
        self.request(failed, move || {
            // No patience: the lease decides whether and when to try again.
            let (timeout, patience) = (Some(ANSWER_TIME_MAX), Duration::ZERO);
            let renewed = ask::renew_list(&servers, &asked, &sessions, timeout, patience);
            let (sent, answer) = match renewed {
                Ok((receipt, sent)) => (sent, Ok(receipt)),
                Err(error) => (Moment::now(), Err(error)),
            };
            Event::Renewed { license: asked, sent, answer }
        });
    }

    /// Sends releases that wait, up to the limit of those in flight. One that has waited too long is
    /// given up: its license is free once its lease is over.
    fn send_releases(&mut self) {
        while self.sent < RELEASES_MAX
            && let Some((since, Releasing { place, token, reply })) = self.queue.pop_front()
        {
            self.sent += 1;
            let servers = self.servers.clone();
            self.request(Event::Released { place: place.clone() }, move || {
                let patience = RELEASE_TIME_MAX.saturating_sub(since.elapsed());
                let released = match patience.is_zero() {
                    true => Err(Error::setup("no server answered in time")),
                    false => release(&servers, &place, token, patience),
                };
                if let Some(reply) = reply {
                    let _ = reply.send(released);
                }
                Event::Released { place }
            });
        }
    }

    /// Sends a request in a thread of its own, and reports the event that it returns; or `failed`, if
    /// the thread cannot be started or panics.
    fn request(&self, failed: Event, request: impl FnOnce() -> Event + Send + 'static) {
        let told = Told { sender: self.sender.clone(), event: Some(failed) };
        let thread = thread::Builder::new().name("license-request".to_owned());
        // If the thread cannot be started, the closure is dropped, and with it `told`: that reports.
        let _ = thread.spawn(move || told.instead(request()));
    }
}

/// Reports its event when it is dropped, so that the keeper hears of every request.
struct Told {
    sender: Sender<Message>,
    event: Option<Event>,
}

impl Told {
    /// Reports `event` instead.
    fn instead(mut self, event: Event) {
        self.event = Some(event);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            // It fails once the client is closed, when nobody needs to know.
            let _ = self.sender.send(Message::Event(event));
        }
    }
}

fn release(
    servers: &Servers,
    place: &Place,
    token: Token,
    patience: Duration,
) -> Result<Released, Error> {
    let path = ask::session_path(&place.license, &place.session, Some(place.product));
    let question = ask::question(Method::DELETE, path).query("token", Some(&token.to_string()));
    let question = Question { timeout: Some(ANSWER_TIME_MAX), ..question };
    let receipt: ReleaseReceipt = servers.ask(&question, patience)?.0;
    let released = receipt.released.into_iter().find(|released| released.token == token);
    released.ok_or_else(|| Error::setup("the server released something else"))
}
