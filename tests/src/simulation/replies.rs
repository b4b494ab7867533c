//! Judges what processes say, against the log between the arrival of a question and its answer.

use std::collections::BTreeMap;
use std::mem;

use license_pool::log::LedgerId;
use license_pool::{ClockState, Error, Granted, Held, InstallReceipt, Refusal, Seat};
use license_types::{
    ProductId, ReleaseReceipt, Released, RenewReceipt, Retention, SessionId, UninstallReceipt,
};

use super::client::{Client, Kind, Named, Wish};
use super::process::Owed;
use super::truth::{History, Window};
use super::world::{Event, World, ledger_id};

/// An answer, as a client reads it.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Held { token: u64, lease_seconds: Option<u64> },
    Nothing,
    Released,
    Refused,
    Failed,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Nobody, where only what the answer says matters.
    pub(super) client: Option<usize>,
    /// The session that it is about.
    pub(super) session: SessionId,
    pub(super) number: u64,
    pub(super) wish: Wish,
    pub(super) ledger: usize,
    /// Where the ledger ended when the request arrived.
    pub(super) after: u64,
    /// When that was.
    pub(super) asked: u64,
}

/// What a process answers.
pub(super) enum Answer {
    Granted(Result<Box<Granted>, Error>),
    Seated(Result<Seat, Error>),
    Renewed(Result<RenewReceipt, Error>),
    Released(Result<ReleaseReceipt, Error>),
    SeatReleased(Result<Released, Error>),
    Held(Result<Vec<Held>, Error>),
    /// What somebody got who asked for what is another's.
    Stolen(Result<ReleaseReceipt, Error>),
    Installed(Result<InstallReceipt, Error>),
    Uninstalled(Result<UninstallReceipt, Error>),
    Corrected(Result<ClockState, Error>),
}

/// What a client is told, and whether its server has to end.
type Judged = Result<(Option<Reply>, bool), String>;

impl World {
    pub(super) fn judge_replies(
        &mut self,
        server: usize,
        before: &BTreeMap<LedgerId, u64>,
    ) -> Result<(), String> {
        let mut fenced = false;
        let all = mem::take(&mut self.servers[server].owed);
        let askers: Vec<Option<usize>> = all.iter().map(|owed| owed.question.client).collect();
        for mut owed in all {
            let Some(answer) = (owed.answer)() else {
                self.servers[server].owed.push(owed);
                continue;
            };
            let Owed { question, .. } = owed;
            let window = Window { after: question.after, to: self.end_of(question.ledger) };
            // Whether something was done can be told where the client asked nothing else.
            let alone = askers.iter().filter(|asker| **asker == question.client).count() == 1;
            let begin = before.get(&ledger_id(question.ledger)).copied().unwrap_or(0);
            let step = Window { after: if alone { begin } else { window.to }, to: window.to };
            self.tally.replies += 1;
            self.servers[server].orders.retain(|order| !order.is_of(&question));
            self.answered(server, &question, &answer);
            let judged = self.judge_reply(server, &question, window, step, begin, answer);
            let told =
                |what| format!("server-{server} answered {:?} wrongly: {what}", question.wish);
            let (reply, ends) = judged.map_err(told)?;
            fenced |= ends;
            if let (Some(client), Some(reply)) = (question.client, reply) {
                let inside = self.clients[client].kind != Kind::Lease;
                if inside || !self.happens(self.scenario.loss) {
                    let delay = if inside { 0 } else { self.delay() };
                    self.plan(delay, Event::Reply { client, number: question.number, reply });
                }
            }
        }
        if fenced {
            self.kill(server);
        }
        Ok(())
    }

    fn judge_reply(
        &mut self,
        server: usize,
        question: &Question,
        window: Window,
        step: Window,
        begin: u64,
        answer: Answer,
    ) -> Judged {
        match answer {
            Answer::Granted(Ok(granted)) => self.granted(question, window, &granted),
            Answer::Seated(Ok(seat)) => self.seated(question, window, seat),
            Answer::Renewed(Ok(receipt)) => self.renewed(question, window, &receipt),
            Answer::Released(Ok(receipt)) => self.released(question, window, &receipt.released),
            Answer::SeatReleased(Ok(released)) => self.released(question, window, &[released]),
            Answer::Held(Ok(held)) => self.held(question, window, &held),
            Answer::Stolen(Ok(_)) => Err("it released what is another's".to_owned()),
            Answer::Installed(Ok(_)) => {
                self.tally.replaced += 1;
                Ok((None, false))
            }
            Answer::Uninstalled(Ok(_)) => {
                self.tally.uninstalled += 1;
                Ok((None, false))
            }
            Answer::Corrected(Ok(_)) => {
                self.tally.corrected += 1;
                Ok((None, false))
            }
            // Who looks at it holds nothing, or another holds it.
            Answer::Stolen(Err(Error::Refused(
                Refusal::NotPermitted { .. } | Refusal::NotRetained { .. },
            ))) => Ok((None, false)),
            // Who waited was refused by what is true at the end of its wait.
            Answer::Granted(Err(error)) => match question.wish {
                Wish::Retain { wait: 1.. } => {
                    let last = Window { after: begin.max(window.after), ..window };
                    self.refused(server, question, last, step, &error)
                }
                Wish::Retain { .. } | Wish::Renew | Wish::Release { .. } => {
                    self.refused(server, question, window, step, &error)
                }
            },
            Answer::Seated(Err(error))
            | Answer::Renewed(Err(error))
            | Answer::Released(Err(error))
            | Answer::SeatReleased(Err(error))
            | Answer::Held(Err(error))
            | Answer::Stolen(Err(error))
            | Answer::Installed(Err(error))
            | Answer::Uninstalled(Err(error))
            | Answer::Corrected(Err(error)) => self.refused(server, question, window, step, &error),
        }
    }

    /// The product of which a release is to end what is held; none where that is all.
    fn product_of(&self, question: &Question, named: Named) -> Option<ProductId> {
        let client = question.client.map(|client| &self.clients[client]);
        client.filter(|_| named != Named::Session).map(|client| client.product)
    }

    fn history(&self, question: &Question) -> Result<&History, String> {
        let history = self.truth.ledger(ledger_id(question.ledger));
        history.ok_or_else(|| "its ledger is empty".to_owned())
    }

    /// A retention that the client was told of: it is the one in the log, to the letter.
    fn own(&self, question: &Question, window: Window, told: &Retention) -> Result<u64, String> {
        let token = told.token.get();
        let history = self.history(question)?;
        let life = history.life(token).ok_or("the log has no such retention")?;
        if life.session != question.session {
            return Err(format!("token {token} is another's"));
        }
        if !history.was_held(token, window) {
            return Err(format!("token {token} was not held then"));
        }
        let record = &life.record;
        let logged = (record.product, record.used_count, record.balance, record.global_used_count);
        let counters = (
            told.product_id,
            told.product_used_count.get(),
            told.product_balance.get(),
            told.global_product_used_count.get(),
        );
        if logged != counters || told.time.timestamp() != life.time {
            return Err(format!("token {token} has another record: {told:?}, not {record:?}"));
        }
        Ok(token)
    }

    fn granted(&self, question: &Question, window: Window, granted: &Granted) -> Judged {
        let client = &self.clients[question.client.expect("a client asked")];
        let (receipt, new) = (granted.receipt(), granted.new);
        let token = self.own(question, window, &receipt.retention)?;
        self.is_wanted(question, window, &receipt.retention, new)?;
        let lease = receipt.lease.as_ref().map(|lease| lease.lease_seconds.get());
        if lease.is_some() != (client.kind == Kind::Lease) {
            return Err(format!("its lease is {lease:?}"));
        }
        Ok((Some(Reply::Held { token, lease_seconds: lease }), false))
    }

    fn seated(&mut self, question: &Question, window: Window, seat: Seat) -> Judged {
        let record = seat.record();
        let token = self.own(question, window, &record)?;
        self.is_wanted(question, window, &record, seat.is_new())?;
        let client = &mut self.clients[question.client.expect("a client asked")];
        if question.number == client.sent {
            client.seat = Some(seat);
        }
        Ok((Some(Reply::Held { token, lease_seconds: None }), false))
    }

    fn is_wanted(
        &self,
        question: &Question,
        window: Window,
        told: &Retention,
        new: bool,
    ) -> Result<(), String> {
        let client = &self.clients[question.client.expect("a client asked")];
        let life = self.history(question)?.life(told.token.get());
        let life = life.ok_or("the log has no such retention")?;
        if life.product != client.product {
            return Err(format!("token {} is of another product", told.token));
        }
        if new && life.began <= window.after {
            return Err(format!("token {} is not new", told.token));
        }
        Ok(())
    }

    fn renewed(&self, question: &Question, window: Window, receipt: &RenewReceipt) -> Judged {
        let client = &self.clients[question.client.expect("a client asked")];
        let history = self.history(question)?;
        if client.state.is_some_and(|it| !history.was_in(&question.session, it, window)) {
            return Err(format!("it never was {:?}", client.state));
        }
        let mut reply = None;
        for held in &receipt.held {
            let token = self.own(question, window, &held.retention)?;
            let lease = held.lease.as_ref().ok_or("it names no lease")?;
            let lease_seconds = Some(lease.lease_seconds.get());
            if held.retention.product_id == client.product {
                reply = Some(Reply::Held { token, lease_seconds });
            }
        }
        if receipt.held.is_empty() {
            return Err("it renewed nothing".to_owned());
        }
        let product = Some(client.product);
        if reply.is_none() && !history.held_nothing(&question.session, product, window) {
            return Err(format!("{} is held and missing", client.product));
        }
        Ok((Some(reply.unwrap_or(Reply::Nothing)), false))
    }

    fn released(&self, question: &Question, window: Window, released: &[Released]) -> Judged {
        let history = self.history(question)?;
        for released in released {
            let life = history.life(released.token.get()).ok_or("there was no such retention")?;
            if life.ended.is_none_or(|ended| ended <= window.after) {
                return Err(format!("token {} was not released then", released.token));
            }
        }
        if let Wish::Release { named, .. } = question.wish {
            let product = self.product_of(question, named);
            if named != Named::Token && !history.held_nothing(&question.session, product, window) {
                return Err(format!("it held what was to end of {product:?} all the time"));
            }
        }
        Ok((Some(Reply::Released), false))
    }

    fn held(&self, question: &Question, window: Window, held: &[Held]) -> Judged {
        let history = self.history(question)?;
        let told: Vec<u64> = held.iter().map(|held| held.record.token.get()).collect();
        if let Some(token) = told.iter().find(|token| !history.was_held(**token, window)) {
            return Err(format!("token {token} was not held then"));
        }
        let throughout =
            |token: &u64| history.life(*token).is_some_and(|life| life.began <= window.after);
        match history.held().into_iter().filter(throughout).find(|token| !told.contains(token)) {
            Some(token) => Err(format!("token {token} is held and missing")),
            None => Ok((None, false)),
        }
    }

    fn refused(
        &self,
        server: usize,
        question: &Question,
        window: Window,
        step: Window,
        error: &Error,
    ) -> Judged {
        let history = self.history(question)?;
        let client = question.client.map(|client| &self.clients[client]);
        match (error, client) {
            (Error::Refused(refusal), Some(client)) => {
                if !self.was_so(refusal, question, client, history, window) {
                    return Err(format!("{error}, and that was never so"));
                }
                let reply = match refusal {
                    Refusal::NotRetained { .. } => Reply::Nothing,
                    _ => Reply::Refused,
                };
                Ok((Some(reply), false))
            }
            (Error::Refused(Refusal::UnknownLicense { .. }), None)
                if history.was_uninstalled(window) =>
            {
                Ok((None, false))
            }
            (Error::Refused(Refusal::InUse { .. }), None) if history.was_in_use(window) => {
                Ok((None, false))
            }
            (Error::StoreUnavailable(_), Some(client)) => {
                let here = &self.servers[server].name;
                let done = match question.wish {
                    Wish::Retain { .. } => {
                        history.retained_in(&question.session, client.product, step, here)
                    }
                    Wish::Release { token, .. } => history.released_in(token, step, here),
                    Wish::Renew => false,
                };
                if done {
                    return Err("it said that nothing was done, and something was".to_owned());
                }
                Ok((Some(Reply::Failed), false))
            }
            (Error::StoreUnavailable(_) | Error::OutcomeUnknown(_), _) => {
                Ok((Some(Reply::Failed), false))
            }
            (Error::ClockSkew { before, after }, Some(client)) => {
                let skewed = history.moments(client.product, window).any(|(offer, _)| {
                    let ends = offer.and_then(|offer| offer.ends);
                    ends.is_some_and(|ends| *before < ends && ends <= *after)
                });
                if !skewed {
                    return Err(format!("{error}, and no date lies between"));
                }
                Ok((Some(Reply::Failed), false))
            }
            (Error::Fenced(_) | Error::Closed, _) => Ok((Some(Reply::Failed), true)),
            (error, _) => Err(format!("unexpectedly, {error:?}")),
        }
    }

    /// Whether the reason of a refusal held at some moment between the question and its answer.
    fn was_so(
        &self,
        refusal: &Refusal,
        question: &Question,
        client: &Client,
        history: &History,
        window: Window,
    ) -> bool {
        match refusal {
            Refusal::NoLicenseLeft { .. } => {
                history.moments(client.product, window).any(|(offer, used)| {
                    offer.and_then(|offer| offer.count).is_some_and(|count| used >= count)
                })
            }
            Refusal::LicenseExpired { .. } => history
                .moments(client.product, window)
                .any(|(offer, _)| offer.is_some_and(|offer| offer.ends.is_some())),
            Refusal::UnknownProduct { .. } => {
                history.moments(client.product, window).any(|(offer, _)| offer.is_none())
            }
            Refusal::NotRetained { token: Some(token), .. } => {
                let life = history.life(token.get());
                life.is_none_or(|life| {
                    // It may have begun since, where a store went back and gives it again.
                    life.session != question.session
                        || life.began > window.after
                        || life.ended.is_some_and(|end| end <= window.to)
                })
            }
            Refusal::NotRetained { token: None, .. } => {
                let product = match question.wish {
                    Wish::Release { named, .. } => self.product_of(question, named),
                    Wish::Retain { .. } | Wish::Renew => None,
                };
                history.held_nothing(&question.session, product, window)
            }
            Refusal::OverMaximum { max_seats, .. } => {
                let principal = client.principal.as_ref();
                principal.is_some_and(|it| history.reached(it, *max_seats, window))
            }
            Refusal::UnknownLicense { .. } => history.was_uninstalled(window),
            Refusal::NotPermitted { .. } | Refusal::InUse { .. } => false,
        }
    }
}
