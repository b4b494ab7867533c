//! Applies entries: the only way a ledger changes. Each entry is checked in full before anything is
//! touched, in O(1) for what it concerns, so that a fault leaves the ledger as it was. The checks do
//! not trust `decide`: they are its pair, and hold for entries that were read back as well.

use std::{collections::hash_map, sync::Arc};

use jiff::Timestamp;
use license_types::{ProductId, ServerName, SessionId, Token};

use crate::{
    Breach, Entry, Event, Fault, Head, Installed, Ledger, Released, Retained, Whom,
    figure::{Running, midnight},
    ledger::Product,
    rights::Allowance,
    served::Served,
    session::{Holder, Left, Live, Session},
};

impl Ledger {
    /// Applies an entry of this ledger's own turn, or one whose chain value was
    /// [verified](Self::verify). Never panics, whatever the entry says.
    ///
    /// # Errors
    /// A [`Fault`] when the entry does not follow from the ledger; the ledger is then unchanged.
    ///
    /// ```
    /// use license_core::{Breach, Event, Ledger, Stamp};
    ///
    /// let now = "2026-01-05T10:00:00Z".parse()?;
    /// let mut ledger = Ledger::new();
    /// let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), now);
    /// ledger.apply(&entry)?;
    /// let fault = ledger.apply(&entry).unwrap_err();
    /// assert_eq!(fault.sequence, 1);
    /// assert_eq!(fault.breach, Breach::Sequence { expected: 2 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Fault> {
        let time = entry.time.as_millisecond();
        let at = time.max(self.day.now);
        let before = self.day.is_over(at).then(|| {
            let before = (self.products.clone(), self.day.clone());
            self.turn_the_day(at);
            before
        });
        if let Err(breach) = self.follow(entry, at) {
            if let Some(before) = before {
                (self.products, self.day) = before;
            }
            return Err(Fault::new(entry.sequence, breach));
        }
        self.day.now = at;
        if time < midnight(at) {
            self.set_day_back(time);
        }
        self.head = Head { sequence: entry.sequence, chain: entry.chain };
        self.time = entry.time;
        Ok(())
    }

    /// What the entry does, at the millisecond `at` of the figures' clock.
    fn follow(&mut self, entry: &Entry, at: i64) -> Result<(), Breach> {
        let expected = self.head.sequence + 1;
        if entry.sequence != expected {
            return Err(Breach::Sequence { expected });
        }
        if entry.time < self.time && entry.event != Event::ClockCorrected {
            return Err(Breach::Time);
        }
        match &entry.event {
            Event::Installed(installed) => self.installed(installed, entry.time, at),
            Event::Uninstalled { number } => self.uninstalled(number, at),
            Event::Retained(retained) => self.retained(entry, retained, at),
            Event::Released(released) => self.released(released, at),
            Event::StateChanged { session, state } => {
                self.holder(session)?.state = Some(*state);
                Ok(())
            }
            Event::Described { session, identity } => {
                self.holder(session)?.describe(identity.digest());
                Ok(())
            }
            Event::Moved { sessions } => self.moved(sessions, &entry.stamp.server),
            Event::Adopted { from_server, .. } => self.adopted(from_server, &entry.stamp.server),
            Event::Refused(refused) => {
                // Anything can be asked for; only what the license lists is planned for.
                if self.products.contains_key(&refused.product) {
                    let holds = self.holds(&refused.whom, refused.product);
                    self.day.refused(at, refused, holds);
                }
                Ok(())
            }
            Event::ClockCorrected => Ok(()),
        }
    }

    /// Whether a session that was refused a product holds it by now: repeated refusals are counted for
    /// a minute before their entry is appended.
    fn holds(&self, whom: &Whom, product: ProductId) -> bool {
        match whom {
            Whom::Session { session, .. } => {
                self.holding(session).is_some_and(|holding| holding.token_of(product).is_some())
            }
            Whom::Others { .. } => false,
        }
    }

    pub(crate) fn installed(
        &mut self,
        installed: &Installed,
        time: Timestamp,
        at: i64,
    ) -> Result<(), Breach> {
        let license = &installed.license;
        let replaces = |number: &Arc<str>| self.bears(number);
        let continues = self.license.is_none()
            || self.bears(license.number())
            || installed.replaced_number.as_ref().is_some_and(replaces);
        if !continues {
            return Err(Breach::Number { number: license.number().to_owned() });
        }
        let mut before = std::mem::take(&mut self.products);
        let order = std::mem::take(&mut self.order);
        for grant in &license.grants {
            let (used, used_by, running) = match before.remove(&grant.product) {
                Some(product) => (product.used, product.used_by, Some(product.running)),
                None => {
                    (0, Served::default(), self.day.gone.remove(&grant.product).map(|gone| gone.1))
                }
            };
            let mut running = running.unwrap_or_else(|| Running::begin(at, used, None));
            running.pass(at, used);
            running.allow(Some(Allowance::of(&grant.rights, license.expires, time)));
            let (name, rights) = (grant.name.clone(), Some(grant.rights.clone()));
            self.products.insert(grant.product, Product { name, rights, used, used_by, running });
            self.order.push(grant.product);
        }
        for id in order {
            let Some(mut gone) = before.remove(&id) else { continue };
            gone.running.pass(at, gone.used);
            gone.running.allow(None);
            if gone.used > 0 {
                self.products.insert(id, Product { rights: None, ..gone });
                self.order.push(id);
            } else {
                self.day.gone.insert(id, (gone.name, gone.running));
            }
        }
        self.numbers.retain(|number| **number != *license.number());
        self.numbers.push(license.number().into());
        self.license = Some(license.clone());
        Ok(())
    }

    pub(crate) fn uninstalled(&mut self, number: &Arc<str>, at: i64) -> Result<(), Breach> {
        if self.license.as_ref().is_none_or(|license| license.number() != &**number) {
            return Err(Breach::Number { number: number.to_string() });
        }
        let held = self.held_count();
        if held > 0 {
            return Err(Breach::InUse { held });
        }
        // After this point the entry must apply.
        self.without_license(at);
        Ok(())
    }

    /// Lists nothing from `at` on, where nothing is held.
    pub(crate) fn without_license(&mut self, at: i64) {
        for (id, Product { name, mut running, .. }) in std::mem::take(&mut self.products) {
            running.pass(at, 0);
            running.allow(None);
            self.day.gone.insert(id, (name, running));
        }
        self.order.clear();
        self.license = None;
    }

    fn retained(&mut self, entry: &Entry, retained: &Arc<Retained>, at: i64) -> Result<(), Breach> {
        let server = &entry.stamp.server;
        let expected = self.last_token + 1;
        if retained.token.get() != expected {
            return Err(Breach::Token { token: retained.token, expected });
        }
        let id = retained.product;
        let listed = self.products.get_mut(&id).filter(|product| product.rights.is_some());
        let (Some(product), Some(license)) = (listed, &self.license) else {
            return Err(Breach::UnknownProduct { product: id });
        };
        let rights = product.rights.as_deref().unwrap_or_default();
        let allowance = Allowance::of(rights, license.expires, entry.time);
        if !allowance.grants(product.used) {
            let (used, allowed) = (product.used, allowance.count());
            return Err(Breach::Oversold { product: id, used, allowed });
        }
        let used = product.used + 1;
        let property = if retained.product_name != product.name {
            Some("productName")
        } else if retained.used_count != product.used_by.by(server) + 1 {
            Some("productUsedCount")
        } else if retained.balance != allowance.balance(used) {
            Some("productBalance")
        } else if retained.global_used_count != used {
            Some("globalProductUsedCount")
        } else {
            None
        };
        if let Some(property) = property {
            return Err(Breach::Record { property });
        }
        let principal = &entry.stamp.principal;
        let state = retained.identity.kept().and_then(|kept| kept.state());
        let holder = match self.sessions.entry(retained.session.clone()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(retained.token);
                Holder::First(Session::new(server.clone(), principal.clone(), state))
            }
            hash_map::Entry::Occupied(first) => {
                let first = *first.get();
                let Some(holding) = self.retentions.holding(first) else {
                    return Err(Breach::Recount { what: "the sessions" });
                };
                if holding.session.server != *server {
                    return Err(Breach::Server);
                }
                if holding.token_of(id).is_some() {
                    return Err(Breach::AlreadyHeld { product: id });
                }
                Holder::Of(first)
            }
        };
        // After this point the entry must apply.
        product.running.pass(at, product.used);
        product.running.retain(at, used);
        product.used = used;
        self.day.granted(at, id, &retained.session);
        product.used_by.add(server, 1);
        if let Some(principal) = principal {
            *self.seats.entry(principal.clone()).or_default() += 1;
        }
        self.last_token = expected;
        let (record, principal) = (retained.clone(), principal.clone());
        self.retentions.hold(Live { record, time: entry.time, principal, holder }, state);
        Ok(())
    }

    fn released(&mut self, released: &Released, at: i64) -> Result<(), Breach> {
        let not_held = Breach::NotHeld { token: released.token };
        let Some(live) = self.retentions.get(released.token) else { return Err(not_held) };
        if live.record.session != released.session || live.record.product != released.product {
            return Err(not_held);
        }
        let Some(session) = self.retentions.session_of(live) else { return Err(not_held) };
        let Some(product) = self.products.get_mut(&released.product) else { return Err(not_held) };
        if product.used_by.by(&session.server) == 0 {
            return Err(Breach::Recount { what: "the counts of its server" });
        }
        // After this point the entry must apply.
        product.running.pass(at, product.used);
        product.used = product.used.saturating_sub(1);
        product.used_by.take(&session.server, 1);
        if product.used == 0 && product.rights.is_none() {
            if let Some(gone) = self.products.remove(&released.product) {
                self.day.gone.insert(released.product, (gone.name, gone.running));
            }
            self.order.retain(|id| *id != released.product);
        }
        if let Some(principal) = &live.principal
            && let Some(seats) = self.seats.get_mut(principal)
        {
            *seats = seats.saturating_sub(1);
            if *seats == 0 {
                self.seats.remove(principal);
            }
        }
        match self.retentions.release(released.token) {
            Left::Nothing => drop(self.sessions.remove(&released.session)),
            Left::First => {}
            Left::From(token) => {
                if let Some(first) = self.sessions.get_mut(&released.session) {
                    *first = token;
                }
            }
        }
        Ok(())
    }

    fn moved(&mut self, sessions: &[Arc<SessionId>], to: &Arc<ServerName>) -> Result<(), Breach> {
        for id in sessions {
            self.holder(id)?;
        }
        for id in sessions {
            let Some(holding) = self.holding(id) else { continue };
            let products: Vec<ProductId> = holding.held().map(|(product, _)| product).collect();
            let Ok(session) = self.holder(id) else { continue };
            let from = std::mem::replace(&mut session.server, to.clone());
            for product in products {
                if let Some(product) = self.products.get_mut(&product) {
                    product.hand_over(&from, to, 1);
                }
            }
        }
        Ok(())
    }

    fn adopted(&mut self, from: &Arc<ServerName>, to: &Arc<ServerName>) -> Result<(), Breach> {
        for product in self.products.values_mut() {
            let served = product.used_by.by(from);
            product.hand_over(from, to, served);
        }
        let is_served = |live: &&Live| match &live.holder {
            Holder::First(session) => session.server == *from,
            Holder::Of(_) => false,
        };
        let served = self.retentions.values().filter(is_served).map(|live| live.record.token);
        for first in served.collect::<Vec<Token>>() {
            if let Some(session) = self.retentions.session_mut(first) {
                session.server = to.clone();
            }
        }
        Ok(())
    }

    fn holder(&mut self, id: &Arc<SessionId>) -> Result<&mut Session, Breach> {
        let first = self.sessions.get(id);
        first
            .and_then(|first| self.retentions.session_mut(*first))
            .ok_or_else(|| Breach::NothingHeld { session: id.as_str().to_owned() })
    }
}

impl Product {
    fn hand_over(&mut self, from: &Arc<ServerName>, to: &Arc<ServerName>, moved: u64) {
        if moved == 0 || from == to {
            return;
        }
        self.used_by.take(from, moved);
        self.used_by.add(to, moved);
    }
}
