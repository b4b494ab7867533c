//! Which ledgers there are, and the license numbers that point to them.

use tokio_postgres::{Error, Row};

use super::row::unescaped;
use crate::log::{LedgerId, LedgerNumbers};

/// Reads the rows of `ledgers.sql`.
pub(super) fn read(rows: &[Row]) -> Result<Vec<LedgerNumbers>, Error> {
    let mut ledgers: Vec<LedgerNumbers> = Vec::new();
    for row in rows {
        let number: Option<&str> = row.try_get(1)?;
        let in_force: Option<bool> = row.try_get(2)?;
        let number = number.map(|it| (unescaped(it).into_owned(), in_force.unwrap_or(false)));
        LedgerNumbers::gather(&mut ledgers, LedgerId(row.try_get(0)?), number);
    }
    Ok(ledgers)
}
