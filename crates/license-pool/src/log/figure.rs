//! Daily figures as rows: the same columns in every database.

use std::ops::Range;

use jiff::Timestamp;
use license_core::{Figure, Refusals};
use license_types::{DateTime, ProductId};

use crate::log::{Cause, LedgerId, LogError};

/// How many columns of numbers follow the start, the product and its name.
pub(super) const NUMBERS: usize = 10;

/// An instant as the column has it.
pub(super) fn spelled(time: Timestamp) -> String {
    DateTime::from(time).to_string()
}

pub(super) fn product(figure: &Figure) -> i64 {
    signed(figure.product.get())
}

/// The columns after the name of the product.
pub(super) fn numbers(figure: &Figure) -> [i64; NUMBERS] {
    let Refusals { times, sessions, lasting } = figure.refusals;
    [
        figure.days,
        figure.allowed_count,
        figure.peak_used_count,
        figure.peak_after,
        figure.with_nothing_left,
        figure.held,
        figure.retained,
        times,
        sessions,
        lasting,
    ]
    .map(signed)
}

/// Reads a row.
pub(super) fn read(
    start: &str,
    product: i64,
    product_name: &str,
    numbers: [i64; NUMBERS],
) -> Result<Figure, Cause> {
    let mut unsigned = [0; NUMBERS];
    for (unsigned, number) in unsigned.iter_mut().zip(numbers) {
        *unsigned = u64::try_from(number)?;
    }
    let [days, allowed_count, peak_used_count, peak_after, with_nothing_left, held, rest @ ..] =
        unsigned;
    let [retained, times, sessions, lasting] = rest;
    Ok(Figure {
        product: ProductId::new(u64::try_from(product)?)?,
        product_name: product_name.into(),
        start: DateTime::new(start)?.timestamp(),
        days,
        allowed_count,
        peak_used_count,
        peak_after,
        with_nothing_left,
        held,
        retained,
        refusals: Refusals { times, sessions, lasting },
    })
}

/// Those that have a day in `days`, of rows that begin before its end.
pub(super) fn within(
    ledger: LedgerId,
    days: &Range<Timestamp>,
    figures: impl Iterator<Item = Result<Figure, Cause>>,
) -> Result<Vec<Figure>, LogError> {
    let within = figures.filter(|it| !it.as_ref().is_ok_and(|figure| !figure.is_within(days)));
    let unreadable = |source| {
        let source = format!("a figure of ledger {}: {source}", ledger.0).into();
        LogError::Unavailable { action: "read the figures", source }
    };
    within.collect::<Result<_, Cause>>().map_err(unreadable)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
