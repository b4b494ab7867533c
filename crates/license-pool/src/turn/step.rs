//! One ledger's part in a turn. [`Step`] decides, seals and applies one command; [`Gathering`]
//! collects what each ledger of the turn is to append.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::mem;
use std::sync::Arc;

use license_core::{
    Command, Entry, Event, Fault, Held, Ledger, Outcome, Refusal, Refused, Stamp, Verdict, Whom,
    decide,
};
use license_types::{ServerName, SessionId, Token};

use super::refusals::Told;
use crate::ledgers::Ledgers;
use crate::log::{Append, LedgerId};
use crate::request::{Done, Granted, Kept, SeatId};
use crate::{ClockState, Error, LOCAL};

/// What a turn has gathered for a ledger so far.
pub(crate) struct Gathered {
    /// The servers that served sessions when the turn began.
    served_by: BTreeSet<Arc<ServerName>>,
    entries: Vec<Entry>,
    /// The server to be taken off the list of those that serve sessions here, if it serves none when
    /// the turn ends.
    leaves: Option<Arc<ServerName>>,
    /// The sessions that come to this server from another.
    coming: Vec<Arc<SessionId>>,
    /// The last refusal, until it is noted.
    refused: Option<Box<Refused>>,
}

impl Gathered {
    pub(crate) fn new(ledger: &Ledger) -> Gathered {
        let served_by = ledger.servers().cloned().collect();
        Gathered { served_by, entries: Vec::new(), leaves: None, coming: Vec::new(), refused: None }
    }

    /// Whether anything is gathered that is not durable yet and that an answer could rely on.
    pub(crate) fn is_founded_upon(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.event, Event::Refused(_)))
    }

    /// Takes the last refusal, to note it.
    pub(crate) fn refused(&mut self) -> Option<Box<Refused>> {
        self.refused.take()
    }

    /// Has a server taken off the list of those that serve sessions in this ledger, if it serves none
    /// when the turn ends.
    pub(crate) fn leaves(&mut self, server: Arc<ServerName>) {
        self.leaves = Some(server);
    }

    /// The servers to put on the list of those that serve sessions in this ledger (`true`), or to take
    /// off it.
    ///
    /// A server that is listed in vain only makes somebody look here in vain one day. So a server
    /// whose sessions come and go stays listed; only it takes itself off while it lives, since it
    /// remembers that it is `listed`. The processes that share the name `local` remember nothing, so
    /// that name is taken off at once.
    fn changes(&self, ledger: &Ledger, own: &ServerName, listed: bool) -> Vec<(ServerName, bool)> {
        let serve: BTreeSet<Arc<ServerName>> = ledger.servers().cloned().collect();
        let begins = |server: &&Arc<ServerName>| match ***server == *own {
            true => !listed,
            false => !self.served_by.contains(*server),
        };
        let begun = serve.iter().filter(begins).filter(|_| !self.entries.is_empty());
        let local = self.served_by.iter().filter(|server| server.as_str() == LOCAL);
        let ceased = local.chain(&self.leaves).filter(|server| !serve.contains(*server));
        let begun = begun.map(|server| ((**server).clone(), true));
        begun.chain(ceased.map(|server| ((**server).clone(), false))).collect()
    }

    /// What to append; nothing where nothing changed.
    pub(crate) fn into_append(self, id: Option<LedgerId>, ledger: &mut Ledger) -> Option<Append> {
        if self.entries.is_empty() {
            return None;
        }
        let figures = ledger.take_figures();
        let void_from = self.entries.iter().rev().find_map(Entry::void_from);
        let uninstalls = ledger.license().is_none();
        Some(Append {
            ledger: id,
            number: None,
            uninstalls,
            entries: self.entries,
            serving: Vec::new(),
            figures,
            void_from,
        })
    }
}

/// What a turn has gathered for all its ledgers, in their order.
#[derive(Default)]
pub(crate) struct Gathering(BTreeMap<LedgerId, Gathered>);

impl Gathering {
    /// What is gathered for a ledger, and whether this is the first time in this turn.
    pub(crate) fn of(&mut self, id: LedgerId, ledger: &Ledger) -> (&mut Gathered, bool) {
        match self.0.entry(id) {
            btree_map::Entry::Occupied(occupied) => (occupied.into_mut(), false),
            btree_map::Entry::Vacant(vacant) => (vacant.insert(Gathered::new(ledger)), true),
        }
    }

    /// What to append.
    pub(crate) fn into_appends(self, ledgers: &mut Ledgers) -> Vec<Append> {
        let append = |(id, mut gathered): (LedgerId, Gathered)| {
            ledgers.come(id, mem::take(&mut gathered.coming));
            let (own, listed) = (ledgers.server().clone(), ledgers.is_listed(id));
            let ledger = ledgers.sound_mut(id)?;
            let serving = gathered.changes(ledger, &own, listed);
            match gathered.into_append(Some(id), ledger) {
                None if serving.is_empty() => None,
                None => Some(Append { ledger: Some(id), serving, ..Append::default() }),
                Some(append) => Some(Append { serving, ..append }),
            }
        };
        self.0.into_iter().filter_map(append).collect()
    }
}

/// One command's part in a turn: where it is decided, and where its entries go.
pub(crate) struct Step<'a> {
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) stamp: &'a Stamp,
    pub(crate) clock: ClockState,
    pub(crate) gathered: &'a mut Gathered,
}

impl Step<'_> {
    pub(crate) fn write(
        &mut self,
        id: LedgerId,
        command: &Command,
        only: Option<&[Token]>,
    ) -> Result<Result<Done, Error>, Fault> {
        match self.judge(command).and_then(|verdict| keep_to(only, verdict, command)) {
            Ok(verdict) => self.carry_out(id, verdict).map(Ok),
            Err(error) => Ok(Err(self.refuse(command, error, None))),
        }
    }

    /// Decides a command. Where a license depends on a clock that jumped and is not believed, that is
    /// an error.
    pub(crate) fn judge(&self, command: &Command) -> Result<Verdict, Error> {
        let ClockState { now, skew } = self.clock;
        let verdict = decide(self.ledger, command, self.stamp, now);
        if let (Some(shown), Command::Retain(_)) = (skew, command)
            && decide(self.ledger, command, self.stamp, shown).is_ok() != verdict.is_ok()
        {
            return Err(Error::ClockSkew { before: now, after: shown });
        }
        verdict.map_err(Error::Refused)
    }

    /// Keeps a refusal to be noted, with the seconds that the session waited, if it did.
    pub(crate) fn refuse(&mut self, command: &Command, error: Error, waited: Option<u64>) -> Error {
        if let (Command::Retain(retain), Error::Refused(refusal)) = (command, &error)
            && let Some(Event::Refused(mut refused)) =
                refusal.event(self.ledger, retain, self.clock.now)
        {
            if let Whom::Session { waited_seconds, .. } = &mut refused.whom {
                *waited_seconds = waited;
            }
            self.gathered.refused = Some(refused);
        }
        error
    }

    /// Appends what a verdict says, and gives what is to be answered.
    pub(crate) fn carry_out(&mut self, id: LedgerId, verdict: Verdict) -> Result<Done, Fault> {
        let before = self.gathered.entries.len();
        verdict.events.into_iter().try_for_each(|event| self.append(event))?;
        let new = &self.gathered.entries[before..];
        let mut done = Done {
            ledger: id,
            time: self.ledger.instant(self.clock.now),
            granted: None,
            released: new.iter().filter_map(Entry::receipt).collect(),
            gone: new.iter().filter_map(|entry| self.gone(entry)).collect(),
        };
        if let Outcome::Granted { token, new } = verdict.outcome {
            done.granted = self.ledger.retention(token).map(|held| self.granted(id, held, new));
        }
        Ok(done)
    }

    /// Appends refusals, each in the name of the principal that asked.
    pub(crate) fn tell(&mut self, refusals: Vec<Told>) -> Result<(), Fault> {
        for (event, principal) in refusals {
            let stamp = Stamp { principal, ..self.stamp.clone() };
            let entry = self.ledger.seal(event, &stamp, self.clock.now);
            self.ledger.apply(&entry)?;
            self.gathered.entries.push(entry);
        }
        Ok(())
    }

    /// Adopts what one-shot commands retained; says whether there was anything.
    pub(crate) fn adopt_local(&mut self) -> Result<bool, Fault> {
        let local = self.ledger.servers().find(|server| server.as_str() == LOCAL).cloned();
        local.map_or(Ok(false), |local| self.adopt(&local, 0).map(|()| true))
    }

    /// Adopts what another server serves.
    pub(crate) fn adopt(&mut self, from: &Arc<ServerName>, from_epoch: u64) -> Result<(), Fault> {
        let adopted = self.ledger.live().filter(|held| held.server == *from);
        self.gathered.coming.extend(adopted.map(|held| held.record.session.clone()));
        self.append(Event::Adopted { from_server: from.clone(), from_epoch })
    }

    /// The session that holds nothing any more after this entry.
    fn gone(&self, entry: &Entry) -> Option<Arc<SessionId>> {
        let Event::Released(released) = &entry.event else { return None };
        let holds = self.ledger.held(&released.session).next().is_some();
        (!holds).then(|| released.session.clone())
    }

    pub(crate) fn append(&mut self, event: Event) -> Result<(), Fault> {
        if let Event::Moved { sessions } = &event {
            self.gathered.coming.extend(sessions.iter().cloned());
        }
        let entry = self.ledger.seal(event, self.stamp, self.clock.now);
        self.ledger.apply(&entry)?;
        self.gathered.entries.push(entry);
        Ok(())
    }

    fn granted(&self, ledger: LedgerId, held: Held, new: bool) -> Granted {
        let license = self.ledger.license_number().cloned().unwrap_or_default();
        let session = held.record.session.clone();
        let seat = SeatId { ledger, license, session, token: held.record.token };
        Granted { seat, kept: Kept { held, until: None }, new }
    }
}

/// Restricts a release that is decided again to the tokens that it released the first time.
fn keep_to(
    only: Option<&[Token]>,
    mut verdict: Verdict,
    command: &Command,
) -> Result<Verdict, Error> {
    let (Some(only), Command::Release(release)) = (only, command) else { return Ok(verdict) };
    verdict.events.retain(|event| match event {
        Event::Released(released) => only.contains(&released.token),
        _ => true,
    });
    if verdict.events.is_empty() {
        return Err(Error::Refused(Refusal::not_retained(&release.target)));
    }
    Ok(verdict)
}
