//! Snapshots in the file, and the deletion of what nobody needs any more.

use std::time::Duration;

use license_core::Chunk;
use rusqlite::{Connection, OptionalExtension, Result, Row, ToSql, params};

use super::{SqliteLog, failed_to};
use crate::log::{Archive, LedgerId, LogError, SnapshotMark};

/// How many chunks are deleted in one turn.
const DISCARDED: usize = 64;

impl Archive for SqliteLog {
    fn snapshots(&mut self, ledger: LedgerId) -> std::result::Result<Vec<SnapshotMark>, LogError> {
        let mark = |row: &Row<'_>| {
            let (sequence, chunk, digest): (u64, u64, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            // What is no digest is none of a snapshot.
            let digest = digest.parse().ok();
            Ok(digest.map(|digest| SnapshotMark { sequence, chunks: chunk + 1, digest }))
        };
        let marks = || -> Result<Vec<Option<SnapshotMark>>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT sequence, chunk, digest FROM snapshot
                 WHERE ledger = ?1 AND digest IS NOT NULL ORDER BY sequence DESC",
            )?;
            statement.query_map([ledger.0], mark)?.collect()
        };
        let marks = marks().map_err(failed_to("find a snapshot"))?;
        Ok(marks.into_iter().flatten().collect())
    }

    fn chunk(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        chunk: u64,
    ) -> std::result::Result<Option<Vec<u8>>, LogError> {
        let sql = "SELECT bytes FROM snapshot WHERE ledger = ?1 AND sequence = ?2 AND chunk = ?3";
        let bytes = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let bytes = statement.query_row(params![ledger.0, sequence, chunk], |row| row.get(0));
            bytes.optional()
        });
        bytes.map_err(failed_to("read a snapshot"))
    }

    fn keep(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        number: u64,
        chunk: &Chunk,
    ) -> std::result::Result<(), LogError> {
        let (_pass, turn) = self.begin()?;
        let digest = chunk.digest.map(|digest| digest.to_string());
        turn.prepare_cached(
            "INSERT OR REPLACE INTO snapshot (ledger, sequence, chunk, bytes, digest)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE NOT EXISTS (SELECT 1 FROM snapshot
                               WHERE ledger = ?1 AND sequence = ?2 AND digest IS NOT NULL)
               AND ?3 = (SELECT count(*) FROM snapshot
                         WHERE ledger = ?1 AND sequence = ?2 AND chunk < ?3)",
        )
        .and_then(|mut statement| {
            statement.execute(params![ledger.0, sequence, number, chunk.bytes, digest])
        })
        .map_err(failed_to("keep a snapshot"))?;
        turn.commit().map_err(failed_to("keep a snapshot"))
    }

    fn discard_snapshots(
        &mut self,
        ledger: LedgerId,
        kept: usize,
    ) -> std::result::Result<bool, LogError> {
        // The end of a snapshot goes first, since without it the rest is not believed.
        const DISCARD: &str = "
            WITH kept AS (SELECT sequence FROM snapshot WHERE ledger = ?1 AND digest IS NOT NULL
                          ORDER BY sequence DESC LIMIT ?2)
            DELETE FROM snapshot WHERE rowid IN (
                SELECT rowid FROM snapshot
                WHERE ledger = ?1 AND sequence < (SELECT max(sequence) FROM kept)
                  AND sequence NOT IN (SELECT sequence FROM kept)
                ORDER BY sequence, chunk DESC LIMIT ?3)";
        let (_pass, turn) = self.begin()?;
        let discarded = turn.execute(DISCARD, params![ledger.0, kept, DISCARDED]);
        let discarded = discarded.map_err(failed_to("delete a snapshot"))?;
        turn.commit().map_err(failed_to("delete a snapshot"))?;
        Ok(discarded == DISCARDED)
    }

    fn discard_entries(
        &mut self,
        ledger: LedgerId,
        until: u64,
        limit: usize,
    ) -> std::result::Result<usize, LogError> {
        const DISCARD: &str = "
            DELETE FROM entry
            WHERE ledger = ?1
              AND sequence IN (SELECT sequence FROM entry
                               WHERE ledger = ?1 AND sequence <= ?3
                                 AND sequence < (SELECT min(sequence) FROM snapshot
                                                 WHERE ledger = ?1 AND digest IS NOT NULL)
                               ORDER BY sequence LIMIT ?2)";
        let (_pass, turn) = self.begin()?;
        let discarded = turn.execute(DISCARD, params![ledger.0, limit, until]);
        let discarded = discarded.map_err(failed_to("delete old entries"))?;
        turn.commit().map_err(failed_to("delete old entries"))?;
        Ok(discarded)
    }

    fn erase(&mut self, ledger: LedgerId, sequences: &[u64]) -> std::result::Result<(), LogError> {
        let (_pass, turn) = self.begin()?;
        erase(&turn, ledger.0, sequences).map_err(failed_to("erase descriptions"))?;
        turn.commit().map_err(failed_to("erase descriptions"))
    }

    /// What stood in the pages before is still in the log beside the file, until that is empty. Whoever
    /// reads at this moment needs it, and nobody is to wait for that.
    fn wipe(&mut self) -> std::result::Result<bool, LogError> {
        const WIPE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        let (pass, turn) = self.begin()?;
        drop(turn);
        let wiped = || -> Result<bool> {
            self.connection.busy_timeout(Duration::ZERO)?;
            let is_busy = self.connection.query_row(WIPE, [], |row| row.get::<_, bool>(0));
            self.connection.busy_timeout(self.patience)?;
            Ok(!is_busy?)
        };
        let wiped = wiped().map_err(failed_to("empty the log beside its file"));
        drop(pass);
        wiped
    }
}

/// Erases the descriptions of entries.
pub(super) fn erase<S: ToSql>(turn: &Connection, ledger: i64, sequences: &[S]) -> Result<()> {
    let mut statement = turn.prepare_cached(
        "UPDATE entry SET description = NULL
         WHERE ledger = ?1 AND sequence = ?2 AND description IS NOT NULL",
    )?;
    sequences.iter().try_for_each(|sequence| statement.execute(params![ledger, sequence]).map(drop))
}
