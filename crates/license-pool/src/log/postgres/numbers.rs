//! Which ledgers there are, and the license numbers that point to them.

use tokio_postgres::{Error, Row};

use super::row::unescaped;
use crate::log::{LedgerId, LedgerNumbers};

/// Reads the rows of `ledgers.sql`.
pub(super) fn read(rows: &[Row]) -> Result<Vec<LedgerNumbers>, Error> {
    let mut ledgers: Vec<LedgerNumbers> = Vec::new();
    for row in rows {
        let ledger = LedgerId(row.try_get(0)?);
        if ledgers.last().is_none_or(|last| last.ledger != ledger) {
            ledgers.push(LedgerNumbers { ledger, numbers: Vec::new(), in_force: false });
        }
        if let (Some(last), Some(number)) = (ledgers.last_mut(), row.try_get::<_, Option<&str>>(1)?)
        {
            last.numbers.push(unescaped(number).into_owned());
            last.in_force = row.try_get::<_, Option<bool>>(2)?.unwrap_or(false);
        }
    }
    Ok(ledgers)
}
