//! The core as an engine: one ledger in memory and the log that it adds up from.

use std::sync::Arc;

use jiff::Timestamp;
use license_core::{
    Command, Entry, Held, Install, Ledger, License, Outcome as Decided, Release, Renew, Retain,
    Stamp, Target, decide,
};
use license_types::{Principal, ReleaseReceipt, RenewReceipt, RetainReceipt, ServerName, Session};

use super::{
    engine::{Engine, Outcome},
    script::{Need, Operation, Step},
};

#[derive(Clone)]
pub(crate) struct CoreEngine {
    ledger: Ledger,
    log: Vec<Entry>,
    now: Timestamp,
    sealed: bool,
}

impl CoreEngine {
    pub(crate) fn new() -> CoreEngine {
        let (ledger, log, now) = (Ledger::new(), Vec::new(), Timestamp::UNIX_EPOCH);
        CoreEngine { ledger, log, now, sealed: true }
    }

    /// One that does not chain its entries, for a great many short scripts. It cannot restart.
    pub(crate) fn unsealed() -> CoreEngine {
        CoreEngine { sealed: false, ..CoreEngine::new() }
    }

    pub(crate) fn recount(&self) {
        self.ledger.recount().unwrap();
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn log(&self) -> &[Entry] {
        &self.log
    }

    fn command(&mut self, command: &Command, step: &Step) -> Outcome {
        let mut stamp = Stamp::local();
        if let Some(server) = &step.server {
            stamp.server = Arc::new(ServerName::new(server.as_str()).unwrap());
        }
        if let Some(principal) = &step.principal {
            stamp.principal = Some(Arc::new(Principal::new(principal.name.as_str()).unwrap()));
        }
        match decide(&self.ledger, command, &stamp, self.now) {
            Ok(verdict) => {
                let first = self.log.len();
                for event in verdict.events {
                    self.append(event, &stamp);
                }
                self.answer(verdict.outcome, command, first)
            }
            Err(refusal) => {
                let counts = match &refusal {
                    license_core::Refusal::NoLicenseLeft { allowed_count, used_count, .. } => {
                        Some((*allowed_count, *used_count))
                    }
                    _ => None,
                };
                if let Command::Retain(retain) = command
                    && let Some(event) = refusal.event(&self.ledger, retain, self.now)
                {
                    self.append(event, &stamp);
                }
                Outcome::Refused { code: refusal.code().to_string(), counts }
            }
        }
    }

    pub(crate) fn append(&mut self, event: license_core::Event, stamp: &Stamp) {
        let entry = if self.sealed {
            self.ledger.seal(event, stamp, self.now)
        } else {
            self.ledger.draft(event, stamp, self.now)
        };
        self.ledger.apply(&entry).unwrap();
        self.log.push(entry);
    }

    fn answer(&self, outcome: Decided, command: &Command, first: usize) -> Outcome {
        match (outcome, command) {
            (Decided::Granted { token, .. }, _) => {
                Outcome::Retained(receipt(&self.ledger.retention(token).unwrap()))
            }
            (Decided::Renewed, Command::Renew(renew)) => {
                let held = self.ledger.held(&renew.session).map(|held| receipt(&held)).collect();
                Outcome::Renewed(RenewReceipt { held })
            }
            (Decided::Released, _) => {
                let released = self.log[first..].iter().filter_map(Entry::receipt).collect();
                Outcome::Released(ReleaseReceipt { released })
            }
            (Decided::Installed(receipt), _) => Outcome::Installed(*receipt),
            (Decided::Renewed, _) => unreachable!("only a renewal renews"),
            (Decided::Uninstalled(_), _) => unreachable!("no script uninstalls"),
        }
    }
}

fn receipt(held: &Held) -> RetainReceipt {
    RetainReceipt { retention: held.retention(), lease: None }
}

impl Engine for CoreEngine {
    fn offers(&self, need: Need) -> bool {
        match need {
            Need::Servers | Need::Principals => true,
        }
    }

    fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Reads the log back from JSON, and finds what it had.
    fn restart(&mut self) {
        let mut again = Ledger::new();
        for entry in &self.log {
            let text = serde_json::to_string(&entry.to_wire()).unwrap();
            let read = Entry::from_wire(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(read, *entry);
            again.replay(&read).unwrap();
        }
        again.recount().unwrap();
        assert_eq!(again.head(), self.ledger.head());
        assert_eq!(again.info(self.now), self.ledger.info(self.now));
        assert!(again.live().eq(self.ledger.live()));
        self.ledger = again;
    }

    fn execute(&mut self, step: &Step) -> Vec<String> {
        self.outcome(step).lines()
    }
}

impl CoreEngine {
    fn outcome(&mut self, step: &Step) -> Outcome {
        let command = match &step.operation {
            Operation::Install { document, replaces } => {
                let used = |product| self.ledger.availability(product, self.now).used_count.get();
                let text = document.json(self.ledger.instant(self.now), used);
                let mut install = Install::new(License::parse(text.as_bytes()).unwrap());
                install.replaces = replaces.clone();
                Command::Install(install)
            }
            Operation::Retain { product, session, reason, describe } => {
                let describe = describe
                    .clone()
                    .unwrap_or_else(|| Session::rest("tester", session.as_str(), "127.0.0.1"));
                let mut retain = Retain::new(*product, session.clone(), describe);
                if let Some(reason) = reason {
                    retain.reason = Arc::new(reason.parse().unwrap());
                }
                retain.max_seats = step.principal.as_ref().and_then(|it| it.max_seats);
                Command::Retain(retain)
            }
            Operation::Renew { session, state } => {
                Command::Renew(Renew { session: Arc::new(session.clone()), state: *state })
            }
            Operation::Release { session, product, token } => {
                let session = Arc::new(session.clone());
                let target = Target::Session { session, product: *product, token: *token };
                Command::Release(Release::new(target))
            }
            Operation::ReleaseToken(token) => Command::Release(Release::new(Target::Token(*token))),
            Operation::Usage { server } => {
                for held in self.ledger.live() {
                    let json = serde_json::to_string(&held.retention()).unwrap();
                    assert_eq!(held.to_json(), json);
                }
                return Outcome::Usage(self.ledger.usage(server.as_deref()).collect());
            }
            Operation::Info => return Outcome::Info(self.ledger.info(self.now)),
            Operation::Available(product) => {
                return Outcome::Available(self.ledger.availability(*product, self.now));
            }
            Operation::History => {
                return Outcome::History(self.log.iter().map(Entry::to_wire).collect());
            }
            Operation::At(_) | Operation::Restart => {
                unreachable!("{:?} is the runner's", step.words)
            }
        };
        self.command(&command, step)
    }
}
