//! What lets a log stay short: snapshots, so that a ledger need not be read from its first entry, and
//! the deletion of what nobody needs any more. Every call is a short turn, so that nobody waits long.

use license_core::{Chunk, Digest};

use crate::log::{LedgerId, LogError};

/// A complete snapshot of a ledger, as the log lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMark {
    /// The last entry that it covers.
    pub sequence: u64,
    /// How many chunks it has.
    pub chunks: u64,
    /// SHA-256 of all of them.
    pub digest: Digest,
}

/// What a log keeps beside its entries, so that it need not keep them all.
pub trait Archive {
    /// The complete snapshots of a ledger, the last first. They are not to be believed before they are
    /// read.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn snapshots(&mut self, ledger: LedgerId) -> Result<Vec<SnapshotMark>, LogError>;

    /// One chunk of a snapshot, counted from 0; nothing where there is none any more.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn chunk(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        chunk: u64,
    ) -> Result<Option<Vec<u8>>, LogError>;

    /// Keeps one chunk of the snapshot that covers a ledger up to the entry `sequence`. Chunks come in
    /// order, and the last has a digest: with that one the snapshot is complete, and is never written
    /// again, since entries may have been deleted on the strength of it. A chunk is ignored if one
    /// before it is missing: somebody took the snapshot for abandoned and [discarded](
    /// Self::discard_snapshots) it.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn keep(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        number: u64,
        chunk: &Chunk,
    ) -> Result<(), LogError>;

    /// Deletes some of what is older than the last `kept` complete snapshots; whether more is left.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn discard_snapshots(&mut self, ledger: LedgerId, kept: usize) -> Result<bool, LogError>;

    /// Deletes up to `limit` of the first entries of a ledger, up to the sequence `until`, if every
    /// complete snapshot covers them; gives how many they were. The last entry that a snapshot covers
    /// stays, to show that the snapshot is of this log.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn discard_entries(
        &mut self,
        ledger: LedgerId,
        until: u64,
        limit: usize,
    ) -> Result<usize, LogError>;

    /// Erases the descriptions of sessions from these entries. Their digests stay, so that the chain
    /// still holds.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn erase(&mut self, ledger: LedgerId, sequences: &[u64]) -> Result<(), LogError>;

    /// Makes sure that nothing of what was deleted and erased can be read from the store's files. Says
    /// whether it succeeded: readers may be in the way.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn wipe(&mut self) -> Result<bool, LogError> {
        Ok(true)
    }
}
