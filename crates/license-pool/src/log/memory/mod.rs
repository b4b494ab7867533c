//! The log in memory: for trials and tests. It dies with its last handle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Chunk, Entry, Figure, Head};
use license_types::{ServerName, Token};

use crate::KeptCredential;
use crate::log::{
    Append, Archive, Asked, Found, LedgerId, LedgerNumbers, Log, LogError, Mark, News, OpenError,
    Server, ServerRow, Silence, Since, Turn, TurnError, Which,
};

mod archive;

/// The format of the stores on disk that would hold the same.
const FORMAT: u64 = 2;

/// A log in memory. Clones share it, as processes share a file.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    store: Arc<Mutex<Store>>,
    server: Option<Server>,
}

#[derive(Clone, Debug, Default)]
struct Store {
    /// Ledgers by their id, from 1.
    ledgers: Vec<Ledger>,
    servers: BTreeMap<ServerName, ServerRow>,
    serving: BTreeSet<(ServerName, LedgerId)>,
    silences: BTreeMap<(LedgerId, Token), Duration>,
    credentials: Vec<KeptCredential>,
}

#[derive(Clone, Debug, Default)]
struct Ledger {
    /// The last one is in force, unless it was uninstalled.
    numbers: Vec<Arc<str>>,
    uninstalled: bool,
    entries: Vec<Entry>,
    figures: Vec<Figure>,
    /// How many of the first entries were deleted.
    gone: usize,
    /// Chunks by the sequence of their snapshot and their number.
    snapshots: BTreeMap<(u64, u64), Chunk>,
}

impl MemoryLog {
    /// A copy of everything in it, which shares nothing with it and acts as no server.
    pub fn backup(&self) -> MemoryLog {
        let store = self.store().clone();
        MemoryLog { store: Arc::new(Mutex::new(store)), server: None }
    }

    /// Goes back to a backup, for every clone.
    pub fn restore(&self, backup: &MemoryLog) {
        let store = backup.store().clone();
        *self.store() = store;
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing is left half done: appends are made in one go, after everything that could panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        let mut store = self.store();
        store.not_fenced(self.server.as_ref()).map_err(TurnError::Dropped)?;
        let Turn { appends, ends } = decide(store.news(asked));
        store.not_alive(&ends).map_err(TurnError::Dropped)?;
        for row in ends {
            store.servers.insert(row.name.clone(), ServerRow { instance: String::new(), ..row });
        }
        for append in appends {
            store.append(append);
        }
        store.forget_ended();
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

    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError> {
        let store = self.store();
        let figures = store.ledger(ledger).figures.iter();
        Ok(figures.filter(|figure| figure.is_within(&days)).cloned().collect())
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        let store = self.store();
        let ledgers = (1..).map(LedgerId).zip(&store.ledgers);
        let numbers = |(id, ledger): (LedgerId, &Ledger)| LedgerNumbers {
            ledger: id,
            numbers: ledger.numbers.iter().map(|number| number.to_string()).collect(),
            in_force: ledger.in_force().is_some(),
        };
        Ok(ledgers.map(numbers).collect())
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        let mut store = self.store();
        let epoch = store.servers.get(&server.name).map_or(0, |row| row.epoch) + 1;
        let row = ServerRow {
            name: server.name.clone(),
            epoch,
            instance: server.instance.clone(),
            beat: 0,
            lease_seconds: server.lease_seconds,
            grace_seconds: server.grace_seconds,
            transient: server.transient,
            format: FORMAT,
            alive: None,
        };
        store.servers.insert(server.name.clone(), row);
        drop(store);
        self.server = Some(server);
        Ok(epoch)
    }

    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError> {
        let mut store = self.store();
        store.not_fenced(self.server.as_ref())?;
        if let Some(server) = &self.server
            && let Some(row) = store.servers.get_mut(&server.name)
        {
            row.beat += 1;
        }
        for Silence { ledger, token, silent } in silences {
            if silent.is_zero() {
                store.silences.remove(&(*ledger, *token));
            } else {
                store.silences.insert((*ledger, *token), *silent);
            }
        }
        Ok(store.servers.values().cloned().collect())
    }

    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError> {
        let store = self.store();
        let of_server = store.serving.iter().filter(|(name, _)| name == server);
        Ok(of_server.map(|(_, ledger)| *ledger).collect())
    }

    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError> {
        let store = self.store();
        let of_ledger = store.silences.iter().filter(|((id, _), _)| *id == ledger);
        let silence = |((_, token), silent): (&(_, Token), &Duration)| Silence {
            ledger,
            token: *token,
            silent: *silent,
        };
        Ok(of_ledger.map(silence).collect())
    }

    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError> {
        Ok(self.store().credentials.clone())
    }

    fn keep_credential(&mut self, credential: &KeptCredential) -> Result<(), LogError> {
        let credentials = &mut self.store().credentials;
        let id = &credential.credential.id;
        match credentials.iter_mut().find(|kept| kept.credential.id == *id) {
            Some(kept) => kept.clone_from(credential),
            None => credentials.push(credential.clone()),
        }
        let made = |kept: &KeptCredential| {
            (kept.credential.created_at.timestamp(), kept.credential.id.clone())
        };
        credentials.sort_by_key(made);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let mut store = self.store();
        if store.not_fenced(Some(&server)).is_ok() {
            store.servers.remove(&server.name);
        }
        Ok(())
    }

    fn archive(&mut self) -> Option<&mut dyn Archive> {
        Some(self)
    }

    fn for_writer(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(Some(Box::new(self.clone())))
    }

    fn for_archivist(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        let store = self.store.clone();
        Ok(Some(Box::new(MemoryLog { store, server: None })))
    }

    fn format(&mut self) -> Result<u64, LogError> {
        Ok(FORMAT)
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
            Some(known) if self.ledger(id).lacks(known) => Since::WentBack,
            _ => Since::Reload,
        };
        let ledgers = ids.into_iter().map(|id| (id, since(id))).collect();
        News { found, ledgers, ..News::default() }
    }

    fn resolve(&self, license: &Which) -> Found {
        if let Which::Number(number) = license {
            return self.find(number).map_or(Found::Unknown, Found::Ledger);
        }
        let ledgers = (1..).map(LedgerId).zip(&self.ledgers);
        let in_force: Vec<(LedgerId, &Arc<str>)> =
            ledgers.filter_map(|(id, ledger)| Some((id, ledger.in_force()?))).collect();
        match &*in_force {
            [] => Found::Unknown,
            [(only, _)] => Found::Ledger(*only),
            several => Found::Several(several.iter().map(|(_, n)| n.to_string()).collect()),
        }
    }

    fn find(&self, number: &str) -> Option<LedgerId> {
        let bears = |ledger: &Ledger| ledger.numbers.iter().any(|borne| **borne == *number);
        (1..).map(LedgerId).zip(&self.ledgers).find(|(_, ledger)| bears(ledger)).map(|(id, _)| id)
    }

    fn ledger(&self, id: LedgerId) -> &Ledger {
        static NONE: Ledger = Ledger {
            numbers: Vec::new(),
            uninstalled: false,
            entries: Vec::new(),
            figures: Vec::new(),
            gone: 0,
            snapshots: BTreeMap::new(),
        };
        id.index().and_then(|index| self.ledgers.get(index)).unwrap_or(&NONE)
    }

    fn ledger_mut(&mut self, id: LedgerId) -> Option<&mut Ledger> {
        self.ledgers.get_mut(id.index()?)
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
            ledger.uninstalled = false;
        }
        ledger.uninstalled |= append.uninstalls;
        ledger.entries.extend(append.entries);
        if let Some(void) = append.void_from {
            let figures = std::mem::take(&mut ledger.figures);
            ledger.figures = figures.into_iter().filter_map(|it| it.before(void)).collect();
        }
        ledger.figures.extend(append.figures);
        let id = LedgerId::at(index);
        for (server, serves) in append.serving {
            if serves {
                self.serving.insert((server, id));
            } else {
                self.serving.remove(&(server, id));
            }
        }
    }

    fn not_alive(&self, ends: &[ServerRow]) -> Result<(), LogError> {
        let changed = |row: &&ServerRow| {
            !self.servers.get(&row.name).is_some_and(|found| found.is_unchanged(row))
        };
        match ends.iter().find(changed) {
            Some(row) => Err(LogError::Alive { server: row.name.to_string() }),
            None => Ok(()),
        }
    }

    /// Forgets the servers whose epoch ended and that serve nothing more.
    fn forget_ended(&mut self) {
        let Store { servers, serving, .. } = self;
        servers.retain(|name, row| {
            !row.is_ended() || serving.iter().any(|(serving, _)| serving == name)
        });
    }

    fn not_fenced(&self, server: Option<&Server>) -> Result<(), LogError> {
        let Some(server) = server else { return Ok(()) };
        match self.servers.get(&server.name) {
            Some(row) if row.instance == server.instance => Ok(()),
            _ => Err(LogError::Fenced { server: server.name.to_string() }),
        }
    }
}

impl Ledger {
    /// The number of the license that is installed.
    fn in_force(&self) -> Option<&Arc<str>> {
        self.numbers.last().filter(|_| !self.uninstalled)
    }

    fn after(&self, sequence: u64) -> &[Entry] {
        let known = usize::try_from(sequence).unwrap_or(usize::MAX);
        self.entries.get(known.saturating_sub(self.gone)..).unwrap_or_default()
    }

    /// Whether this history has another entry in the place of `head`, or ends before it.
    fn lacks(&self, head: Head) -> bool {
        let Some(before) = head.sequence.checked_sub(1) else { return false };
        let found = self.after(before).first();
        found.is_none_or(|entry| entry.sequence == head.sequence && entry.chain != head.chain)
    }

    /// Whether this history has `head` in it.
    fn bears(&self, head: Head) -> bool {
        let Some(before) = head.sequence.checked_sub(1) else { return true };
        self.after(before)
            .first()
            .is_some_and(|entry| (entry.sequence, entry.chain) == (head.sequence, head.chain))
    }
}

impl LedgerId {
    fn at(index: usize) -> LedgerId {
        LedgerId(i64::try_from(index).map_or(i64::MAX, |index| index.saturating_add(1)))
    }

    fn index(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}
