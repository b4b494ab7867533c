//! The ledgers in memory: a cache of what the store's logs add up to. Nothing in it is used before it
//! was brought up to date ([`ask`](Ledgers::ask) the log for what is new, [`absorb`](Ledgers::absorb)
//! that), and what the log does not confirm is read again ([`reload`](Ledgers::reload)).
//!
//! A ledger whose store went back in time, or that was faulted for a while, is noted as *anew*: what
//! was counted of its sessions is no longer true.

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

/// The ledgers in memory: read when they are first asked for, and dropped when others are asked for
/// more recently.
pub(crate) struct Ledgers {
    memory: BTreeMap<LedgerId, Loaded>,
    /// Where licenses led when last asked for; a hint that the log corrects.
    leads: BTreeMap<Which, LedgerId>,
    /// This server; ledgers in which it serves sessions stay in memory.
    server: Arc<ServerName>,
    bell: Arc<Bell>,
    /// How many ledgers stay, beside those that must.
    loaded_max: usize,
    /// Above how many ledgers some are dropped.
    crowd: usize,
    /// How many times the log was asked.
    asks: u64,
    /// The elapsed time when it was last asked.
    now: Duration,
    /// The ledgers whose sessions are to be counted anew: their store went back in time, or they could
    /// not be used for a while.
    anew: BTreeSet<LedgerId>,
    /// The sessions that turns brought here from other servers, including turns whose outcome is
    /// unknown.
    came: Vec<Key>,
}

struct Loaded {
    memory: Memory,
    /// The number of the last question that concerned it.
    asked: u64,
    /// Whether the store is known to list this server as serving sessions in it. Not known of a ledger
    /// that was just read, since its store may have gone back in time.
    listed: bool,
}

enum Memory {
    Sound {
        ledger: Box<Ledger>,
        /// The last entry that its last snapshot covers, as far as is known here.
        snapshot: u64,
        /// The last head that the log itself confirmed: a failed turn may have applied more.
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

    /// Forgets a ledger to which its license no longer leads, so that it is read before it is used.
    pub(crate) fn forget(&mut self, id: LedgerId) {
        self.memory.remove(&id);
        self.anew.insert(id);
        self.leads.retain(|_, led| *led != id);
    }

    /// Forgets everything, so that it is read before it is used.
    pub(crate) fn forget_all(&mut self) {
        self.memory.clear();
        self.leads.clear();
    }

    /// What to ask the log about these licenses, given what is known. Their ledgers stay in memory
    /// until the next question.
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

    /// Drops the ledgers that nobody asked for in the longest time.
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
        // An eighth more than must go, so that this is not done again for every single ledger.
        let surplus = self.memory.len() - self.loaded_max + self.loaded_max / 8;
        if surplus < idle.len() {
            idle.select_nth_unstable(surplus);
            idle.truncate(surplus);
        }
        for (_, id) in idle {
            self.memory.remove(&id);
        }
        self.leads.retain(|_, id| self.memory.contains_key(id));
        // For the same reason, where most must stay.
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
                // Also if the log only lacks what a failed turn applied here.
                (Some(Memory::Sound { .. }), Since::Reload | Since::WentBack)
                | (Some(Memory::Faulted { .. }) | None, _) => stale.push(*id),
            }
        }
        if stale.is_empty() { Ok(()) } else { Err(stale) }
    }

    /// Reads a ledger from its last snapshot, or from its start; gives when the clock was last
    /// corrected, if what was read tells of that.
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
            // While it could not be used, nobody was heard.
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

    /// Notes that the log holds all that is known of a ledger.
    pub(crate) fn believe(&mut self, id: LedgerId) {
        if let Some(Memory::Sound { ledger, told, .. }) =
            self.memory.get_mut(&id).map(|loaded| &mut loaded.memory)
        {
            *told = ledger.head();
        }
    }

    /// The ledger, if it has grown so much that a snapshot is due. Says so once for each.
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

    /// Takes the ledgers whose sessions are to be counted anew.
    pub(crate) fn take_anew(&mut self) -> BTreeSet<LedgerId> {
        std::mem::take(&mut self.anew)
    }

    /// Whether the sessions of a ledger are to be counted anew.
    pub(crate) fn is_anew(&self, id: LedgerId) -> bool {
        self.anew.contains(&id)
    }

    /// Notes sessions that come here from another server with a turn.
    pub(crate) fn come(&mut self, id: LedgerId, sessions: Vec<Arc<SessionId>>) {
        self.came.extend(sessions.into_iter().map(|session| (id, session)));
    }

    /// Takes the sessions that came with turns. This server may have served them before; what it
    /// counted then says nothing of them any more.
    pub(crate) fn take_came(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.came)
    }

    /// This server.
    pub(crate) fn server(&self) -> &Arc<ServerName> {
        &self.server
    }

    /// Whether the store is known to list this server as serving sessions in a ledger.
    pub(crate) fn is_listed(&self, id: LedgerId) -> bool {
        self.memory.get(&id).is_some_and(|loaded| loaded.listed)
    }

    /// Notes that the store lists it.
    pub(crate) fn list(&mut self, id: LedgerId) {
        // Another process of this name may take it off at any time.
        if self.server.as_str() != LOCAL
            && let Some(loaded) = self.memory.get_mut(&id)
        {
            loaded.listed = true;
        }
    }

    /// Forgets that the store lists it.
    pub(crate) fn unlist(&mut self, id: LedgerId) {
        if let Some(loaded) = self.memory.get_mut(&id) {
            loaded.listed = false;
        }
    }

    /// Up to `limit` of the ledgers for which the store lists this server in vain: it serves nothing
    /// there.
    pub(crate) fn listed_in_vain(&self, limit: usize) -> Vec<LedgerId> {
        let listed = self.memory.iter().filter(|(_, loaded)| loaded.listed);
        let idle = listed.filter(|(_, loaded)| !loaded.is_served_by(&self.server));
        idle.map(|(id, _)| *id).take(limit).collect()
    }

    /// Whether there are so many that some are about to be dropped.
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

    /// Notes where a license leads, according to a ledger in memory.
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

    /// A ledger as it is in memory, unless it is faulted.
    pub(crate) fn sound(&self, id: LedgerId) -> Option<&Ledger> {
        match &self.memory.get(&id)?.memory {
            Memory::Sound { ledger, .. } => Some(ledger),
            Memory::Faulted { .. } => None,
        }
    }

    /// The same, to be changed.
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

/// Where a license may lead: where it led when it was last asked for, or to a ledger in memory that
/// bears its number. Without a hint, that ledger would be read again, however long it is.
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
