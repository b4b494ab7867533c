//! The ledgers of a store, spread over several writers with a connection each: what one of them waits
//! for holds no other up, and their commits overlap. They are one server to everybody else; between
//! them a ledger is served by one alone, which judges its leases.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{PoisonError, RwLock};

use crate::Error;
use crate::log::{Asked, LedgerId, LogError, Which};
use crate::request::Request;
use crate::turn::distinct;
use crate::writer::Writer;

/// The ledgers that one writer serves, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Its place among the writers.
    pub(crate) place: u8,
    /// How many there are.
    pub(crate) of: u8,
}

impl Share {
    pub(crate) fn has(self, id: LedgerId) -> bool {
        place(id, self.of) == self.place
    }

    /// Whether its writer does what concerns no single ledger.
    pub(crate) fn is_first(self) -> bool {
        self.place == 0
    }

    /// Whether a command that was to be decided in this ledger was brought to the right writer.
    ///
    /// # Errors
    /// When it was not known where its license leads, until now.
    pub(crate) fn check(self, id: LedgerId) -> Result<(), Error> {
        if self.has(id) {
            return Ok(());
        }
        let source = "it was installed or uninstalled at this moment: ask again".into();
        Err(Error::store(LogError::Unavailable { action: "find the license", source }))
    }
}

/// Where a ledger is served.
fn place(id: LedgerId, of: u8) -> u8 {
    let place = id.0.unsigned_abs() % u64::from(of);
    u8::try_from(place).expect("a remainder is smaller than its divisor")
}

/// The way to every writer.
pub(crate) struct Router {
    writers: Vec<Sender<Request>>,
    /// Who serves each license that was ever asked for. A number leads to the same ledger for good;
    /// the only license may be another one day, which whoever is asked for it in vain notes.
    known: RwLock<HashMap<Which, u8>>,
}

impl Router {
    pub(crate) fn new(writers: Vec<Sender<Request>>) -> Router {
        Router { writers, known: RwLock::default() }
    }

    /// Hands a request to who serves its ledger, or to the first, who finds out. After the pool was
    /// closed it is dropped, which its caller sees.
    pub(crate) fn send(&self, request: Request) {
        let place = self.place(&request).unwrap_or(0);
        let _ = self.writers[usize::from(place)].send(request);
    }

    fn place(&self, request: &Request) -> Option<u8> {
        let of = u8::try_from(self.writers.len()).expect("a server has few connections");
        match request {
            _ if of == 1 => Some(0),
            Request::SeatDropped(seat) => Some(place(seat.ledger, of)),
            _ => self.knows(request.license()?),
        }
    }

    fn knows(&self, license: &Which) -> Option<u8> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(license).copied()
    }

    fn note(&self, license: Which, place: u8) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(license, place);
    }

    /// Another license may be the only one now.
    fn forget_only(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&Which::Only);
    }

    /// Has every writer but the first do something.
    pub(crate) fn tell_others(&self, act: impl Fn(&mut Writer) + Clone + Send + 'static) {
        for writer in &self.writers[1..] {
            let _ = writer.send(Request::Aside(Box::new(act.clone())));
        }
    }

    /// Ends every writer but the first, once what they were asked before is done; says whether what
    /// they vouched for ended as well.
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
        // One that has ended drops what it was sent.
        closes.iter().for_each(drop);
        ends.iter().filter(|ended| *ended).count() + 1 == self.writers.len()
    }
}

impl Writer {
    /// Finds out who serves the licenses that nobody asked for before.
    ///
    /// # Errors
    /// When the store does not tell: it is asked when they are asked for again, and nobody can stand
    /// in line for them meanwhile.
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
                router.note(asked.license, place(id, share.of));
            }
        }
        Ok(())
    }

    /// Whether it is known who serves a license.
    pub(crate) fn is_located(&self, license: &Which) -> bool {
        self.router.as_ref().is_none_or(|router| router.knows(license).is_some())
    }

    /// Finds out anew what is asked for after a license was installed or uninstalled.
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

    /// Notes where the only license leads, if this one was asked for it in vain.
    pub(crate) fn note_only(&self) {
        let share = self.turns.actor.share;
        let Some(router) = &self.router else { return };
        if let Some(id) = self.turns.ledgers.lead_of(&Which::Only).filter(|id| !share.has(*id)) {
            router.note(Which::Only, place(id, share.of));
        }
    }

    /// Hands on what another writer serves; gives back what is this one's to do.
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
