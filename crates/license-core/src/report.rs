//! Reports: folds of the ledger into the documented shapes.

use std::sync::Arc;

use jiff::Timestamp;
use license_types::{
    Availability, DateTime, LicenseInfo, LicensedProduct, Principal, ProductId, RefusalCode,
    Retention, ServerName, Session, SessionId, SessionState, Token,
};

use crate::{
    Ledger, Refusal, Retained,
    json::Json,
    rights::Allowance,
    session::{Holding, Live},
    wire::count,
};

/// A live retention: its record, and what follows its session. Cheap to clone, so that a report can
/// be written out while the ledger goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What never changes.
    pub record: Arc<Retained>,
    /// When it was retained.
    pub time: Timestamp,
    /// The session's state, where one is known.
    pub state: Option<SessionState>,
    /// The server that serves the session.
    pub server: Arc<ServerName>,
}

impl Held {
    /// The record as reports show it. Of a description that was erased only the session id is left.
    pub fn retention(&self) -> Retention {
        let record = &*self.record;
        let session = match record.identity.kept() {
            Some(description) => description.current(record.token, self.state),
            None => Session::rest("", record.session.as_str(), ""),
        };
        Retention {
            product_id: record.product,
            product_name: record.product_name.to_string(),
            product_used_count: count(record.used_count),
            product_balance: count(record.balance),
            global_product_used_count: count(record.global_used_count),
            token: record.token,
            time: DateTime::from(self.time),
            reason: record.reason.as_str().to_owned(),
            session,
        }
    }

    /// The JSON of [`retention`](Self::retention).
    pub fn to_json(&self) -> String {
        let mut json = Vec::new();
        self.write_json(&mut json);
        String::from_utf8(json).expect("JSON is text")
    }

    /// Writes the JSON of [`retention`](Self::retention) behind what is there, mostly without reading
    /// the description: long reports are written with this.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let record = &*self.record;
        let described = record.identity.kept().filter(|it| it.is_current(self.state));
        let Some(description) = described else {
            let retention = self.retention();
            serde_json::to_writer(out, &retention).expect("a record has only text keys");
            return;
        };
        let mut json = Json(out);
        json.put(r#"{"productId":"#).number(record.product.get());
        json.put(r#","productName":"#).text(&record.product_name);
        json.put(r#","productUsedCount":"#).number(count(record.used_count).get());
        json.put(r#","productBalance":"#).number(count(record.balance).get());
        json.put(r#","globalProductUsedCount":"#).number(count(record.global_used_count).get());
        json.put(r#","token":"#).number(record.token.get());
        json.put(r#","time":""#).time(self.time);
        json.put(r#"","reason":"#).text(record.reason.as_str());
        json.put(r#","session":"#).put(description.text()).put("}");
    }
}

impl Ledger {
    /// License usage: one record for each retention that `server` serves, or that all do, in the
    /// order of the tokens.
    pub fn usage(&self, server: Option<&str>) -> impl Iterator<Item = Retention> {
        self.live()
            .filter(move |held| server.is_none_or(|name| held.server.as_str() == name))
            .map(|held| held.retention())
    }

    /// How many retentions are live.
    pub fn held_count(&self) -> u64 {
        self.products.values().map(|product| product.used).sum()
    }

    /// Every live retention, in the order of the tokens.
    pub fn live(&self) -> impl Iterator<Item = Held> {
        self.retentions.values().filter_map(|live| self.with_session(live))
    }

    /// The live retentions after a token, in the order of the tokens: a page begins where the one
    /// before ended.
    pub fn live_after(&self, after: Option<Token>) -> impl Iterator<Item = Held> {
        let from = after.map_or(0, |after| after.get().saturating_add(1));
        self.retentions.values_from(from).filter_map(|live| self.with_session(live))
    }

    /// What a session holds, in the order of the tokens.
    pub fn held(&self, session: &SessionId) -> impl Iterator<Item = Held> {
        let tokens = self.holding(session).into_iter().flat_map(|holding| holding.held());
        tokens.filter_map(|(_, token)| self.retention(token))
    }

    /// Whether `principal` may act on a session: its own, or one that belongs to nobody. Without
    /// authentication, any.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] where it belongs to another principal.
    pub fn owned(
        &self,
        session: &Arc<SessionId>,
        principal: Option<&Arc<Principal>>,
    ) -> Result<(), Refusal> {
        self.permitted(session, principal).map(drop)
    }

    /// What a session holds, if anything, unless it belongs to another principal. One that was opened
    /// without authentication belongs to nobody; without authentication, any may be acted on.
    pub(crate) fn permitted(
        &self,
        session: &Arc<SessionId>,
        principal: Option<&Arc<Principal>>,
    ) -> Result<Option<Holding<'_>>, Refusal> {
        let found = self.holding(session);
        match (found.and_then(|found| found.session.principal.as_ref()), principal) {
            (Some(owner), Some(caller)) if owner != caller => {
                Err(Refusal::NotPermitted { session: session.clone() })
            }
            _ => Ok(found),
        }
    }

    /// The live retention of a token.
    pub fn retention(&self, token: Token) -> Option<Held> {
        self.with_session(self.retentions.get(token)?)
    }

    fn with_session(&self, live: &Live) -> Option<Held> {
        let session = self.retentions.session_of(live)?;
        let (state, server) = (session.state, session.server.clone());
        Some(Held { record: live.record.clone(), time: live.time, state, server })
    }

    /// License info: the installed document with live counters; `None` where nothing is installed.
    /// What is held but gone from the license comes last, without rights.
    pub fn info(&self, now: Timestamp) -> Option<LicenseInfo> {
        let license = self.license.as_ref()?;
        let time = self.instant(now);
        let mut info = license.info().clone();
        for (index, (id, product)) in self.listed_products().enumerate() {
            let used_count = count(product.used);
            let allowed_count = count(self.allowance(product, time).count());
            // The ledger's order is the document's; what is gone from it follows.
            match info.products.get_mut(index) {
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
    ///
    /// ```
    /// use license_core::Ledger;
    /// use license_types::RefusalCode;
    ///
    /// let now = "2026-01-05T10:00:00Z".parse()?;
    /// let availability = Ledger::new().availability("0009".parse()?, now);
    /// assert!(!availability.available);
    /// assert_eq!(availability.code, Some(RefusalCode::UnknownProduct));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn availability(&self, product: ProductId, now: Timestamp) -> Availability {
        let (allowed_count, used_count) = self.counts(product, now);
        let time = self.instant(now);
        let listed = self.products.get(&product).filter(|product| product.rights.is_some());
        let (balance, code) = match listed {
            None => (0, Some(RefusalCode::UnknownProduct)),
            Some(product) => {
                let allowance = self.allowance(product, time);
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
