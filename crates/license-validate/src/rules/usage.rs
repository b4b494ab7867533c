//! Rules of a usage report, record by record.
//!
//! Balances are not compared between records: a right that expired, or a license that was replaced,
//! between two retentions changes their sum with the used count, and no report says so.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher as _, Hash, RandomState},
};

use license_types::observed::{Retention, Session};

use super::{REMEMBERED_MAX, Rule, Ruling};

/// What is kept of the records before.
#[derive(Default)]
pub(super) struct Seen {
    previous_token: u64,
    tokens: HashSet<u64>,
    /// What tells a session and a product from others. An id can be of any length, so two keyed
    /// hashes stand for it: nobody can make up ids for which both are the same.
    held: HashSet<[u64; 2]>,
    keys: [RandomState; 2],
    products: BTreeMap<u64, Product>,
}

/// What is kept of the records of one product.
#[derive(Default)]
struct Product {
    records: u64,
    token_max: u64,
}

impl Ruling<'_> {
    pub(super) fn retention(&mut self, retention: &Retention) {
        self.dates(retention);
        self.counts(retention);
        self.token(retention);
        self.held(retention);
    }

    fn dates(&mut self, retention: &Retention) {
        let created = match &retention.session {
            Session::Client(session) => Some(&session.creation_date_time),
            Session::Sql(_) | Session::Rest(_) => None,
        };
        let dates = [("/time", Some(&retention.time)), ("/session/creationDateTime", created)];
        for (at, date) in dates {
            if let Some(date) = date.filter(|date| date.timestamp().is_none()) {
                let detail = format_args!("{date}");
                self.note(Rule::DatesExist, at.to_owned(), "is no day of the calendar", detail);
            }
        }
    }

    fn counts(&mut self, retention: &Retention) {
        let used = ("/productUsedCount", retention.product_used_count.get());
        let global = retention
            .global_product_used_count
            .map(|count| ("/globalProductUsedCount", count.get()));
        for (at, _) in [Some(used), global].into_iter().flatten().filter(|(_, count)| *count == 0) {
            let sentence = "does not include its own retention";
            self.note(Rule::CountsIncludeOwn, at.to_owned(), sentence, format_args!("0"));
        }
        if let Some((_, global)) = global.filter(|(_, global)| used.1 > *global) {
            let sentence = "is above the count over all servers";
            let detail = format_args!("{} of {global}", used.1);
            self.note(Rule::UsedWithinGlobal, used.0.to_owned(), sentence, detail);
        }
        // Without a global count there is one server, so its own count is the global one.
        let (at, count) = global.unwrap_or(used);
        let token = retention.token.get();
        let id = retention.product_id.get();
        if self.seen.products.len() >= REMEMBERED_MAX && !self.seen.products.contains_key(&id) {
            return;
        }
        let product = self.seen.products.entry(id).or_default();
        product.records += 1;
        let held = product.records;
        // Only if all of them are older: what came later is not in the count.
        let is_latest = token > product.token_max;
        product.token_max = product.token_max.max(token);
        if is_latest && count < held {
            let sentence = "is less than the retentions held by then";
            self.note(
                Rule::CountsCoverHeld,
                at.to_owned(),
                sentence,
                format_args!("{count} of {held}"),
            );
        }
    }

    fn token(&mut self, retention: &Retention) {
        let token = retention.token.get();
        let previous = std::mem::replace(&mut self.seen.previous_token, token);
        let detail = format_args!("{token}");
        let at = || "/token".to_owned();
        if !remember(&mut self.seen.tokens, token) {
            self.note(Rule::TokensOnce, at(), "is the token of an earlier record", detail);
        } else if token < previous {
            let detail = format_args!("{token} after {previous}");
            self.note(Rule::TokensInOrder, at(), "is less than the token before", detail);
        }
        if let Some(other) = license_token(&retention.session).filter(|&other| other != token) {
            let sentence = "is not the token of the retention";
            let at = "/session/licenseToken".to_owned();
            self.note(Rule::LicenseToken, at, sentence, format_args!("{other}, expected {token}"));
        }
    }

    fn held(&mut self, retention: &Retention) {
        let (at, id) = match &retention.session {
            Session::Client(session) => ("/session/ID", session.id.digits()),
            Session::Rest(session) => ("/session/sessionID", session.session_id.clone()),
            Session::Sql(_) => return, // nothing tells one from another
        };
        let product = retention.product_id.get();
        let hashes = self.seen.keys.each_ref().map(|key| key.hash_one((product, at, &id)));
        if !remember(&mut self.seen.held, hashes) {
            let sentence = "is a session that holds the product already";
            self.note(Rule::HeldOnce, at.to_owned(), sentence, format_args!("product {product}"));
        }
    }
}

/// Whether `item` is new; one that is not kept is taken for new.
fn remember<T: Hash + Eq>(seen: &mut HashSet<T>, item: T) -> bool {
    if seen.len() < REMEMBERED_MAX { seen.insert(item) } else { !seen.contains(&item) }
}

fn license_token(session: &Session) -> Option<u64> {
    let token = match session {
        Session::Client(session) => session.license_token,
        Session::Sql(session) => session.license_token,
        Session::Rest(session) => session.license_token,
    };
    token.map(|token| token.get())
}
