//! Reads a whole store again and says whether it is sound.

use jiff::Timestamp;
use license_core::{Entry, Head, Ledger};
use license_types::{Count, LedgerCheck, StoreCheck};

use crate::log::{LedgerId, LedgerNumbers, LogError};
use crate::{Error, Pool, explained, recover};

const PAGE: usize = 1024;

/// Applies every entry of every ledger to an empty one, or to its oldest snapshot where its beginning
/// is gone, on the caller's thread: others go on.
pub(crate) fn check(pool: &Pool) -> Result<StoreCheck, Error> {
    let format = pool.with_log(|log| log.format().map_err(Error::store)).wait()?;
    let faults = pool.with_log(|log| log.damage().map_err(Error::store)).wait()?;
    let damaged = !faults.is_empty();
    let ledgers = match pool.ledgers().wait() {
        // The damage is in the report already, and there may be no ledgers to read.
        Err(_) if damaged => Vec::new(),
        ledgers => ledgers?,
    };
    let check = |numbers: &LedgerNumbers| match check_ledger(pool, numbers) {
        Err(error) if damaged => Ok(unread(numbers, &error)),
        checked => checked,
    };
    let ledgers: Result<Vec<LedgerCheck>, Error> = ledgers.iter().map(check).collect();
    let store = pool.store().to_owned();
    Ok(StoreCheck { store, format: count(format), faults, ledgers: ledgers? })
}

/// A ledger that cannot be read.
fn unread(numbers: &LedgerNumbers, error: &Error) -> LedgerCheck {
    LedgerCheck {
        license_numbers: numbers.numbers.clone(),
        entries: count(0),
        held: count(0),
        sound: false,
        fault: Some(explained(error)),
    }
}

fn check_ledger(pool: &Pool, numbers: &LedgerNumbers) -> Result<LedgerCheck, Error> {
    let mut numbers = numbers.clone();
    loop {
        let first = first(pool, numbers.ledger)?;
        let checked = check_entries(pool, &numbers)?;
        if checked.sound {
            return Ok(checked);
        }
        // While they were read, somebody may have deleted what is old, or changed the license.
        let now = self::numbers(pool, &numbers)?;
        if self::first(pool, numbers.ledger)? == first && now == numbers {
            return Ok(checked);
        }
        numbers = now;
    }
}

/// The numbers that lead to a ledger now; those of before if the ledger is no longer there.
fn numbers(pool: &Pool, before: &LedgerNumbers) -> Result<LedgerNumbers, Error> {
    let ledgers = pool.ledgers().wait()?;
    let now = ledgers.into_iter().find(|numbers| numbers.ledger == before.ledger);
    Ok(now.unwrap_or_else(|| before.clone()))
}

fn check_entries(pool: &Pool, numbers: &LedgerNumbers) -> Result<LedgerCheck, Error> {
    let (mut ledger, begun) = begin(pool, numbers.ledger)?;
    let fault = begun.map(Ok).or_else(|| replay(pool, numbers.ledger, &mut ledger).transpose());
    let fault = fault.transpose()?;
    let fault = fault.or_else(|| {
        let agree = ledger.license_numbers().eq(numbers.numbers.iter().map(String::as_str));
        (!agree).then(|| "its license numbers are not those that its entries installed".to_owned())
    });
    let fault = fault.or_else(|| {
        let wrong = ledger.license().is_some() != numbers.in_force;
        wrong.then(|| "its entries tell otherwise whether its license is installed".to_owned())
    });
    let fault = match fault {
        None => unreadable_figures(pool, numbers.ledger)?,
        fault => fault,
    };
    Ok(LedgerCheck {
        license_numbers: numbers.numbers.clone(),
        entries: count(ledger.head().sequence),
        held: count(u64::try_from(ledger.live().count()).unwrap_or(u64::MAX)),
        sound: fault.is_none(),
        fault,
    })
}

/// Why the daily figures cannot be read, if they cannot. They may tell of entries that are deleted.
fn unreadable_figures(pool: &Pool, id: LedgerId) -> Result<Option<String>, Error> {
    let all = Timestamp::MIN..Timestamp::MAX;
    let read = pool.with_log(move |log| log.figures(id, all).map(drop).map_err(Error::store));
    let Err(error) = read.wait() else { return Ok(None) };
    // If the whole store cannot be read, that is an error, and no fault of the figures.
    pool.with_log(|log| log.format().map_err(Error::store)).wait()?;
    Ok(Some(explained(&error)))
}

/// The sequence of the first entry that there is.
fn first(pool: &Pool, id: LedgerId) -> Result<u64, Error> {
    Ok(match page(pool, id, 0, 1)? {
        Ok(page) => page.first().map_or(1, |entry| entry.sequence),
        // What is wrong with it is found when it is applied.
        Err(_) => 1,
    })
}

/// The ledger to which the entries are to be applied, and what is wrong with the entries before it: an
/// empty ledger, or if the first entries are deleted, that of the oldest snapshot.
fn begin(pool: &Pool, id: LedgerId) -> Result<(Ledger, Option<String>), Error> {
    let first = first(pool, id)?;
    if first == 1 {
        return Ok((Ledger::new(), None));
    }
    let oldest = pool.with_log(move |log| recover::oldest(log, id).map_err(Error::store));
    let Some(ledger) = oldest.wait()? else {
        let fault = format!("entries before {first} are gone, and no snapshot knows them");
        return Ok((Ledger::new(), Some(fault)));
    };
    let mut head: Option<Head> = None;
    let fault = loop {
        let after = head.map_or(0, |head| head.sequence);
        let page = match page(pool, id, after, PAGE)? {
            Ok(page) => page,
            Err(fault) => break Some(fault),
        };
        let older = page.iter().take_while(|it| it.sequence <= ledger.head().sequence);
        let broken = older.into_iter().find(|entry| {
            let follows = head.is_none_or(|head| {
                entry.sequence == head.sequence + 1 && entry.link(&head.chain) == entry.chain
            });
            head = Some(Head { sequence: entry.sequence, chain: entry.chain });
            !follows
        });
        if let Some(entry) = broken {
            break Some(format!("entry {} does not follow the one before it", entry.sequence));
        }
        if page.last().is_none_or(|last| last.sequence >= ledger.head().sequence) {
            break None;
        }
    };
    Ok((ledger, fault))
}

/// Applies the entries after those that the ledger knows; gives what is wrong with them.
fn replay(pool: &Pool, id: LedgerId, ledger: &mut Ledger) -> Result<Option<String>, Error> {
    loop {
        let page = match page(pool, id, ledger.head().sequence, PAGE)? {
            Ok(page) => page,
            Err(fault) => return Ok(Some(fault)),
        };
        if let Some(fault) = page.iter().find_map(|entry| ledger.replay(entry).err()) {
            return Ok(Some(explained(&fault)));
        }
        if page.len() < PAGE {
            return Ok(ledger.recount().err().map(|fault| explained(&fault)));
        }
    }
}

/// Some entries, or why one of them cannot be read.
fn page(
    pool: &Pool,
    id: LedgerId,
    after: u64,
    limit: usize,
) -> Result<Result<Vec<Entry>, String>, Error> {
    match pool.with_log(move |log| Ok(log.page(id, after, limit))).wait()? {
        Ok(page) => Ok(Ok(page)),
        Err(error @ LogError::Entry { .. }) => Ok(Err(explained(&error))),
        Err(error) => Err(Error::store(error)),
    }
}

fn count(count: u64) -> Count {
    Count::new(count).unwrap_or(Count::MAX)
}
