//! Reads a whole store again and says whether it is sound.

use std::error::Error as StdError;

use license_core::Ledger;
use license_types::{Count, LedgerCheck, StoreCheck};

use crate::log::{LedgerNumbers, LogError};
use crate::{Error, Pool};

const PAGE: usize = 1024;

/// Applies every entry of every ledger to an empty one, on the caller's thread: others go on.
pub(crate) fn check(pool: &Pool) -> Result<StoreCheck, Error> {
    let format = pool.with_log(|log| log.format().map_err(Error::store)).wait()?;
    let faults = pool.with_log(|log| log.damage().map_err(Error::store)).wait()?;
    let ledgers = pool.with_log(|log| log.ledgers().map_err(Error::store)).wait()?;
    let ledgers: Result<Vec<LedgerCheck>, Error> =
        ledgers.into_iter().map(|ledger| check_ledger(pool, ledger)).collect();
    let store = pool.store().to_owned();
    Ok(StoreCheck { store, format: count(format), faults, ledgers: ledgers? })
}

fn check_ledger(pool: &Pool, numbers: LedgerNumbers) -> Result<LedgerCheck, Error> {
    let mut ledger = Ledger::new();
    let fault = loop {
        let (id, after) = (numbers.ledger, ledger.head().sequence);
        let page = match pool.with_log(move |log| Ok(log.page(id, after, PAGE))).wait()? {
            Ok(page) => page,
            Err(error @ LogError::Entry { .. }) => break Some(chain(&error)),
            Err(error) => return Err(Error::store(error)),
        };
        if let Some(fault) = page.iter().find_map(|entry| ledger.replay(entry).err()) {
            break Some(chain(&fault));
        }
        if page.len() < PAGE {
            break ledger.recount().err().map(|fault| chain(&fault));
        }
    };
    let fault = fault.or_else(|| {
        let agree = ledger.license_numbers().eq(numbers.numbers.iter().map(String::as_str));
        (!agree).then(|| "its license numbers are not those that its entries installed".to_owned())
    });
    Ok(LedgerCheck {
        license_numbers: numbers.numbers,
        entries: count(ledger.head().sequence),
        held: count(u64::try_from(ledger.live().count()).unwrap_or(u64::MAX)),
        sound: fault.is_none(),
        fault,
    })
}

/// An error with everything that led to it.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

fn count(count: u64) -> Count {
    Count::new(count).unwrap_or(Count::MAX)
}
