//! Reports: folds of the ledger into the documented shapes.

use std::sync::Arc;

use jiff::Timestamp;
use license_types::{
    Availability, DateTime, LeaseSeconds, LicenseInfo, LicensedProduct, Principal, ProductId,
    Reason, RefusalCode, Retention, ServerName, Session, SessionId, SessionState, Token,
};

use crate::{Entry, Ledger, Retained, ledger::day_of, rights::Allowance, wire::count};

/// The record of one retention. It never changes after it is made.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// Identifies the retention.
    pub token: Token,
    /// The product.
    pub product: ProductId,
    /// Name of the product, at that time.
    pub product_name: Arc<str>,
    /// Retained on the server, this one included, when it was retained.
    pub used_count: u64,
    /// Still free over all servers, just after.
    pub balance: u64,
    /// Retained on all servers, this one included, when it was retained.
    pub global_used_count: u64,
    /// When it was retained.
    pub time: Timestamp,
    /// Who or what asked.
    pub reason: Arc<Reason>,
    /// The lease, fixed for the life of the retention.
    pub lease_seconds: Option<LeaseSeconds>,
    /// The session that holds it.
    pub session: Arc<SessionId>,
    /// What was said of the session, unless it was erased since.
    pub description: Option<Arc<Session>>,
    /// Who asked; absent without authentication.
    pub principal: Option<Arc<Principal>>,
}

impl Record {
    pub(crate) fn new(entry: &Entry, retained: &Retained) -> Record {
        Record {
            token: retained.token,
            product: retained.product,
            product_name: retained.product_name.clone(),
            used_count: retained.used_count,
            balance: retained.balance,
            global_used_count: retained.global_used_count,
            time: entry.time,
            reason: retained.reason.clone(),
            lease_seconds: retained.lease_seconds,
            session: retained.session.clone(),
            description: retained.identity.kept().map(|kept| kept.session().clone()),
            principal: entry.stamp.principal.clone(),
        }
    }
}

/// A live retention: its record, and what follows its session. Cheap to clone, so that a report can
/// be written out while the ledger goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What never changes.
    pub record: Arc<Record>,
    /// The session's state, where one is known.
    pub state: Option<SessionState>,
    /// The server that serves the session.
    pub server: Arc<ServerName>,
}

impl Held {
    /// The record as reports show it. Of a description that was erased only the session id is left.
    pub fn retention(&self) -> Retention {
        let record = &*self.record;
        let session = match &record.description {
            Some(session) => Session::clone(session),
            None => Session::rest("", record.session.as_str(), ""),
        };
        Retention {
            product_id: record.product,
            product_name: record.product_name.to_string(),
            product_used_count: count(record.used_count),
            product_balance: count(record.balance),
            global_product_used_count: count(record.global_used_count),
            token: record.token,
            time: DateTime::from(record.time),
            reason: record.reason.as_str().to_owned(),
            session: current(session, record.token, self.state),
        }
    }
}

/// A description with the token and the state that its session has now, where its shape has them.
fn current(mut session: Session, token: Token, state: Option<SessionState>) -> Session {
    let listed_token = match &mut session {
        Session::Client(client) => {
            client.state = state.unwrap_or(client.state);
            &mut client.license_token
        }
        Session::Sql(sql) => &mut sql.license_token,
        Session::Rest(rest) => &mut rest.license_token,
    };
    // A caller that keeps a token in its description gets the true one; others get none.
    if listed_token.is_some() {
        *listed_token = Some(token);
    }
    session
}

impl Ledger {
    /// License usage: one record for each retention that `server` serves, or that all do, in the
    /// order of the tokens.
    pub fn usage(&self, server: Option<&str>) -> impl Iterator<Item = Retention> {
        self.live()
            .filter(move |held| server.is_none_or(|name| held.server.as_str() == name))
            .map(|held| held.retention())
    }

    /// Every live retention, in the order of the tokens.
    pub fn live(&self) -> impl Iterator<Item = Held> {
        self.retentions.values().filter_map(|record| self.with_session(record))
    }

    /// What a session holds, in the order of the tokens.
    pub fn held(&self, session: &SessionId) -> impl Iterator<Item = Held> {
        let held = self.sessions.get(session).map_or(&[][..], |session| &session.held);
        held.iter().filter_map(|(_, token)| self.retention(*token))
    }

    /// The live retention of a token.
    pub fn retention(&self, token: Token) -> Option<Held> {
        self.with_session(self.retentions.get(&token)?)
    }

    fn with_session(&self, record: &Arc<Record>) -> Option<Held> {
        let session = self.sessions.get(&record.session)?;
        let (state, server) = (session.state, session.server.clone());
        Some(Held { record: record.clone(), state, server })
    }

    /// License info: the installed document with live counters; `None` where nothing is installed.
    /// What is held but gone from the license comes last, without rights.
    pub fn info(&self, now: Timestamp) -> Option<LicenseInfo> {
        let license = self.license.as_ref()?;
        let today = day_of(self.instant(now));
        let mut info = license.info().clone();
        for (id, product) in self.listed_products() {
            let used_count = count(product.used);
            let allowed_count = count(self.allowance(product, today).count());
            // Both are in installed order, so what the document lists is found at once.
            match info.products.iter_mut().find(|listed| listed.id == id) {
                Some(listed) => {
                    listed.used_count = used_count;
                    listed.allowed_count = allowed_count;
                }
                None => info.products.push(LicensedProduct {
                    id,
                    name: product.name.to_string(),
                    used_count,
                    allowed_count,
                    rights: Vec::new(),
                }),
            }
        }
        Some(info)
    }

    /// Whether a new session would be granted a license of `product` at `now`, and why not.
    pub fn availability(&self, product: ProductId, now: Timestamp) -> Availability {
        let (allowed_count, used_count) = self.counts(product, now);
        let today = day_of(self.instant(now));
        let listed = self.products.get(&product).filter(|product| product.rights.is_some());
        let (balance, code) = match listed {
            None => (0, Some(RefusalCode::UnknownProduct)),
            Some(product) => {
                let allowance = self.allowance(product, today);
                let code = match allowance {
                    Allowance::Expired { .. } => Some(RefusalCode::LicenseExpired),
                    Allowance::Limited(_) | Allowance::Unlimited => {
                        (!allowance.grants(product.used)).then_some(RefusalCode::NoLicenseLeft)
                    }
                };
                (allowance.balance(product.used), code)
            }
        };
        Availability {
            available: code.is_none(),
            product_id: product,
            allowed_count: count(allowed_count),
            used_count: count(used_count),
            product_balance: count(balance),
            code,
        }
    }
}
