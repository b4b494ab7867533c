//! Snapshots in PostgreSQL, and the deletion of what nobody needs any more, each in a transaction of
//! its own.

use license_core::Chunk;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::PostgresLog;
use super::connection::{Connection, Trip};
use super::error::Trouble;
use super::news::{begin_beside, sealed_to};
use super::row::{signed, unsigned};
use super::statements::Statements;
use crate::log::{Archive, LedgerId, LogError, SnapshotMark};

/// How many chunks are deleted in one turn.
const DISCARDED: i64 = 64;

impl PostgresLog {
    /// Reads of a ledger's archive, where no newer version raised the store.
    fn read_archive(
        &mut self,
        action: &'static str,
        statement: fn(&Statements) -> &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LogError> {
        self.read(action, async |connection: &Connection| {
            let Statements { begin_moment, store, commit, .. } = &connection.statements;
            let asked = (statement(&connection.statements), values);
            let trip: &Trip<'_> = &[(begin_moment, &[]), (store, &[]), asked, (commit, &[])];
            let answers = connection.trip(trip).await?;
            let [_, store, rows, _] = answers.try_into().map_err(|_| Trouble::Nonsense)?;
            sealed_to(store.first().ok_or(Trouble::Nonsense)?)?;
            Ok(rows)
        })
    }

    /// Writes to a ledger's archive in the same case, and nothing to a store that another took the
    /// place of.
    fn write_archive(
        &mut self,
        action: &'static str,
        statement: fn(&Statements) -> &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, LogError> {
        self.read(action, async |connection: &Connection| {
            if begin_beside(connection).await?.is_some() {
                return Ok(Vec::new());
            }
            let Statements { unlimit, commit, .. } = &connection.statements;
            let asked = (statement(&connection.statements), values);
            let answers = connection.commit_with(&[asked, (unlimit, &[]), (commit, &[])]).await?;
            Ok(answers.into_iter().next().unwrap_or_default())
        })
    }
}

impl Archive for PostgresLog {
    fn snapshots(&mut self, ledger: LedgerId) -> Result<Vec<SnapshotMark>, LogError> {
        let action = "find a snapshot";
        let rows = self.read_archive(action, |it| &it.snapshots, &[&ledger.0])?;
        let mark = |row: &Row| -> Result<Option<SnapshotMark>, Trouble> {
            let (sequence, last) = (unsigned(row.try_get(0)?)?, unsigned(row.try_get(1)?)?);
            let chunks = last + 1;
            // What is no digest is none of a snapshot.
            let digest = row.try_get::<_, &str>(2)?.parse().ok();
            Ok(digest.map(|digest| SnapshotMark { sequence, chunks, digest }))
        };
        let marks: Result<Vec<_>, Trouble> = rows.iter().map(mark).collect();
        Ok(marks.map_err(|trouble| trouble.into_log(action))?.into_iter().flatten().collect())
    }

    fn chunk(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        chunk: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let action = "read a snapshot";
        let values = [&ledger.0 as _, &signed(sequence) as _, &signed(chunk) as _];
        let rows = self.read_archive(action, |it| &it.chunk, &values)?;
        let bytes = rows.first().map(|row| row.try_get(0)).transpose();
        bytes.map_err(|error| Trouble::from(error).into_log(action))
    }

    fn keep(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        number: u64,
        chunk: &Chunk,
    ) -> Result<(), LogError> {
        let digest = chunk.digest.map(|digest| digest.to_string());
        let (sequence, number) = (signed(sequence), signed(number));
        let values =
            [&ledger.0 as _, &sequence as _, &number as _, &chunk.bytes as _, &digest as _];
        self.write_archive("keep a snapshot", |it| &it.keep, &values).map(drop)
    }

    fn discard_snapshots(&mut self, ledger: LedgerId, kept: usize) -> Result<bool, LogError> {
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        let values = [&ledger.0 as _, &kept as _, &DISCARDED as _];
        let rows = self.write_archive("delete a snapshot", |it| &it.discard_snapshots, &values)?;
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX) >= DISCARDED)
    }

    fn discard_entries(
        &mut self,
        ledger: LedgerId,
        until: u64,
        limit: usize,
    ) -> Result<usize, LogError> {
        let (limit, until) = (i64::try_from(limit).unwrap_or(i64::MAX), signed(until));
        let values = [&ledger.0 as _, &limit as _, &until as _];
        let rows = self.write_archive("delete old entries", |it| &it.discard_entries, &values)?;
        Ok(rows.len())
    }

    fn erase(&mut self, ledger: LedgerId, sequences: &[u64]) -> Result<(), LogError> {
        let sequences: Vec<i64> = sequences.iter().copied().map(signed).collect();
        let values = [&ledger.0 as _, &sequences as _];
        self.write_archive("erase descriptions", |it| &it.erase, &values).map(drop)
    }
}
