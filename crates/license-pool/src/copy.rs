//! Copies a whole store while it is used. Entries are copied in short reads, in rounds, until few are
//! left; those and everything else are then copied as they are at one last moment.

use std::collections::BTreeMap;

use license_core::Head;
use license_types::{Count, StoreCopy};

use crate::chain;
use crate::log::tables::{self, Row, Source, Table, Target, Value};
use crate::log::{LogError, OpenError, lost_end};
use crate::{StoreUrl, explained};

/// How many entries may be left to the last moment.
const REST: i64 = 2048;

/// After how many rounds they are left to it anyway, if others append as fast as is copied.
const ROUNDS_MAX: usize = 16;

/// In how many entries at once to look for descriptions that were erased since they were copied.
const STRETCH: i64 = 65_536;

/// How a store is to be copied.
#[derive(Clone, Default)]
pub struct CopyOptions {
    /// Whether the store that is copied can only be read afterwards, and names the copy as its
    /// successor. Without, it goes on: what it grants from then on the copy does not know.
    pub seal: bool,
    /// The password of the store that is copied, where its address has none.
    pub password: Option<String>,
    /// The password of the store that is copied to, where its address has none.
    pub target_password: Option<String>,
}

/// Why a store was not copied. What was copied so far is no store, and another try begins anew.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The store that is to be copied cannot be opened.
    #[error("the store to copy cannot be used")]
    Source(#[source] OpenError),
    /// There can be no copy at this place.
    #[error("the copy cannot be made there")]
    Target(#[source] OpenError),
    /// A store in memory ends with its process, and has nothing that another process could copy.
    #[error("a store in memory cannot be copied")]
    Memory,
    /// The store that is copied failed.
    #[error("the store that is copied failed: the copy is not finished")]
    Read(#[source] LogError),
    /// The copy failed.
    #[error("the copy failed: it is not finished")]
    Write(#[source] LogError),
    /// The store lacks what every store has.
    #[error("the store has no table `{0}`")]
    NoTable(&'static str),
    /// A ledger was deleted while it was copied.
    #[error("a license was uninstalled meanwhile: copy again")]
    Restless,
}

/// Copies a whole store, which others may use meanwhile, to another place: every entry byte for byte,
/// and all that stands beside them. `reached` is told how many entries were copied and how many there
/// are. A copy that is interrupted leaves something that nobody takes for a store.
///
/// A server that lives on the store that is copied is no server of the copy; what it serves is adopted
/// there once a server takes its name, or finds it silent.
///
/// ```
/// use license_pool::{CopyOptions, Pool, SAMPLE_LICENSE, StoreUrl, copy};
///
/// # let directory = tempfile::tempdir()?;
/// let [from, to] = ["a.db", "b.db"].map(|name| StoreUrl::Sqlite(directory.path().join(name)));
/// Pool::open(&from.to_string())?.install(SAMPLE_LICENSE.as_bytes())?;
/// let copied = copy(&from, &to, &CopyOptions::default(), |_, _| {})?;
/// assert_eq!(copied.entries.get(), 1);
/// assert_eq!(Pool::open(&to.to_string())?.licenses()?, ["SAMPLE-0001"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// See [`CopyError`].
pub fn copy(
    from: &StoreUrl,
    to: &StoreUrl,
    options: &CopyOptions,
    mut reached: impl FnMut(u64, u64),
) -> Result<StoreCopy, CopyError> {
    let CopyOptions { seal, password, target_password } = options;
    let mut source = open_source(from, password.as_deref())?;
    let successor = to.to_string();
    let sealed_before = match source.sealed_to().map_err(CopyError::Read)? {
        // A copy that was interrupted after its source was sealed can still be finished.
        Some(target) if *seal && target != successor => {
            return Err(CopyError::Source(OpenError::Sealed { store: from.to_string(), target }));
        }
        sealed => sealed.filter(|_| !*seal),
    };
    let target = open_target(to, target_password.as_deref())?;
    let mut copy = Copy::new(source, target, &mut reached)?;
    copy.rounds()?;
    copy.last_moment(*seal, &successor)?;
    Ok(StoreCopy {
        from: from.to_string(),
        to: successor,
        sealed: *seal,
        successor: sealed_before,
        ledgers: count(copy.ledgers.len()),
        entries: count(copy.entries),
        faults: copy.faults(),
    })
}

#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "only a database asks for a password")
)]
fn open_source(url: &StoreUrl, password: Option<&str>) -> Result<Box<dyn Source>, CopyError> {
    match url {
        StoreUrl::Memory => Err(CopyError::Memory),
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(path) => {
            let source = crate::log::SqliteSource::open(path, crate::pool::options::PATIENCE);
            Ok(Box::new(source.map_err(CopyError::Source)?))
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => {
            let source = crate::log::PostgresSource::open(url, password);
            Ok(Box::new(source.map_err(CopyError::Source)?))
        }
    }
}

#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "only a database asks for a password")
)]
fn open_target(url: &StoreUrl, password: Option<&str>) -> Result<Box<dyn Target>, CopyError> {
    match url {
        StoreUrl::Memory => Err(CopyError::Memory),
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(path) => {
            let target = crate::log::SqliteTarget::open(path);
            Ok(Box::new(target.map_err(CopyError::Target)?))
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => {
            let target = crate::log::PostgresTarget::open(url, password);
            Ok(Box::new(target.map_err(CopyError::Target)?))
        }
    }
}

struct Copy<'c> {
    source: Box<dyn Source>,
    target: Box<dyn Target>,
    reached: &'c mut dyn FnMut(u64, u64),
    ledger: Table,
    entry: Table,
    others: Vec<Table>,
    ledgers: BTreeMap<i64, Ledger>,
    entries: usize,
}

/// How far one ledger was copied.
#[derive(Default)]
struct Ledger {
    head: Head,
    /// The first thing that is wrong with it.
    fault: Option<String>,
    /// A number that points to it.
    number: String,
}

impl Copy<'_> {
    fn new<'c>(
        mut source: Box<dyn Source>,
        mut target: Box<dyn Target>,
        reached: &'c mut dyn FnMut(u64, u64),
    ) -> Result<Copy<'c>, CopyError> {
        let mut others = source.tables().map_err(CopyError::Read)?;
        let mut take = |name: &'static str| {
            let at = others.iter().position(|table| table.name == name);
            at.map(|at| others.remove(at)).ok_or(CopyError::NoTable(name))
        };
        let (ledger, entry) = (take("ledger")?, take("entry")?);
        for table in others.iter().chain([&entry, &ledger]) {
            target.clear(table).map_err(CopyError::Write)?;
        }
        let ledgers = BTreeMap::new();
        Ok(Copy { source, target, reached, ledger, entry, others, ledgers, entries: 0 })
    }

    /// Copies entries until few are left.
    fn rounds(&mut self) -> Result<(), CopyError> {
        for _ in 0..ROUNDS_MAX {
            let heads = self.heads()?;
            let known = |id| self.ledgers.get(id).map_or(0, |ledger| sequence(ledger.head));
            let behind: i64 = heads.iter().map(|(id, head)| (head - known(id)).max(0)).sum();
            if behind <= REST {
                return Ok(());
            }
            self.entries(&heads)?;
        }
        Ok(())
    }

    /// Copies the rest of the entries and everything else, as they are at one moment.
    fn last_moment(&mut self, seal: bool, successor: &str) -> Result<(), CopyError> {
        self.source.begin(seal).map_err(CopyError::Read)?;
        let copied: Vec<(i64, i64)> =
            self.ledgers.iter().map(|(id, ledger)| (*id, sequence(ledger.head))).collect();
        let heads = self.heads()?;
        if !self.ledgers.keys().all(|id| heads.contains_key(id)) {
            return Err(CopyError::Restless);
        }
        self.entries(&heads)?;
        self.judge_ends(&heads);
        for table in std::mem::take(&mut self.others) {
            self.table(&table)?;
        }
        // From here on the store that is copied refuses what the copy does not know; and what follows
        // can be done again.
        if seal {
            self.source.seal(successor).map_err(CopyError::Read)?;
        }
        self.forget(&copied)?;
        if !seal {
            self.source.end().map_err(CopyError::Read)?;
        }
        self.target.finish().map_err(CopyError::Write)
    }

    /// Copies the rows of the ledgers, and gives where the log of each ends.
    fn heads(&mut self) -> Result<BTreeMap<i64, i64>, CopyError> {
        let mut heads = BTreeMap::new();
        let table = self.ledger.clone();
        let (id, at) = (place(&table, "id"), place(&table, "sequence"));
        self.pages(&table, |_, rows| {
            heads.extend(rows.iter().map(|row| (integer(row, id), integer(row, at))));
        })?;
        Ok(heads)
    }

    /// Copies a table whole.
    fn table(&mut self, table: &Table) -> Result<(), CopyError> {
        let numbers = (table.name == "license_number")
            .then(|| (place(table, "ledger"), place(table, "number")));
        self.pages(table, |ledgers, rows| {
            for row in rows {
                if let Some((ledger, number)) = numbers
                    && let Some(ledger) = ledgers.get_mut(&integer(row, ledger))
                    && let Some(Value::Text(number)) = number.and_then(|at| row.get(at))
                {
                    ledger.number.clone_from(number);
                }
            }
        })
    }

    fn pages(
        &mut self,
        table: &Table,
        mut each: impl FnMut(&mut BTreeMap<i64, Ledger>, &[Row]),
    ) -> Result<(), CopyError> {
        let key: Vec<Option<usize>> = table.key.iter().map(|name| table.place(name)).collect();
        let mut after: Vec<Value> = Vec::new();
        loop {
            let rows = self.source.rows(table, &[], &after).map_err(CopyError::Read)?;
            each(&mut self.ledgers, &rows);
            self.target.add(table, &rows).map_err(CopyError::Write)?;
            let Some(last) = rows.last().filter(|_| rows.len() == table.page()) else {
                return Ok(());
            };
            after = key.iter().filter_map(|at| last.get((*at)?).cloned()).collect();
        }
    }

    /// Copies the entries that are behind `heads`.
    fn entries(&mut self, heads: &BTreeMap<i64, i64>) -> Result<(), CopyError> {
        let total = heads.values().sum();
        let mut waiting = Vec::new();
        for (&id, &head) in heads {
            self.ledgers.entry(id).or_default();
            while sequence(self.ledgers[&id].head) < head {
                let after = [Value::Integer(sequence(self.ledgers[&id].head))];
                let rows = self.source.rows(&self.entry, &[Value::Integer(id)], &after);
                let rows = rows.map_err(CopyError::Read)?;
                if rows.is_empty() {
                    break;
                }
                for row in &rows {
                    self.judge(id, row)?;
                }
                waiting.extend(rows);
                if waiting.len() >= self.entry.page() {
                    self.write(&mut waiting, total)?;
                }
            }
        }
        self.write(&mut waiting, total)
    }

    fn write(&mut self, rows: &mut Vec<Row>, total: i64) -> Result<(), CopyError> {
        self.target.add(&self.entry, rows).map_err(CopyError::Write)?;
        self.entries += rows.len();
        rows.clear();
        let reached = self.ledgers.values().map(|ledger| ledger.head.sequence).sum();
        (self.reached)(reached, u64::try_from(total).unwrap_or(0));
        Ok(())
    }

    /// Notes an entry as the last of its ledger, and whether it follows from the one before.
    fn judge(&mut self, id: i64, row: &Row) -> Result<(), CopyError> {
        let entry = tables::entry(&self.entry, id, row);
        let known = self.ledgers.get(&id).map(|ledger| ledger.head).unwrap_or_default();
        let at = place(&self.entry, "sequence");
        let sequence = u64::try_from(integer(row, at)).unwrap_or(0);
        if known.sequence > 0
            && sequence > known.sequence + 1
            && self.source.begins_at(id).map_err(CopyError::Read)? == integer(row, at)
        {
            // Compaction deleted what was copied before, and what was not.
            self.ledgers.insert(id, Ledger::default());
        }
        let ledger = self.ledgers.entry(id).or_default();
        let fault = match &entry {
            Ok(entry) if chain::follows(entry, ledger.head) => None,
            Ok(entry) => Some(chain::fault(entry, ledger.head)),
            Err(error) => Some(explained(error)),
        };
        if let (None, Some(fault)) = (&ledger.fault, fault) {
            ledger.fault = Some(format!("entry {sequence}: {fault}"));
        }
        let chain = entry.map_or(ledger.head.chain, |entry| entry.chain);
        ledger.head = Head { sequence, chain };
        Ok(())
    }
}

impl Copy<'_> {
    /// Deletes and erases what was deleted and erased since it was copied, of the entries up to
    /// these.
    fn forget(&mut self, copied: &[(i64, i64)]) -> Result<(), CopyError> {
        for &(id, until) in copied {
            let first = self.source.begins_at(id).map_err(CopyError::Read)?;
            self.target.forget(id, first).map_err(CopyError::Write)?;
            let mut after = first - 1;
            while after < until {
                let end = after.saturating_add(STRETCH).min(until);
                let erased = self.source.erased(id, after, end).map_err(CopyError::Read)?;
                if !erased.is_empty() {
                    self.target.erase(id, &erased).map_err(CopyError::Write)?;
                }
                after = end;
            }
        }
        Ok(())
    }

    /// Notes where a log ends before its ledger says so.
    fn judge_ends(&mut self, heads: &BTreeMap<i64, i64>) {
        for (id, head) in heads {
            let ledger = self.ledgers.entry(*id).or_default();
            let (head, end) = (u64::try_from(*head).unwrap_or(0), ledger.head.sequence);
            if ledger.fault.is_none() && end < head {
                ledger.fault = Some(lost_end(head, end));
            }
        }
    }

    fn faults(&self) -> Vec<String> {
        let fault = |ledger: &Ledger| {
            Some(format!("license {}: {}", ledger.number, ledger.fault.as_ref()?))
        };
        self.ledgers.values().filter_map(fault).collect()
    }
}

fn place(table: &Table, column: &str) -> Option<usize> {
    table.place(column)
}

/// The number in a column; 0 where there is none, which no ledger and no entry has.
fn integer(row: &Row, at: Option<usize>) -> i64 {
    match at.and_then(|at| row.get(at)) {
        Some(Value::Integer(integer)) => *integer,
        _ => 0,
    }
}

fn sequence(head: Head) -> i64 {
    i64::try_from(head.sequence).unwrap_or(i64::MAX)
}

fn count(count: usize) -> Count {
    u64::try_from(count).ok().and_then(|count| Count::new(count).ok()).unwrap_or(Count::MAX)
}
