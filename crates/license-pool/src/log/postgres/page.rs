//! Reads a ledger's log, page by page, and notices where its end was lost.

use license_core::Entry;
use tokio_postgres::Row;

use super::connection::Connection;
use super::error::Trouble;
use super::row::{self, signed};
use super::statements::Statements;
use crate::log::{LedgerId, LogError};

/// Up to `limit` entries after the sequence `after`.
pub(super) struct Question {
    pub(super) ledger: LedgerId,
    pub(super) after: u64,
    pub(super) limit: usize,
}

/// The entries, and where the log ends, all of one moment.
pub(super) struct Answer {
    rows: Vec<Row>,
    end: Vec<Row>,
}

impl Question {
    pub(super) async fn ask(&self, connection: &Connection) -> Result<Answer, Trouble> {
        let from = signed(self.after);
        let most = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let Statements { begin_moment, page, end, commit, .. } = &connection.statements;
        let answers = connection
            .trip(&[
                (begin_moment, &[]),
                (page, &[&self.ledger.0, &from, &most]),
                (end, &[&self.ledger.0]),
                (commit, &[]),
            ])
            .await?;
        let [_, rows, end, _] = answers.try_into().map_err(|_| Trouble::Nonsense)?;
        Ok(Answer { rows, end })
    }

    pub(super) fn entries(&self, Answer { rows, end }: &Answer) -> Result<Vec<Entry>, LogError> {
        let Question { ledger, after, limit } = *self;
        let entries = row::read(ledger, rows)?;
        if entries.len() == limit {
            return Ok(entries);
        }
        let told = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let end = end.first().map_or(Ok((0, String::new())), told);
        let (end, chain): (i64, String) = end.map_err(|error: Trouble| error.into_log("read"))?;
        let head = (u64::try_from(end).unwrap_or(0), &*chain);
        LogError::unless_it_ends_at(ledger, head, after, entries.last())?;
        Ok(entries)
    }
}
