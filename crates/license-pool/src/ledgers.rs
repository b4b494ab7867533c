//! What the pool remembers of the ledgers in the store: enough to decide, never believed before it
//! was brought up to date.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;

use license_core::{Ledger, Refusal};

use crate::Error;
use crate::log::{Asked, Found, LedgerId, Log, LogError, News, Since, Which};

/// So many entries are read at once where a ledger is read from its start.
const PAGE: usize = 1024;

/// The ledgers in memory.
#[derive(Default)]
pub(crate) struct Ledgers {
    memory: BTreeMap<LedgerId, Memory>,
    /// Where licenses led when last asked for; a hint, which the log corrects.
    leads: BTreeMap<Which, LedgerId>,
}

enum Memory {
    Sound(Box<Ledger>),
    Faulted(Fault),
}

/// Why a ledger cannot be used.
#[derive(Clone)]
pub(crate) struct Fault {
    sequence: u64,
    source: Arc<dyn StdError + Send + Sync>,
}

impl Ledgers {
    /// What to ask a log, given what is known.
    pub(crate) fn ask(&self, licenses: &[Which]) -> Vec<Asked> {
        let known = |license| {
            let id = self.leads.get(license)?;
            match self.memory.get(id)? {
                Memory::Sound(ledger) => Some((*id, ledger.head())),
                Memory::Faulted(_) => None,
            }
        };
        licenses.iter().map(|l| Asked { license: l.clone(), known: known(l) }).collect()
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
            match (self.memory.get_mut(id), since) {
                // A fault stays until the pool is opened again on a store that was put right.
                (Some(Memory::Faulted(_)), _) => {}
                (Some(Memory::Sound(ledger)), Since::Entries(entries)) => {
                    let faulted = entries.iter().find_map(|entry| ledger.replay(entry).err());
                    if let Some(fault) = faulted {
                        self.memory.insert(*id, Memory::Faulted(fault.into()));
                    }
                }
                (Some(Memory::Sound(_)), Since::Reload) | (None, _) => stale.push(*id),
            }
        }
        if stale.is_empty() { Ok(()) } else { Err(stale) }
    }

    /// Reads a ledger from its start.
    pub(crate) fn reload(&mut self, log: &mut dyn Log, id: LedgerId) -> Result<(), LogError> {
        self.memory.remove(&id);
        let mut ledger = Ledger::new();
        loop {
            let page = match log.page(id, ledger.head().sequence, PAGE) {
                Ok(page) => page,
                Err(LogError::Entry { sequence, source, .. }) => {
                    let fault = Fault { sequence, source: source.into() };
                    self.memory.insert(id, Memory::Faulted(fault));
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            if let Some(fault) = page.iter().find_map(|entry| ledger.replay(entry).err()) {
                self.memory.insert(id, Memory::Faulted(fault.into()));
                return Ok(());
            }
            if page.len() < PAGE {
                self.memory.insert(id, Memory::Sound(Box::new(ledger)));
                return Ok(());
            }
        }
    }

    /// The ledger that a license was found to lead to, up to date.
    pub(crate) fn get(
        &mut self,
        license: &Which,
        found: &Found,
    ) -> Result<(LedgerId, &mut Ledger), Error> {
        let id = id(license, found)?;
        match self.memory.get_mut(&id) {
            Some(Memory::Sound(ledger)) => Ok((id, ledger)),
            Some(Memory::Faulted(Fault { sequence, source })) => {
                Err(Error::LedgerFaulted { sequence: *sequence, source: source.clone() })
            }
            // Only ledgers whose news was absorbed are asked for.
            None => Err(Error::Internal(None)),
        }
    }

    /// A ledger that can be used, as it is in memory, to be changed.
    pub(crate) fn sound_mut(&mut self, id: LedgerId) -> Option<&mut Ledger> {
        match self.memory.get_mut(&id)? {
            Memory::Sound(ledger) => Some(ledger),
            Memory::Faulted(_) => None,
        }
    }
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

impl From<license_core::Fault> for Fault {
    fn from(fault: license_core::Fault) -> Fault {
        Fault { sequence: fault.sequence, source: Arc::new(fault) }
    }
}
