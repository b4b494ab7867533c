//! Judges what servers write and say.

use std::collections::BTreeMap;
use std::mem;

use jiff::SignedDuration;
use license_core::{Entry, Event as Logged, Ledger};
use license_pool::log::{LedgerId, Log};
use license_pool::{Error, Granted, Held, Refusal};
use license_types::{ReleaseReceipt, RenewReceipt};

use super::client::Wish;
use super::scenario::Clocks;
use super::truth::{Ending, Window};
use super::world::{Answer, Event, Owed, Question, Reply, World, ledger_id};

/// What a client is told, and whether its server has to end.
type Judged = Result<(Option<Reply>, bool), String>;

impl World {
    pub(super) fn judge_log(&mut self) -> Result<(), String> {
        let World { scenario, servers, truth, store, tally, told, time, .. } = self;
        let honest = servers[0].clock.true_instant();
        // How far an entry's time may be from the true time.
        let tolerance = match scenario.clocks {
            Clocks::True => SignedDuration::from_secs(1),
            Clocks::Wander => SignedDuration::from_mins(90),
            Clocks::FarFuture | Clocks::Back => SignedDuration::from_mins(1),
            Clocks::Jump => SignedDuration::MAX,
        };
        let (told, now) = (*told, time.now());
        let endings = truth.read(store, |entry: &Entry| {
            if told {
                let Entry { sequence, time, stamp, event, .. } = entry;
                eprintln!("{now:>7} {} writes {sequence} at {time}: {event:?}", stamp.server);
            }
            tally.entries += 1;
            tally.grants += u64::from(matches!(entry.event, Logged::Retained(_)));
            tally.adoptions += u64::from(matches!(entry.event, Logged::Adopted { .. }));
            let off = honest.duration_since(entry.time).abs();
            if off > tolerance {
                return Err(format!("it bears {}, at {honest}", entry.time));
            }
            Ok(())
        })?;
        for ending in endings {
            self.judge_ending(&ending)?;
        }
        Ok(())
    }

    /// While a client's lease runs, nobody but itself ends its retention.
    fn judge_ending(&self, ending: &Ending) -> Result<(), String> {
        let now = self.time.now();
        for client in &self.clients {
            if ledger_id(client.ledger) != ending.ledger {
                continue;
            }
            if let Some(holding) = client.relies_on(now)
                && holding.token == ending.token
            {
                return Err(format!(
                    "token {} was released ({}) while {} may rely on it until {} ms",
                    ending.token, ending.cause, client.session, holding.until
                ));
            }
        }
        Ok(())
    }

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
            let judged = match answer {
                Answer::Granted(Ok(granted)) => self.granted(&question, window, &granted),
                Answer::Renewed(Ok(receipt)) => self.renewed(&question, window, &receipt),
                Answer::Released(Ok(receipt)) => self.released(&question, window, &receipt),
                Answer::Held(Ok(held)) => self.held(&question, window, &held),
                Answer::Granted(Err(error))
                | Answer::Renewed(Err(error))
                | Answer::Released(Err(error))
                | Answer::Held(Err(error)) => self.refused(&question, window, step, &error),
            };
            self.tally.replies += 1;
            let told =
                |what| format!("server-{server} answered {:?} wrongly: {what}", question.wish);
            let (reply, ends) = judged.map_err(told)?;
            fenced |= ends;
            if let (Some(client), Some(reply)) = (question.client, reply)
                && !self.happens(self.scenario.loss)
            {
                let delay = self.delay();
                self.plan(delay, Event::Reply { client, number: question.number, reply });
            }
        }
        if fenced {
            self.kill(server);
        }
        Ok(())
    }

    fn granted(&self, question: &Question, window: Window, granted: &Granted) -> Judged {
        let client = &self.clients[question.client.expect("a client asked")];
        let Granted { receipt, new } = granted;
        let token = receipt.retention.token.get();
        let history = self.truth.ledger(ledger_id(question.ledger)).ok_or("its ledger is empty")?;
        let life = history.life(token).ok_or("the log has no such retention")?;
        if life.session != client.session || life.product != client.product {
            return Err(format!("token {token} is another's"));
        }
        if !history.was_held(token, window) {
            return Err(format!("token {token} was not held then"));
        }
        if *new && life.began <= window.after {
            return Err(format!("token {token} is not new"));
        }
        let lease = receipt.lease.as_ref().ok_or("it names no lease")?;
        Ok((Some(Reply::Held { token, lease_seconds: lease.lease_seconds.get() }), false))
    }

    fn renewed(&self, question: &Question, window: Window, receipt: &RenewReceipt) -> Judged {
        let client = &self.clients[question.client.expect("a client asked")];
        let history = self.truth.ledger(ledger_id(question.ledger)).ok_or("its ledger is empty")?;
        let mut reply = None;
        for held in &receipt.held {
            let token = held.retention.token.get();
            if !history.was_held(token, window) {
                return Err(format!("token {token} was not held then"));
            }
            let life = history.life(token).ok_or("the log has no such retention")?;
            if life.session != client.session {
                return Err(format!("token {token} is another's"));
            }
            let lease = held.lease.as_ref().ok_or("it names no lease")?;
            reply = Some(Reply::Held { token, lease_seconds: lease.lease_seconds.get() });
        }
        Ok((Some(reply.ok_or("it renewed nothing")?), false))
    }

    fn released(&self, question: &Question, window: Window, receipt: &ReleaseReceipt) -> Judged {
        let history = self.truth.ledger(ledger_id(question.ledger)).ok_or("its ledger is empty")?;
        for released in &receipt.released {
            let life = history.life(released.token.get()).ok_or("there was no such retention")?;
            if life.ended.is_none_or(|ended| ended <= window.after) {
                return Err(format!("token {} was not released then", released.token));
            }
        }
        Ok((Some(Reply::Released), false))
    }

    fn held(&self, question: &Question, window: Window, held: &[Held]) -> Judged {
        let Some(history) = self.truth.ledger(ledger_id(question.ledger)) else {
            return Ok((None, false));
        };
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

    fn refused(&self, question: &Question, window: Window, step: Window, error: &Error) -> Judged {
        let history = self.truth.ledger(ledger_id(question.ledger));
        let client = question.client.map(|client| &self.clients[client]);
        match (error, client, history) {
            (Error::Refused(Refusal::NoLicenseLeft { .. }), Some(client), Some(history)) => {
                let offer = self.scenario.offers.iter().find(|it| it.product == client.product);
                let count = offer.and_then(|offer| offer.count).ok_or("any number is allowed")?;
                if history.most_used(client.product, window) < count {
                    return Err(format!("{error}, and there was one left"));
                }
                Ok((Some(Reply::Refused), false))
            }
            (Error::Refused(Refusal::LicenseExpired { .. }), Some(client), _) => {
                let offer = self.scenario.offers.iter().find(|it| it.product == client.product);
                offer.and_then(|offer| offer.ends).ok_or("it never expires")?;
                Ok((Some(Reply::Refused), false))
            }
            (Error::Refused(Refusal::NotRetained { token, .. }), Some(client), Some(history)) => {
                let nothing = match token {
                    Some(token) => {
                        let life = history.life(token.get());
                        life.is_none_or(|life| {
                            life.session != client.session
                                || life.ended.is_some_and(|end| end <= window.to)
                        })
                    }
                    None => history.held_nothing(&client.session, None, window),
                };
                if !nothing {
                    return Err(format!("{error}, and it held one all the time"));
                }
                Ok((Some(Reply::Nothing), false))
            }
            (Error::Refused(refusal), _, _) => Err(format!("unexpectedly, {refusal}")),
            (Error::StoreUnavailable(_), Some(client), Some(history)) => {
                let done = match question.wish {
                    Wish::Retain => history.retained_in(&client.session, step),
                    Wish::Release { token } => history.released_in(token, step),
                    Wish::Renew => false,
                };
                if done {
                    return Err("it said that nothing was done, and something was".to_owned());
                }
                Ok((Some(Reply::Failed), false))
            }
            (Error::StoreUnavailable(_) | Error::OutcomeUnknown(_), _, _) => {
                Ok((Some(Reply::Failed), false))
            }
            (Error::ClockSkew { before, after }, Some(client), _) => {
                let offer = self.scenario.offers.iter().find(|it| it.product == client.product);
                let ends = offer.and_then(|offer| offer.ends).ok_or("it never expires")?;
                if !(*before < ends && ends <= *after) {
                    return Err(format!("{error}, and no date lies between"));
                }
                Ok((Some(Reply::Failed), false))
            }
            (Error::Fenced(_) | Error::Closed, _, _) => Ok((Some(Reply::Failed), true)),
            (error, _, _) => Err(format!("unexpectedly, {error:?}")),
        }
    }

    pub(super) fn last_judgement(&mut self) -> Result<(), String> {
        for ledger in self.store.ledgers().map_err(|error| error.to_string())? {
            let id = ledger.ledger;
            if let Some(token) = self.truth.ledger(id).and_then(|it| it.held().first().copied()) {
                return Err(format!("token {token} is still held, and nobody is there"));
            }
            let mut replayed = Ledger::new();
            for entry in self.store.page(id, 0, usize::MAX).map_err(|error| error.to_string())? {
                replayed.replay(&entry).map_err(|fault| format!("{fault}: {}", fault.breach))?;
            }
            replayed.recount().map_err(|fault| format!("{fault}: {}", fault.breach))?;
        }
        Ok(())
    }
}
