//! Several writers for one store, each with a connection of its own: none waits for what another
//! waits for, and their commits overlap. To everybody else they are one server.
//!
//! The ledgers are spread over them by their id: each ledger belongs to one writer's [`Share`], which
//! alone decides its commands and judges its leases. A request names a license, not a ledger. The
//! [`Router`] remembers to which writer each license leads; where it does not know, the request goes
//! to the first writer, which asks the store ([`Writer::locate`]) and [hands it on](Writer::hand_on).
//! The first writer also does what concerns no single ledger: it installs, leaves the register, and
//! ends the others.
//!
//! A pool with one connection has one writer, whose share is everything.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{PoisonError, RwLock};

use super::Writer;
use crate::Error;
use crate::log::{Asked, Which};
use crate::request::Request;
use crate::share::Share;
use crate::turn::distinct;

/// Brings each request to the writer that serves its ledger.
pub(crate) struct Router {
    writers: Vec<Sender<Request>>,
    /// The writer of each license that was ever asked for. A number leads to the same ledger for good.
    /// The only license may change; the writer that is asked for it in vain [notes](
    /// Writer::note_only) that.
    known: RwLock<HashMap<Which, u8>>,
}

impl Router {
    pub(crate) fn new(writers: Vec<Sender<Request>>) -> Router {
        Router { writers, known: RwLock::default() }
    }

    /// Hands a request to the writer that serves its ledger; or to the first writer, which finds out.
    /// After the pool was closed the request is dropped, and its caller sees that.
    pub(crate) fn send(&self, request: Request) {
        let place = self.place(&request).unwrap_or(0);
        let _ = self.writers[usize::from(place)].send(request);
    }

    fn place(&self, request: &Request) -> Option<u8> {
        let of = u8::try_from(self.writers.len()).expect("a server has few connections");
        match request {
            _ if of == 1 => Some(0),
            Request::SeatDropped(seat) => Some(Share::place_of(seat.ledger, of)),
            _ => self.knows(request.license()?),
        }
    }

    fn knows(&self, license: &Which) -> Option<u8> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(license).copied()
    }

    fn note(&self, license: Which, place: u8) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(license, place);
    }

    /// Forgets where the only license leads: it may be another now.
    fn forget_only(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&Which::Only);
    }

    /// Has every writer but the first do something.
    pub(crate) fn tell_others(&self, act: impl Fn(&mut Writer) + Clone + Send + 'static) {
        for writer in &self.writers[1..] {
            let _ = writer.send(Request::Aside(Box::new(act.clone())));
        }
    }

    /// Ends every writer but the first, once it has done what it was asked before; says whether
    /// everything ended that they vouched for.
    pub(crate) fn end_others(&self) -> bool {
        let (ended, ends) = channel();
        self.tell_others(move |writer| {
            let _ = ended.send(writer.end_leases().is_ok());
        });
        let (closed, closes) = channel();
        for writer in &self.writers[1..] {
            let closed = closed.clone();
            let close = move || {
                let _ = closed.send(());
            };
            let _ = writer.send(Request::Close(Box::new(close)));
        }
        drop(closed);
        // A writer that has ended already drops what it was sent, so this does not wait for it.
        closes.iter().for_each(drop);
        ends.iter().filter(|ended| *ended).count() + 1 == self.writers.len()
    }
}

impl Writer {
    /// Finds out which writers serve the licenses that these requests are the first to ask for.
    ///
    /// # Errors
    /// When the store does not tell. It is asked again with the next request for them; meanwhile
    /// nobody can stand in line for them.
    pub(crate) fn locate<'r>(
        &mut self,
        requests: impl Iterator<Item = &'r Request>,
    ) -> Result<(), Error> {
        let share = self.turns.actor.share;
        let Some(router) = self.router.clone().filter(|_| share.is_first()) else { return Ok(()) };
        let licenses = requests.filter_map(Request::license);
        let unknown = distinct(licenses.filter(|license| router.knows(license).is_none()));
        if unknown.is_empty() {
            return Ok(());
        }
        let asked = |license| Asked { license, known: None };
        let asked: Vec<Asked> = unknown.into_iter().map(asked).collect();
        let news = self.turns.log.catch_up(&asked).map_err(Error::store)?;
        for (asked, found) in asked.into_iter().zip(&news.found) {
            if let Some(id) = found.ledger() {
                router.note(asked.license, Share::place_of(id, share.of));
            }
        }
        Ok(())
    }

    /// Whether it is known which writer serves a license.
    pub(crate) fn is_located(&self, license: &Which) -> bool {
        self.router.as_ref().is_none_or(|router| router.knows(license).is_some())
    }

    /// The same after a license was installed or uninstalled.
    ///
    /// # Errors
    /// As [`locate`](Self::locate).
    pub(crate) fn locate_again<'r>(
        &mut self,
        requests: impl Iterator<Item = &'r Request>,
    ) -> Result<(), Error> {
        if let Some(router) = &self.router {
            router.forget_only();
        }
        self.locate(requests)
    }

    /// Notes where the only license leads, if this writer was asked for it and another serves it.
    pub(crate) fn note_only(&self) {
        let share = self.turns.actor.share;
        let Some(router) = &self.router else { return };
        if let Some(id) = self.turns.ledgers.lead_of(&Which::Only).filter(|id| !share.has(*id)) {
            router.note(Which::Only, Share::place_of(id, share.of));
        }
    }

    /// Hands a request on if another writer serves it; otherwise gives it back.
    pub(crate) fn hand_on(&self, request: Request) -> Option<Request> {
        match self.router.as_ref().map(|router| (router, router.place(&request))) {
            Some((router, Some(place))) if self.turns.actor.share.is_first() && place > 0 => {
                router.send(request);
                None
            }
            _ => Some(request),
        }
    }
}
