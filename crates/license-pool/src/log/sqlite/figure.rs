//! Daily figures in the file.

use std::ops::Range;

use jiff::Timestamp;
use license_core::Figure;
use rusqlite::{Connection, Result, Row, ToSql, params_from_iter};

use super::failed_to;
use crate::log::figure::{self, NUMBERS};
use crate::log::{LedgerId, LogError};

/// Writes down the figures of days that ended. Who tells a day again tells the same.
pub(super) fn insert(connection: &Connection, ledger: LedgerId, figures: &[Figure]) -> Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO figure (ledger, start, product_id, product_name, days, \
         allowed_count, peak_used_count, peak_after_milliseconds, milliseconds_with_nothing_left, \
         held_milliseconds, retained, refused, sessions_refused, true_refusals) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for figure in figures {
        let (start, product) = (figure::spelled(figure.start), figure::product(figure));
        let numbers = figure::numbers(figure);
        let first: [&dyn ToSql; 4] = [&ledger.0, &start, &product, &&*figure.product_name];
        let numbers = numbers.iter().map(|number| number as &dyn ToSql);
        statement.execute(params_from_iter(first.into_iter().chain(numbers)))?;
    }
    Ok(())
}

/// Takes back what was told of days from a midnight on.
pub(super) fn void(connection: &Connection, ledger: LedgerId, from: Timestamp) -> Result<()> {
    let from = figure::spelled(from);
    connection
        .prepare_cached("DELETE FROM figure WHERE ledger = ?1 AND start >= ?2")?
        .execute((ledger.0, &from))?;
    // What stands for several days begins at a midnight as well.
    const CUT: &str = "
        UPDATE figure SET days = min(days, CAST(round(julianday(?2) - julianday(start)) AS INTEGER))
        WHERE ledger = ?1 AND days > 1";
    connection.prepare_cached(CUT)?.execute((ledger.0, &from))?;
    Ok(())
}

pub(super) fn read(
    connection: &Connection,
    ledger: LedgerId,
    days: &Range<Timestamp>,
) -> std::result::Result<Vec<Figure>, LogError> {
    type Cells = (String, i64, String, [i64; NUMBERS]);
    let cells = |row: &Row<'_>| -> Result<Cells> {
        let mut numbers = [0; NUMBERS];
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = row.get(at + 3)?;
        }
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, numbers))
    };
    let rows = || -> Result<Vec<Cells>> {
        let mut statement = connection.prepare_cached(
            "SELECT start, product_id, product_name, days, allowed_count, peak_used_count, \
             peak_after_milliseconds, milliseconds_with_nothing_left, held_milliseconds, \
             retained, refused, sessions_refused, true_refusals \
             FROM figure WHERE ledger = ?1 AND start < ?2 ORDER BY start, product_id",
        )?;
        statement.query_map((ledger.0, figure::spelled(days.end)), cells)?.collect()
    };
    let rows = rows().map_err(failed_to("read the figures"))?;
    let figures = rows.iter().map(|(start, product, product_name, numbers)| {
        figure::read(start, *product, product_name, *numbers)
    });
    figure::within(ledger, days, figures)
}
