//! Reads a snapshot back, chunk by chunk. Whatever can be counted is counted anew from what is held
//! and compared with what the snapshot says.

use std::sync::Arc;

use jiff::Timestamp;
use license_types::{
    LeaseSeconds, Principal, ProductId, Reason, ServerName, SessionId, SessionState, Token,
};
use sha2::{Digest as _, Sha256};

use super::{Description, Holder, Item, Product, Retention, Start, Today, VERSION};
use crate::{
    Digest, Head, Identity, InstallError, Ledger, License, Retained,
    day::{Day, PATIENCE},
    figure::{Running, midnight, timestamp},
    ledger,
    session::{self, Live, Session},
};

/// Why a snapshot is not believed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Another version of the engine wrote it.
    #[error("it is of version {version}, and this engine reads {VERSION}")]
    Version {
        /// Its version.
        version: u64,
    },
    /// Its bytes are no items.
    #[error("a chunk cannot be read")]
    Bytes(#[source] postcard::Error),
    /// Bytes were changed or are missing.
    #[error("its digest is not that of its bytes")]
    Digest,
    /// Its license cannot be read.
    #[error("its license cannot be read")]
    License(#[source] InstallError),
    /// What it says does not add up.
    #[error("its {what} contradict each other")]
    Contradiction {
        /// What contradicts what.
        what: &'static str,
    },
}

/// A ledger that is read from a snapshot.
#[derive(Debug)]
pub struct Restoration {
    hasher: Sha256,
    ledger: Option<Ledger>,
    /// In use of each product, as the snapshot says.
    used: Vec<(ProductId, u64)>,
    servers: Vec<Arc<ServerName>>,
    principals: Vec<Arc<Principal>>,
    reasons: Vec<Arc<Reason>>,
    product_names: Vec<Arc<str>>,
    read: u64,
    ended: bool,
}

impl Restoration {
    /// Expects the first chunk.
    pub fn new() -> Restoration {
        Restoration {
            hasher: Sha256::new(),
            ledger: None,
            used: Vec::new(),
            servers: Vec::new(),
            principals: Vec::new(),
            reasons: Vec::new(),
            product_names: Vec::new(),
            read: 0,
            ended: false,
        }
    }

    /// Reads the next chunk. Never panics, whatever its bytes are.
    ///
    /// # Errors
    /// [`RestoreError`]; the snapshot is then of no use.
    pub fn read(&mut self, chunk: &[u8]) -> Result<(), RestoreError> {
        self.hasher.update(chunk);
        let mut rest = chunk;
        while !rest.is_empty() {
            let (item, left) = postcard::take_from_bytes(rest).map_err(RestoreError::Bytes)?;
            rest = left;
            self.item(item)?;
        }
        Ok(())
    }

    /// The ledger, when all chunks were read and `digest` is that of the last one.
    ///
    /// # Errors
    /// [`RestoreError`] when the snapshot is not whole, or does not add up.
    pub fn finish(self, digest: Digest) -> Result<Ledger, RestoreError> {
        if Digest::from_hasher(self.hasher) != digest {
            return Err(RestoreError::Digest);
        }
        let Some(ledger) = self.ledger.filter(|_| self.ended) else {
            return Err(contradiction("chunks"));
        };
        let counted = |(id, used): &(ProductId, u64)| {
            ledger.products.get(id).is_some_and(|product| {
                product.used == *used && product.used == product.used_by.total()
            })
        };
        if !self.used.iter().all(counted) {
            return Err(contradiction("counts"));
        }
        Ok(ledger)
    }

    fn item(&mut self, item: Item<'_>) -> Result<(), RestoreError> {
        if self.ended || self.ledger.is_some() == matches!(item, Item::Start(_)) {
            return Err(contradiction("items"));
        }
        let name = || contradiction("names");
        match item {
            Item::Start(start) => return self.start(*start),
            Item::Server(server) => {
                self.servers.push(Arc::new(ServerName::new(server).map_err(|_| name())?));
            }
            Item::Principal(principal) => {
                self.principals.push(Arc::new(Principal::new(principal).map_err(|_| name())?));
            }
            Item::Reason(reason) => {
                self.reasons.push(Arc::new(Reason::new(reason).map_err(|_| name())?));
            }
            Item::ProductName(product) => self.product_names.push(product.into()),
            Item::Retention(retention) => {
                self.retention(retention).ok_or(contradiction("retentions"))?;
                self.read += 1;
            }
            Item::End(retentions) => {
                if retentions != self.read {
                    return Err(contradiction("retentions"));
                }
                self.ended = true;
            }
        }
        Ok(())
    }

    fn start(&mut self, start: Start<'_>) -> Result<(), RestoreError> {
        let Start { version, sequence, chain, time, last_token, license, numbers, products, day } =
            start;
        if version != VERSION {
            return Err(RestoreError::Version { version });
        }
        if last_token >= Token::MAX.get() {
            return Err(contradiction("tokens"));
        }
        let license = license.map(|text| License::parse(text.as_bytes()).map(Arc::new));
        let license = license.transpose().map_err(RestoreError::License)?;
        let mut ledger = Ledger {
            head: Head { sequence, chain: Digest::from_bytes(chain) },
            time: timestamp(time),
            numbers: numbers.into_iter().map(Arc::from).collect(),
            last_token,
            day: today(day).ok_or(contradiction("days"))?,
            ..Ledger::new()
        };
        for Product { id, name, listed, used, running } in products {
            let id = ProductId::new(id).map_err(|_| contradiction("products"))?;
            let grants = license.iter().flat_map(|license| &license.grants);
            let grant = grants.into_iter().find(|grant| grant.product == id);
            let product = ledger::Product {
                name: name.into(),
                rights: grant.map(|grant| grant.rights.clone()),
                used: 0,
                used_by: Default::default(),
                running,
            };
            let is_of_today = is_of(&product.running, &ledger.day);
            let known = ledger.products.insert(id, product).is_some();
            if known || listed != grant.is_some() || !is_of_today {
                return Err(contradiction("products"));
            }
            ledger.order.push(id);
            self.used.push((id, used));
        }
        ledger.license = license;
        self.ledger = Some(ledger);
        Ok(())
    }

    fn retention(&mut self, retention: Retention<'_>) -> Option<()> {
        let ledger = self.ledger.as_mut()?;
        let named = |number: u64| usize::try_from(number).ok();
        let token = Token::new(retention.token).ok()?;
        let product_id = ProductId::new(retention.product).ok()?;
        if retention.token > ledger.last_token || ledger.retentions.last() >= Some(token) {
            return None;
        }
        let principal = |number: Option<u64>| match number {
            Some(number) => self.principals.get(named(number)?).cloned().map(Some),
            None => Some(None),
        };
        let (id, server, holder) = match retention.holder {
            Holder::New { id, server, principal: owner, state: told, described } => {
                let id = Arc::new(SessionId::new(id).ok()?);
                if ledger.sessions.insert(id.clone(), token).is_some() {
                    return None;
                }
                let server = self.servers.get(named(server)?)?.clone();
                let mut session = Session::new(server.clone(), principal(owner)?, state(told)?);
                described.into_iter().for_each(|it| session.describe(Digest::from_bytes(it)));
                (id, server, session::Holder::First(session))
            }
            Holder::Of(first) => {
                let first = Token::new(first).ok()?;
                let holding = ledger.retentions.holding(first)?;
                if holding.token_of(product_id).is_some() {
                    return None;
                }
                (holding.id().clone(), holding.session.server.clone(), session::Holder::Of(first))
            }
        };
        let product = ledger.products.get_mut(&product_id)?;
        product.used += 1;
        product.used_by.add(&server, 1);
        let principal = principal(retention.principal)?;
        if let Some(principal) = &principal {
            *ledger.seats.entry(principal.clone()).or_default() += 1;
        }
        let record = Arc::new(Retained {
            session: id,
            product: product_id,
            product_name: self.product_names.get(named(retention.product_name)?)?.clone(),
            used_count: retention.used_count,
            balance: retention.balance,
            global_used_count: retention.global_used_count,
            token,
            reason: self.reasons.get(named(retention.reason)?)?.clone(),
            lease_seconds: match retention.lease_seconds {
                Some(lease) => Some(LeaseSeconds::new(lease).ok()?),
                None => None,
            },
            identity: identity(retention.digest, retention.description)?,
        });
        let live = Live { record, time: timestamp(retention.time), principal, holder };
        // What its description says of its session was told with that.
        ledger.retentions.hold(live, None);
        Some(())
    }
}

impl Default for Restoration {
    fn default() -> Restoration {
        Restoration::new()
    }
}

fn identity(digest: [u8; 32], description: Option<Description<'_>>) -> Option<Identity> {
    let digest = Digest::from_bytes(digest);
    let Some(Description { text, state: told, has_token }) = description else {
        return Some(Identity::Erased(digest));
    };
    let description = crate::Description::restored(text, digest, state(told)?, has_token);
    Some(Identity::Kept(description))
}

fn today(today: Today<'_>) -> Option<Day> {
    let id = |id: u64| ProductId::new(id).ok();
    let key =
        |product: u64, session: &str| Some((id(product)?, Arc::new(SessionId::new(session).ok()?)));
    let mut day = Day { now: today.now, start: today.start, ..Day::new() };
    let began = match today.start {
        Some(start) => {
            // Beyond all instants nobody could go on counting.
            [start, today.now].into_iter().all(|it| Timestamp::from_millisecond(it).is_ok())
                && start <= today.now
                && midnight(start) == midnight(today.now)
        }
        None => today.now == i64::MIN,
    };
    if !began {
        return None;
    }
    for (product, refused) in today.refused {
        day.refused.insert(id(product)?, refused);
    }
    for (product, session) in today.sessions {
        day.sessions.insert(key(product, session)?);
    }
    for (until, product, session) in today.hopes {
        let until_latest = today.now.saturating_add(PATIENCE);
        (today.start? + 1..=until_latest).contains(&until).then_some(())?;
        day.hope(until, key(product, session)?);
    }
    for (product, name, running) in today.gone {
        is_of(&running, &day).then_some(())?;
        day.gone.insert(id(product)?, (name.into(), running));
    }
    Some(day)
}

/// Whether this is added up in that day.
fn is_of(running: &Running, day: &Day) -> bool {
    day.start.is_some_and(|start| {
        let so_far = start..=day.now;
        so_far.contains(&running.since) && so_far.contains(&running.peak_at)
    })
}

fn state(state: u8) -> Option<Option<SessionState>> {
    match state {
        0 => Some(None),
        1 => Some(Some(SessionState::Active)),
        2 => Some(Some(SessionState::Postponed)),
        3 => Some(Some(SessionState::Sleeping)),
        _ => None,
    }
}

fn contradiction(what: &'static str) -> RestoreError {
    RestoreError::Contradiction { what }
}
