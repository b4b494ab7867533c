//! Finds the entries that a reader wants without fetching the others.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::error::Trouble;
use super::row::{self, signed};
use crate::log::selection::STRETCH;
use crate::log::{LedgerId, LogError, Selection, Stretch};

/// One stretch of a ledger's log, as the database is asked for it.
pub(super) struct Question<'q> {
    ledger: LedgerId,
    after: u64,
    limit: usize,
    wanted: &'q Selection,
}

/// The entries, and where the log ends and goes on.
pub(super) struct Answer {
    entries: Vec<Row>,
    ends: Vec<Row>,
}

impl<'q> Question<'q> {
    pub(super) fn new(
        ledger: LedgerId,
        after: u64,
        limit: usize,
        wanted: &'q Selection,
    ) -> Question<'q> {
        Question { ledger, after, limit, wanted }
    }

    pub(super) async fn ask(&self, connection: &Connection) -> Result<Answer, Trouble> {
        let (from, to) = self.wanted.spelled();
        let product = self.wanted.product.map(|product| signed(product.get()));
        let session = self.wanted.session.as_ref().map(|session| session.as_str());
        let kinds: Vec<&str> = self.wanted.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = (!kinds.is_empty()).then_some(kinds);
        let (after, stretch) = (signed(self.after), signed(STRETCH));
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let values: [&(dyn ToSql + Sync); 9] =
            [&self.ledger.0, &after, &stretch, &from, &to, &product, &session, &kinds, &limit];
        let statements = &connection.statements;
        let answers = connection
            .trip(&[
                (&statements.begin_moment, &[]),
                (&statements.wanted, &values),
                (&statements.ends, &[&self.ledger.0, &after]),
                (&statements.commit, &[]),
            ])
            .await?;
        let [_, entries, ends, _] = answers.try_into().map_err(|_| Trouble::Nonsense)?;
        Ok(Answer { entries, ends })
    }

    pub(super) fn stretch(&self, answer: &Answer) -> Result<Stretch, LogError> {
        let number = |at| {
            let Some(row) = answer.ends.first() else { return Ok(0) };
            let number = row.try_get::<_, Option<i64>>(at).map_err(Trouble::from);
            let number = number.map_err(|trouble| trouble.into_log("read"))?;
            Ok(number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
        };
        let (end, last, begin) = (number(0)?, number(1)?, number(2)?);
        // What is gone from the beginning of a log need not be looked through.
        let whole = if begin == 0 { end } else { (begin - 1).saturating_add(STRETCH) };
        let mut entries = row::read(self.ledger, &answer.entries)?;
        let reached = match entries.last() {
            Some(entry) if entries.len() == self.limit => entry.sequence,
            _ => whole.min(end).max(self.after),
        };
        if reached >= end {
            // The chain of an entry that was not read is not compared.
            LogError::unless_it_ends_at(self.ledger, (end, ""), last, None)?;
        }
        entries.retain(|entry| self.wanted.takes(entry));
        Ok(Stretch { begin, entries, reached, end: end.max(reached) })
    }
}
