//! One ledger's place in a turn: commands are decided, sealed and applied there, one after the other,
//! and what to append is gathered.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Command, Entry, Event, Fault, Held, Ledger, Outcome, Stamp, decide};
use license_types::ServerName;

use crate::Error;
use crate::log::{Append, LedgerId};
use crate::request::{Done, Granted, SeatId};

/// What a turn has gathered for a ledger so far.
pub(crate) struct Gathered {
    /// Who served sessions when the turn began.
    served_by: BTreeSet<Arc<ServerName>>,
    entries: Vec<Entry>,
}

impl Gathered {
    pub(crate) fn new(ledger: &Ledger) -> Gathered {
        Gathered { served_by: ledger.servers().cloned().collect(), entries: Vec::new() }
    }

    /// What to append; nothing where nothing changed.
    pub(crate) fn into_append(self, id: Option<LedgerId>, ledger: &mut Ledger) -> Option<Append> {
        if self.entries.is_empty() {
            return None;
        }
        let serve: BTreeSet<Arc<ServerName>> = ledger.servers().cloned().collect();
        let begun = serve.difference(&self.served_by).map(|server| ((**server).clone(), true));
        let ceased = self.served_by.difference(&serve).map(|server| ((**server).clone(), false));
        let serving = begun.chain(ceased).collect();
        let figures = ledger.take_figures();
        Some(Append { ledger: id, number: None, entries: self.entries, serving, figures })
    }
}

/// One command's place in a turn.
pub(crate) struct Step<'a> {
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) stamp: &'a Stamp,
    pub(crate) now: Timestamp,
    pub(crate) gathered: &'a mut Gathered,
}

impl Step<'_> {
    pub(crate) fn write(
        &mut self,
        id: LedgerId,
        command: &Command,
    ) -> Result<Result<Done, Error>, Fault> {
        let verdict = match decide(self.ledger, command, self.stamp, self.now) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                if let Command::Retain(retain) = command
                    && let Some(event) = refusal.event(self.ledger, retain, self.now)
                {
                    self.append(event)?;
                }
                return Ok(Err(Error::Refused(refusal)));
            }
        };
        let before = self.gathered.entries.len();
        verdict.events.into_iter().try_for_each(|event| self.append(event))?;
        let released = self.gathered.entries[before..].iter().filter_map(Entry::receipt).collect();
        let mut done = Done { ledger: id, held: Vec::new(), granted: None, released };
        match (verdict.outcome, command) {
            (Outcome::Granted { token, new }, _) => {
                let held = self.ledger.retention(token);
                done.granted = held.as_ref().map(|held| self.granted(id, held, new));
                done.held.extend(held);
            }
            (Outcome::Renewed, Command::Renew(renew)) => {
                done.held.extend(self.ledger.held(&renew.session));
            }
            (Outcome::Renewed | Outcome::Released | Outcome::Installed(_), _) => {}
        }
        Ok(Ok(done))
    }

    pub(crate) fn append(&mut self, event: Event) -> Result<(), Fault> {
        let entry = self.ledger.seal(event, self.stamp, self.now);
        self.ledger.apply(&entry)?;
        self.gathered.entries.push(entry);
        Ok(())
    }

    fn granted(&self, ledger: LedgerId, held: &Held, new: bool) -> Granted {
        let license = self.ledger.license_numbers().last().unwrap_or_default().into();
        let session = held.record.session.clone();
        Granted { seat: SeatId { ledger, license, session, token: held.record.token }, new }
    }
}
