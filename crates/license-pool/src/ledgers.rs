//! What the pool remembers of the ledgers in the store: enough to decide, never believed before it
//! was brought up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Head, Ledger, Refusal};
use license_types::{ServerName, SessionId};

use crate::alarms::Bell;
use crate::archivist::Keep;
use crate::leases::Key;
use crate::log::{Asked, Found, LedgerId, Log, LogError, News, Since, Which};
use crate::recover::{Fault, Recovered, lacks, recover};
use crate::{Error, LOCAL};

/// How long a fault is believed before the ledger is read again: its store may have been put right.
const FAULT_BELIEVED: Duration = Duration::from_secs(60);

/// The ledgers in memory: read when they are asked for, and let go when others are asked for more.
pub(crate) struct Ledgers {
    memory: BTreeMap<LedgerId, Loaded>,
    /// Where licenses led when last asked for; a hint, which the log corrects.
    leads: BTreeMap<Which, LedgerId>,
    /// What this server serves stays.
    server: Arc<ServerName>,
    bell: Arc<Bell>,
    /// No more stay than these, and those that must.
    loaded_max: usize,
    /// No ledger is let go before there are more than these.
    crowd: usize,
    /// How often was asked.
    asks: u64,
    /// The time that had passed when last asked.
    now: Duration,
    /// The ledgers whose sessions are to be counted anew, since this was last asked: their store went
    /// back in time, or they could not be used for a while.
    anew: BTreeSet<LedgerId>,
    /// The sessions that turns fetched from other servers since this was last asked, also where it is
    /// not known whether they were made.
    came: Vec<Key>,
}

struct Loaded {
    memory: Memory,
    /// The number of the last ask that concerned this.
    asked: u64,
    /// Whether the store is known to have this server on the list of those who serve sessions in it.
    /// Read anew, it may be that of a store that went back to before: what was known is forgotten
    /// then.
    listed: bool,
}

enum Memory {
    Sound {
        ledger: Box<Ledger>,
        /// The last entry that its last snapshot knew, as far as that is known here.
        snapshot: u64,
        /// Up to where the log is known to have said so: what a turn applied that failed is not there.
        told: Head,
    },
    Faulted {
        fault: Fault,
        /// When to read the ledger again.
        until: Duration,
    },
}

impl Ledgers {
    pub(crate) fn new(server: Arc<ServerName>, loaded_max: usize, bell: Arc<Bell>) -> Ledgers {
        Ledgers {
            memory: BTreeMap::new(),
            leads: BTreeMap::new(),
            server,
            bell,
            loaded_max,
            crowd: loaded_max,
            asks: 0,
            now: Duration::ZERO,
            anew: BTreeSet::new(),
            came: Vec::new(),
        }
    }

    /// Forgets a ledger to which nothing leads any more, so that it is read again before it is used.
    pub(crate) fn forget(&mut self, id: LedgerId) {
        self.memory.remove(&id);
        self.anew.insert(id);
        self.leads.retain(|_, led| *led != id);
    }

    /// Forgets everything, so that it is read again before it is used.
    pub(crate) fn forget_all(&mut self) {
        self.memory.clear();
        self.leads.clear();
    }

    /// What to ask a log, given what is known. What is asked for stays in memory until the next ask.
    pub(crate) fn ask(&mut self, licenses: &[Which], now: Duration) -> Vec<Asked> {
        self.asks += 1;
        self.now = now;
        let asked = licenses.iter().map(|license| {
            let known = hint(&self.leads, &self.memory, license).and_then(|id| {
                let loaded = self.memory.get_mut(&id)?;
                loaded.asked = self.asks;
                match &loaded.memory {
                    Memory::Sound { ledger, .. } => Some((id, ledger.head())),
                    Memory::Faulted { .. } => None,
                }
            });
            Asked { license: license.clone(), known }
        });
        let asked = asked.collect();
        if self.memory.len() > self.crowd {
            self.let_go();
        }
        asked
    }

    /// Lets go of the ledgers that nobody asked for in the longest time.
    fn let_go(&mut self) {
        let mut idle = Vec::new();
        let mut served = 0;
        for (id, loaded) in &self.memory {
            let stays = loaded.listed || loaded.is_served_by(&self.server);
            served += usize::from(stays);
            if !stays && loaded.asked < self.asks {
                idle.push((loaded.asked, *id));
            }
        }
        // Some more than must go, so that this is not done for each of them.
        let surplus = self.memory.len() - self.loaded_max + self.loaded_max / 8;
        if surplus < idle.len() {
            idle.select_nth_unstable(surplus);
            idle.truncate(surplus);
        }
        for (_, id) in idle {
            self.memory.remove(&id);
        }
        self.leads.retain(|_, id| self.memory.contains_key(id));
        // Likewise where most must stay.
        self.crowd = self.loaded_max.max(served + served / 8);
    }

    /// Takes in what others appended.
    ///
    /// # Errors
    /// The ledgers that must be [read](Self::reload) from their start first.
    pub(crate) fn absorb(&mut self, asked: &[Asked], news: &News) -> Result<(), Vec<LedgerId>> {
        for (asked, found) in asked.iter().zip(&news.found) {
            match found.ledger() {
                Some(id) if self.leads.get(&asked.license) == Some(&id) => {}
                Some(id) => drop(self.leads.insert(asked.license.clone(), id)),
                None => drop(self.leads.remove(&asked.license)),
            }
        }
        let mut stale = Vec::new();
        for (id, since) in &news.ledgers {
            match (self.memory.get_mut(id).map(|loaded| &mut loaded.memory), since) {
                (Some(Memory::Faulted { until, .. }), _) if *until > self.now => {}
                (Some(Memory::Sound { ledger, told, .. }), Since::Entries(entries)) => {
                    let faulted = entries.iter().find_map(|entry| ledger.replay(entry).err());
                    if !news.assumed {
                        *told = ledger.head();
                    }
                    if let Some(fault) = faulted {
                        self.faulted(*id, fault.into());
                    }
                }
                // Also where only what a turn applied is missing that failed.
                (Some(Memory::Sound { .. }), Since::Reload | Since::WentBack)
                | (Some(Memory::Faulted { .. }) | None, _) => stale.push(*id),
            }
        }
        if stale.is_empty() { Ok(()) } else { Err(stale) }
    }

    /// Reads a ledger from its last snapshot, or from its start; gives when the clock was corrected
    /// last, as far as what was read tells.
    pub(crate) fn reload(
        &mut self,
        log: &mut dyn Log,
        id: LedgerId,
    ) -> Result<Option<Timestamp>, LogError> {
        match self.memory.get(&id).map(|loaded| &loaded.memory) {
            Some(Memory::Sound { ledger, told, .. }) if lacks(log, id, *told)? => {
                let license = ledger.license_number().map(|number| number.to_string());
                self.bell.ring(|alarms| {
                    alarms.went_back += 1;
                    alarms.license = license;
                });
                self.anew.insert(id);
            }
            // Nobody was heard while it could not be used.
            Some(Memory::Faulted { .. }) => drop(self.anew.insert(id)),
            Some(Memory::Sound { .. }) | None => {}
        }
        self.memory.remove(&id);
        match recover(log, id)? {
            Ok(Recovered { ledger, snapshot, corrected }) => {
                let (told, ledger) = (ledger.head(), Box::new(ledger));
                self.loaded(id, Memory::Sound { ledger, snapshot, told });
                Ok(corrected)
            }
            Err(fault) => {
                self.faulted(id, fault);
                Ok(None)
            }
        }
    }

    /// Notes that all that is known of a ledger is in its log.
    pub(crate) fn believe(&mut self, id: LedgerId) {
        if let Some(Memory::Sound { ledger, told, .. }) =
            self.memory.get_mut(&id).map(|loaded| &mut loaded.memory)
        {
            *told = ledger.head();
        }
    }

    /// A ledger that has grown so much that a snapshot of it is due. It is said once.
    pub(crate) fn due(&mut self, id: LedgerId, keep: &Keep) -> Option<&Ledger> {
        match self.memory.get_mut(&id).map(|loaded| &mut loaded.memory) {
            Some(Memory::Sound { ledger, snapshot, .. })
                if keep.is_due(ledger.head(), ledger.held_count(), *snapshot) =>
            {
                *snapshot = ledger.head().sequence;
                Some(ledger)
            }
            Some(Memory::Sound { .. } | Memory::Faulted { .. }) | None => None,
        }
    }

    fn faulted(&mut self, id: LedgerId, fault: Fault) {
        let until = self.now + FAULT_BELIEVED;
        self.loaded(id, Memory::Faulted { fault, until });
    }

    fn loaded(&mut self, id: LedgerId, memory: Memory) {
        self.memory.insert(id, Loaded { memory, asked: self.asks, listed: false });
    }

    /// The ledgers whose sessions are to be counted anew, since this was last asked.
    pub(crate) fn take_anew(&mut self) -> BTreeSet<LedgerId> {
        std::mem::take(&mut self.anew)
    }

    /// Whether what was counted of the sessions of a ledger says nothing any more.
    pub(crate) fn is_anew(&self, id: LedgerId) -> bool {
        self.anew.contains(&id)
    }

    /// Notes sessions of a ledger that come here from another server with a turn.
    pub(crate) fn come(&mut self, id: LedgerId, sessions: Vec<Arc<SessionId>>) {
        self.came.extend(sessions.into_iter().map(|session| (id, session)));
    }

    /// The sessions that came with turns since this was last asked: what was counted here before, when
    /// this server may have served them already, says nothing of them any more.
    pub(crate) fn take_came(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.came)
    }

    /// The server in whose name all this is remembered.
    pub(crate) fn server(&self) -> &Arc<ServerName> {
        &self.server
    }

    /// Whether the store is known to say that this server serves sessions in a ledger.
    pub(crate) fn is_listed(&self, id: LedgerId) -> bool {
        self.memory.get(&id).is_some_and(|loaded| loaded.listed)
    }

    /// Notes that the store says so.
    pub(crate) fn list(&mut self, id: LedgerId) {
        // Another process of this name may take it off at any time.
        if self.server.as_str() != LOCAL
            && let Some(loaded) = self.memory.get_mut(&id)
        {
            loaded.listed = true;
        }
    }

    /// Forgets that the store says so.
    pub(crate) fn unlist(&mut self, id: LedgerId) {
        if let Some(loaded) = self.memory.get_mut(&id) {
            loaded.listed = false;
        }
    }

    /// Up to `limit` of the ledgers in which the store says in vain that this server serves sessions.
    pub(crate) fn listed_in_vain(&self, limit: usize) -> Vec<LedgerId> {
        let listed = self.memory.iter().filter(|(_, loaded)| loaded.listed);
        let idle = listed.filter(|(_, loaded)| !loaded.is_served_by(&self.server));
        idle.map(|(id, _)| *id).take(limit).collect()
    }

    /// Whether some of them are about to be let go.
    pub(crate) fn is_crowded(&self) -> bool {
        self.memory.len() > self.crowd
    }

    /// The ledger that a license was found to lead to, up to date.
    pub(crate) fn get(
        &mut self,
        license: &Which,
        found: &Found,
    ) -> Result<(LedgerId, &mut Ledger), Error> {
        let id = id(license, found)?;
        match self.memory.get_mut(&id).map(|loaded| &mut loaded.memory) {
            Some(Memory::Sound { ledger, .. }) => Ok((id, ledger)),
            Some(Memory::Faulted { fault: Fault { sequence, source }, .. }) => {
                Err(Error::LedgerFaulted { sequence: *sequence, source: source.clone() })
            }
            // Only ledgers whose news was absorbed are asked for.
            None => Err(Error::Internal(None)),
        }
    }

    /// Notes where a license leads, as a ledger that was read says.
    pub(crate) fn lead(&mut self, license: Which, id: LedgerId) {
        self.leads.insert(license, id);
    }

    /// Where a license led when it was last asked for.
    pub(crate) fn lead_of(&self, license: &Which) -> Option<LedgerId> {
        self.leads.get(license).copied()
    }

    /// Whether a ledger is in memory.
    pub(crate) fn is_known(&self, id: LedgerId) -> bool {
        self.memory.contains_key(&id)
    }

    /// A ledger that can be used, as it is in memory.
    pub(crate) fn sound(&self, id: LedgerId) -> Option<&Ledger> {
        match &self.memory.get(&id)?.memory {
            Memory::Sound { ledger, .. } => Some(ledger),
            Memory::Faulted { .. } => None,
        }
    }

    /// A ledger that can be used, as it is in memory, to be changed.
    pub(crate) fn sound_mut(&mut self, id: LedgerId) -> Option<&mut Ledger> {
        match &mut self.memory.get_mut(&id)?.memory {
            Memory::Sound { ledger, .. } => Some(ledger),
            Memory::Faulted { .. } => None,
        }
    }
}

impl Loaded {
    fn is_served_by(&self, server: &Arc<ServerName>) -> bool {
        match &self.memory {
            Memory::Sound { ledger, .. } => ledger.servers().any(|it| it == server),
            Memory::Faulted { .. } => false,
        }
    }
}

/// Where a license may lead: where it led when it was last asked for, or to what is in memory under
/// another name. Otherwise all of that would be read again, however much it is.
fn hint(
    leads: &BTreeMap<Which, LedgerId>,
    memory: &BTreeMap<LedgerId, Loaded>,
    license: &Which,
) -> Option<LedgerId> {
    let bears = |loaded: &Loaded, number: &str| match &loaded.memory {
        Memory::Sound { ledger, .. } => ledger.license_numbers().any(|borne| borne == number),
        Memory::Faulted { .. } => false,
    };
    let led = leads.get(license).copied();
    led.or_else(|| match license {
        Which::Number(number) => {
            memory.iter().find(|(_, loaded)| bears(loaded, number)).map(|(id, _)| *id)
        }
        Which::Only if memory.len() == 1 => memory.keys().next().copied(),
        Which::Only => None,
    })
}

/// The ledger that a license was found to lead to.
pub(crate) fn id(license: &Which, found: &Found) -> Result<LedgerId, Error> {
    match (found, license) {
        (Found::Ledger(id), _) => Ok(*id),
        (Found::Several(numbers), _) => Err(Error::AmbiguousLicense { numbers: numbers.clone() }),
        (Found::Unknown, Which::Only) => {
            Err(Error::Refused(Refusal::UnknownLicense { number: None }))
        }
        (Found::Unknown, Which::Number(number)) => {
            let number = Some(number.to_string());
            Err(Error::Refused(Refusal::UnknownLicense { number }))
        }
    }
}

#[cfg(test)]
mod tests;
