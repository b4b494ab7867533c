//! Daily figures in PostgreSQL.

use std::ops::Range;

use jiff::Timestamp;
use license_core::Figure;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::error::Trouble;
use super::row::{escaped, unescaped};
use crate::log::figure::{self, NUMBERS};
use crate::log::{Append, Cause, LedgerId, LogError};

/// Writes down the figures of days that ended, and takes back what is void.
pub(super) async fn insert(
    connection: &Connection,
    ledgers: &[LedgerId],
    appends: &[Append],
) -> Result<(), Trouble> {
    for (ledger, append) in ledgers.iter().zip(appends) {
        if let Some(from) = append.void_from {
            let from = figure::spelled(from);
            connection.ask(&connection.statements.void_figures, &[&ledger.0, &from]).await?;
            connection.ask(&connection.statements.cut_figures, &[&ledger.0, &from]).await?;
        }
        for figure in &append.figures {
            let (start, product) = (figure::spelled(figure.start), figure::product(figure));
            let (name, numbers) =
                (escaped((&*figure.product_name).into()), figure::numbers(figure));
            let mut values: Vec<&(dyn ToSql + Sync)> = vec![&ledger.0, &start, &product, &name];
            values.extend(numbers.iter().map(|number| number as &(dyn ToSql + Sync)));
            connection.ask(&connection.statements.add_figure, &values).await?;
        }
    }
    Ok(())
}

/// Reads the rows of `figures.sql`.
pub(super) fn read(
    ledger: LedgerId,
    days: &Range<Timestamp>,
    rows: &[Row],
) -> Result<Vec<Figure>, LogError> {
    let figure = |row: &Row| -> Result<Figure, Cause> {
        let mut numbers = [0; NUMBERS];
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = row.try_get(at + 3)?;
        }
        let name = unescaped(row.try_get(2)?);
        figure::read(row.try_get(0)?, row.try_get(1)?, &name, numbers)
    };
    figure::within(ledger, days, rows.iter().map(figure))
}
