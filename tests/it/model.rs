//! An independent model of the ledger: a few lists, searched and counted from scratch each time.
//! It is written against the domain's rules, not against the core, and answers scripts as an engine.

use std::rc::Rc;

use jiff::{Timestamp, civil::Date, tz::Offset};
use license_types::{ProductId, Session, SessionState};
use serde_json::Value;

use crate::scripts::{
    engine::Engine,
    script::{Need, Operation, Step},
};

#[derive(Clone)]
pub(crate) struct Model {
    now: Timestamp,
    log: Vec<String>,
    last_logged: Timestamp,
    /// The installed document, as text and read, and every number that it bore.
    installed: Option<(String, Rc<Value>)>,
    numbers: Vec<String>,
    /// Ids of products, in the order in which `info` lists them.
    shelf: Vec<u64>,
    held: Vec<Hold>,
    granted: u64,
    known: Vec<Known>,
}

/// A retention that is held.
#[derive(Clone)]
struct Hold {
    session: String,
    product: u64,
    principal: Option<String>,
    token: u64,
    counters: String,
    since: Timestamp,
    reason: String,
    description: Session,
}

/// A session that holds something.
#[derive(Clone)]
struct Known {
    session: String,
    server: String,
    owner: Option<String>,
    state: Option<SessionState>,
    descriptions: Vec<Session>,
}

/// What the license says of a product now.
enum Stock {
    Unknown,
    Expired,
    Count(u64),
    Unlimited,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            now: Timestamp::UNIX_EPOCH,
            log: Vec::new(),
            last_logged: Timestamp::MIN,
            installed: None,
            numbers: Vec::new(),
            shelf: Vec::new(),
            held: Vec::new(),
            granted: 0,
            known: Vec::new(),
        }
    }

    fn time(&self) -> Timestamp {
        if self.now < self.last_logged { self.last_logged } else { self.now }
    }

    fn write(&mut self, line: String) {
        self.last_logged = self.time();
        self.log.push(format!("{} {line}", self.log.len() + 1));
    }

    fn document(&self) -> Option<Rc<Value>> {
        self.installed.as_ref().map(|(_, document)| document.clone())
    }

    fn used(&self, product: u64) -> u64 {
        self.held.iter().filter(|hold| hold.product == product).count() as u64
    }

    fn used_on(&self, product: u64, server: &str) -> u64 {
        let there = |hold: &&Hold| self.session(&hold.session).unwrap().server == server;
        self.held.iter().filter(|hold| hold.product == product).filter(there).count() as u64
    }

    fn session(&self, session: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.session == session)
    }

    /// Whether something that bears this date is still valid: through the end of the day, in UTC.
    fn valid(&self, date: &Value) -> bool {
        if date.is_null() {
            return true;
        }
        let number = |name: &str| date[name].as_i64().unwrap();
        let (year, month, day) = (number("year"), number("month"), number("day"));
        let date = Date::new(year as i16, month as i8, day as i8).unwrap();
        let midnight_after = date.tomorrow().unwrap().at(0, 0, 0, 0);
        self.time() < Offset::UTC.to_timestamp(midnight_after).unwrap()
    }

    fn stock_in(&self, document: &Value, product: u64) -> Stock {
        let products = document["products"].as_array().unwrap();
        let Some(listed) = products.iter().find(|listed| listed["id"] == product) else {
            return Stock::Unknown;
        };
        let rights = listed["rights"].as_array().unwrap();
        let license_valid = self.valid(&document["expirationDate"]);
        let valid: Vec<u64> = rights
            .iter()
            .filter(|right| license_valid && self.valid(&right["expirationDate"]))
            .map(|right| right["count"].as_u64().unwrap())
            .collect();
        if !license_valid || (valid.is_empty() && !rights.is_empty()) {
            Stock::Expired
        } else if valid.contains(&32767) {
            Stock::Unlimited
        } else {
            Stock::Count(valid.iter().sum())
        }
    }

    fn stock(&self, product: u64) -> Stock {
        match self.document() {
            Some(document) => self.stock_in(&document, product),
            None => Stock::Unknown,
        }
    }

    fn allowed(&self, product: u64) -> u64 {
        shown(&self.stock(product))
    }

    /// Why a newcomer is refused, if it is.
    fn verdict(&self, product: u64) -> Option<&'static str> {
        match self.stock(product) {
            Stock::Unknown => Some("unknown_product"),
            Stock::Expired => Some("license_expired"),
            Stock::Count(count) if self.used(product) >= count => Some("no_license_left"),
            Stock::Count(_) | Stock::Unlimited => None,
        }
    }

    fn move_to(&mut self, session: &str, server: &str) {
        let known = self.known.iter_mut().find(|known| known.session == session).unwrap();
        if known.server != server {
            known.server = server.to_owned();
            self.write(format!("moved {session} to {server}"));
        }
    }

    fn is_foreign(&self, step: &Step, session: &str) -> bool {
        let owner = self.session(session).and_then(|known| known.owner.as_ref());
        matches!((owner, &step.principal), (Some(owner), Some(caller)) if *owner != caller.name)
    }

    fn retain(
        &mut self,
        step: &Step,
        product: u64,
        session: &str,
        reason: &str,
        description: Session,
    ) -> Vec<String> {
        let server = step.server.as_deref().unwrap_or("local");
        let principal = step.principal.as_ref();
        if self.installed.is_none() {
            return vec!["unknown_license".into()];
        }
        let mut refusal = self.is_foreign(step, session).then_some("not_permitted");
        if refusal.is_none() {
            let already = |hold: &&Hold| hold.session == session && hold.product == product;
            if let Some(hold) = self.held.iter().find(already) {
                let answer = hold.counters.clone();
                self.move_to(session, server);
                let known = self.known.iter_mut().find(|known| known.session == session).unwrap();
                if !known.descriptions.contains(&description) {
                    known.descriptions.push(description);
                    self.write(format!("described {session}"));
                }
                return vec![answer];
            }
            refusal = self.verdict(product);
            if refusal != Some("unknown_product")
                && let Some(principal) = principal
                && let Some(max) = principal.max_seats
                && self
                    .held
                    .iter()
                    .filter(|hold| hold.principal.as_ref() == Some(&principal.name))
                    .count() as u64
                    >= max
            {
                refusal = Some("not_permitted");
            }
        }
        let (allowed, used) = (self.allowed(product), self.used(product));
        if let Some(code) = refusal {
            let facts = format!("allowed={allowed} used={used}");
            self.write(format!("refused {} {session} {code} {facts}", spelled(product)));
            let tail = if code == "no_license_left" { format!(" {facts}") } else { String::new() };
            return vec![format!("{code}{tail}")];
        }
        match self.session(session) {
            Some(_) => self.move_to(session, server),
            None => self.known.push(Known {
                session: session.to_owned(),
                server: server.to_owned(),
                owner: None,
                state: None,
                descriptions: Vec::new(),
            }),
        }
        let here = self.used_on(product, server) + 1;
        let global = if here == used + 1 { String::new() } else { format!(" global={}", used + 1) };
        let balance = match self.stock(product) {
            Stock::Unlimited => 32767,
            stock => shown(&stock) - (used + 1),
        };
        self.granted += 1;
        let token = self.granted;
        let counters = format!("token={token} used={here}{global} balance={balance}");
        self.write(format!("retained {} {session} token={token}", spelled(product)));
        let known = self.known.iter_mut().find(|known| known.session == session).unwrap();
        if let Session::Client(client) = &description {
            known.state = known.state.or(Some(client.state));
        }
        known.owner = known.owner.take().or(principal.map(|principal| principal.name.clone()));
        if !known.descriptions.contains(&description) {
            known.descriptions.push(description.clone());
        }
        self.held.push(Hold {
            session: session.to_owned(),
            product,
            principal: principal.map(|principal| principal.name.clone()),
            token,
            counters: counters.clone(),
            since: self.time(),
            reason: reason.to_owned(),
            description,
        });
        vec![counters]
    }

    fn renew(&mut self, step: &Step, session: &str, state: Option<SessionState>) -> Vec<String> {
        if self.installed.is_none() {
            return vec!["unknown_license".into()];
        }
        if self.is_foreign(step, session) {
            return vec!["not_permitted".into()];
        }
        if self.session(session).is_none() {
            return vec!["not_retained".into()];
        }
        self.move_to(session, step.server.as_deref().unwrap_or("local"));
        let known = self.known.iter_mut().find(|known| known.session == session).unwrap();
        if let Some(state) = state
            && known.state != Some(state)
        {
            known.state = Some(state);
            self.write(format!("state_changed {session} {state}"));
        }
        let tokens = self.held.iter().filter(|hold| hold.session == session);
        vec![tokens.fold("renewed".into(), |line, hold| format!("{line} token={}", hold.token))]
    }

    fn release(&mut self, which: impl Fn(&Hold) -> bool) -> Vec<String> {
        if self.installed.is_none() {
            return vec!["unknown_license".into()];
        }
        let (gone, kept): (Vec<Hold>, Vec<Hold>) = self.held.drain(..).partition(which);
        self.held = kept;
        for hold in &gone {
            let product = spelled(hold.product);
            self.write(format!("released {product} {} token={}", hold.session, hold.token));
        }
        let held = &self.held;
        self.known.retain(|known| held.iter().any(|hold| hold.session == known.session));
        if gone.is_empty() {
            return vec!["not_retained".into()];
        }
        vec![
            gone.iter()
                .fold("released".into(), |line, hold| format!("{line} token={}", hold.token)),
        ]
    }

    fn install(&mut self, text: String, replaces: Option<&String>) -> Vec<String> {
        let document: Value = serde_json::from_str(&text).unwrap();
        let number = document["licenseNumber"].as_str().unwrap().to_owned();
        let continues = match replaces {
            Some(replaces) => self.numbers.contains(replaces),
            None => self.installed.is_none() || self.numbers.contains(&number),
        };
        if !continues {
            return vec!["unknown_license".into()];
        }
        let products = document["products"].as_array().unwrap();
        let ids: Vec<u64> =
            products.iter().map(|product| product["id"].as_u64().unwrap()).collect();
        let gone: Vec<u64> = self.listed().into_iter().filter(|id| !ids.contains(id)).collect();
        let mut lines = Vec::new();
        for id in ids.iter().chain(&gone) {
            let after = self.stock_in(&document, *id);
            let (before, held) = (self.allowed(*id), self.used(*id));
            let over = match after {
                Stock::Unlimited => 0,
                _ => held.max(shown(&after)) - shown(&after),
            };
            let after = shown(&after);
            lines.push(format!(
                "{} allowed {before} -> {after} held={held} over={over}",
                spelled(*id)
            ));
        }
        let mut warnings = Vec::new();
        for (index, product) in products.iter().enumerate() {
            let computed = [
                ("usedCount", self.used(ids[index])),
                ("allowedCount", shown(&self.stock_in(&document, ids[index]))),
            ];
            for (name, computed) in computed {
                if product[name] != computed {
                    warnings.push(format!(
                        "warning: /products/{index}/{name} says {}; {computed} is computed and counts",
                        product[name]
                    ));
                }
            }
        }
        let unchanged = self.installed.as_ref().is_some_and(|(installed, _)| *installed == text);
        let answer = match &self.installed {
            _ if unchanged => vec!["unchanged".into()],
            None => vec!["installed".into()],
            Some(_) => [vec!["replaced".into()], lines].concat(),
        };
        if !unchanged {
            self.write(format!("installed {number}"));
            self.shelf = [ids, gone].concat();
            self.numbers.push(number);
            self.installed = Some((text, Rc::new(document)));
        }
        [answer, warnings].concat()
    }

    /// What `info` lists: the license's products, and after them what is held without it.
    fn listed(&self) -> Vec<u64> {
        let shown = |id: &&u64| !matches!(self.stock(**id), Stock::Unknown) || self.used(**id) > 0;
        self.shelf.iter().filter(shown).copied().collect()
    }

    fn usage(&self, server: Option<&String>) -> Vec<String> {
        let mut lines = Vec::new();
        for hold in &self.held {
            let known = self.session(&hold.session).unwrap();
            if server.is_some_and(|server| *server != known.server) {
                continue;
            }
            let (who, token) = match &hold.description {
                Session::Client(client) => {
                    let state = known.state.unwrap_or(client.state);
                    (format!("client {} {state}", client.user_name), client.license_token)
                }
                Session::Sql(sql) => (format!("sql {}", sql.user_name), sql.license_token),
                Session::Rest(rest) => (format!("rest {}", rest.session_id), rest.license_token),
            };
            let mut line = format!("{} {}", spelled(hold.product), hold.counters);
            line += &format!(" since {} by {who}", hold.since.strftime("%F %T"));
            if hold.reason != "CLIENT" {
                line += &format!(" reason={}", hold.reason);
            }
            if token.is_some() {
                line += &format!(" licenseToken={}", hold.token);
            }
            lines.push(line);
        }
        if lines.is_empty() { vec!["nothing is held".into()] } else { lines }
    }

    fn info(&self) -> Vec<String> {
        let Some(document) = self.document() else { return vec!["null".into()] };
        let products = document["products"].as_array().unwrap();
        let line = |id: u64| {
            let listed = products.iter().find(|product| product["id"] == id);
            let rights = listed.map_or(0, |product| product["rights"].as_array().unwrap().len());
            let (used, allowed) = (self.used(id), self.allowed(id));
            format!("{} used={used} allowed={allowed} rights={rights}", spelled(id))
        };
        self.listed().into_iter().map(line).collect()
    }

    fn available(&self, product: u64) -> Vec<String> {
        let (allowed, used) = (self.allowed(product), self.used(product));
        vec![match self.verdict(product) {
            Some(code) => format!("no: {code} allowed={allowed} used={used}"),
            None => match self.stock(product) {
                Stock::Unlimited => "yes balance=32767".into(),
                stock => format!("yes balance={}", shown(&stock) - used),
            },
        }]
    }
}

fn shown(stock: &Stock) -> u64 {
    match stock {
        Stock::Unknown | Stock::Expired => 0,
        Stock::Count(count) => *count,
        Stock::Unlimited => 32767,
    }
}

fn spelled(product: u64) -> String {
    let id = ProductId::new(product).unwrap();
    id.spelling().unwrap_or_else(|| id.to_string())
}

impl Engine for Model {
    fn offers(&self, need: Need) -> bool {
        match need {
            Need::Servers | Need::Principals => true,
        }
    }

    fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
    }

    fn restart(&mut self) {}

    fn execute(&mut self, step: &Step) -> Vec<String> {
        match &step.operation {
            Operation::At(_) | Operation::Restart => unreachable!("the runner's own"),
            Operation::Install { document, replaces } => {
                let text = document.json(self.time(), |id| self.used(id.get()));
                self.install(text, replaces.as_ref())
            }
            Operation::Retain { product, session, reason, describe } => {
                let reason = reason.as_deref().unwrap_or("CLIENT");
                let describe = describe
                    .clone()
                    .unwrap_or_else(|| Session::rest("tester", session.as_str(), "127.0.0.1"));
                self.retain(step, product.get(), session.as_str(), reason, describe)
            }
            Operation::Renew { session, state } => self.renew(step, session.as_str(), *state),
            Operation::Release { session, product, token } => {
                if self.installed.is_some() && self.is_foreign(step, session.as_str()) {
                    return vec!["not_permitted".into()];
                }
                self.release(|hold| {
                    hold.session == session.as_str()
                        && product.is_none_or(|product| product.get() == hold.product)
                        && token.is_none_or(|token| token.get() == hold.token)
                })
            }
            Operation::ReleaseToken(token) => self.release(|hold| hold.token == token.get()),
            Operation::Usage { server } => self.usage(server.as_ref()),
            Operation::Info => self.info(),
            Operation::Available(product) => self.available(product.get()),
            Operation::History => self.log.clone(),
        }
    }
}
