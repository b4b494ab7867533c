//! The log in memory: for trials and tests. It dies with its last handle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use license_core::{Entry, Head};
use license_types::ServerName;

use crate::log::{
    Append, Asked, Found, LedgerId, LedgerNumbers, Log, LogError, Mark, News, Server, Since,
    TurnError, Which,
};

/// A log in memory. Clones share it, as processes share a file.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    store: Arc<Mutex<Store>>,
    server: Option<Server>,
}

#[derive(Debug, Default)]
struct Store {
    /// Ledgers by their id, from 1.
    ledgers: Vec<Ledger>,
    servers: BTreeMap<ServerName, (u64, String)>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// The last one is in force.
    numbers: Vec<Arc<str>>,
    entries: Vec<Entry>,
}

impl MemoryLog {
    fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing is left half done: appends are made in one go, after everything that could panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Vec<Append>,
    ) -> Result<(), TurnError> {
        let mut store = self.store();
        store.not_fenced(self.server.as_ref()).map_err(TurnError::Dropped)?;
        for append in decide(store.news(asked)) {
            store.append(append);
        }
        Ok(())
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        let store = self.store();
        let ledger = mark.ledger.or_else(|| store.find(mark.number.as_deref()?));
        Ok(ledger.is_some_and(|ledger| store.ledger(ledger).bears(mark.head)))
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        let store = self.store();
        store.not_fenced(self.server.as_ref())?;
        Ok(store.news(asked))
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        Ok(self.store().ledger(ledger).after(after).iter().take(limit).cloned().collect())
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        let numbers = |ledger: &Ledger| ledger.numbers.iter().map(|n| n.to_string()).collect();
        let store = self.store();
        let ledgers = (1..).map(LedgerId).zip(&store.ledgers);
        Ok(ledgers.map(|(id, l)| LedgerNumbers { ledger: id, numbers: numbers(l) }).collect())
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        let mut store = self.store();
        let (epoch, instance) = store.servers.entry(server.name.clone()).or_default();
        *epoch += 1;
        instance.clone_from(&server.instance);
        let epoch = *epoch;
        drop(store);
        self.server = Some(server);
        Ok(epoch)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let mut store = self.store();
        if store.not_fenced(Some(&server)).is_ok() {
            store.servers.remove(&server.name);
        }
        Ok(())
    }

    fn format(&mut self) -> Result<u64, LogError> {
        Ok(1)
    }
}

impl Store {
    fn news(&self, asked: &[Asked]) -> News {
        let found: Vec<Found> = asked.iter().map(|asked| self.resolve(&asked.license)).collect();
        let ids: BTreeSet<LedgerId> = found.iter().filter_map(Found::ledger).collect();
        let since = |id: LedgerId| match asked.iter().find_map(|asked| asked.known_of(id)) {
            Some(known) if self.ledger(id).bears(known) => {
                Since::Entries(self.ledger(id).after(known.sequence).to_vec())
            }
            _ => Since::Reload,
        };
        News { found, ledgers: ids.into_iter().map(|id| (id, since(id))).collect() }
    }

    fn resolve(&self, license: &Which) -> Found {
        match (license, &*self.ledgers) {
            (Which::Number(number), _) => self.find(number).map_or(Found::Unknown, Found::Ledger),
            (Which::Only, []) => Found::Unknown,
            (Which::Only, [_]) => Found::Ledger(LedgerId(1)),
            (Which::Only, several) => {
                let in_force = several.iter().filter_map(|ledger| ledger.numbers.last());
                Found::Several(in_force.map(|number| number.to_string()).collect())
            }
        }
    }

    fn find(&self, number: &str) -> Option<LedgerId> {
        let bears = |ledger: &Ledger| ledger.numbers.iter().any(|borne| **borne == *number);
        (1..).map(LedgerId).zip(&self.ledgers).find(|(_, ledger)| bears(ledger)).map(|(id, _)| id)
    }

    fn ledger(&self, id: LedgerId) -> &Ledger {
        static NONE: Ledger = Ledger { numbers: Vec::new(), entries: Vec::new() };
        id.index().and_then(|index| self.ledgers.get(index)).unwrap_or(&NONE)
    }

    fn append(&mut self, append: Append) {
        let index = append.ledger.and_then(LedgerId::index).unwrap_or(self.ledgers.len());
        if index >= self.ledgers.len() {
            self.ledgers.resize_with(index + 1, Ledger::default);
        }
        let ledger = &mut self.ledgers[index];
        if let Some(number) = append.number {
            ledger.numbers.retain(|borne| *borne != number);
            ledger.numbers.push(number);
        }
        ledger.entries.extend(append.entries);
    }

    fn not_fenced(&self, server: Option<&Server>) -> Result<(), LogError> {
        let Some(server) = server else { return Ok(()) };
        match self.servers.get(&server.name) {
            Some((_, instance)) if *instance == server.instance => Ok(()),
            _ => Err(LogError::Fenced { server: server.name.to_string() }),
        }
    }
}

impl Ledger {
    fn after(&self, sequence: u64) -> &[Entry] {
        let known = usize::try_from(sequence).unwrap_or(usize::MAX);
        self.entries.get(known..).unwrap_or_default()
    }

    /// Whether this history has `head` in it.
    fn bears(&self, head: Head) -> bool {
        let Some(before) = head.sequence.checked_sub(1) else { return true };
        self.after(before).first().is_some_and(|entry| entry.chain == head.chain)
    }
}

impl LedgerId {
    fn index(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}
