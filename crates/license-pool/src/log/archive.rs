//! What lets a log stay short: snapshots of its ledgers, so that a ledger need not be read from its
//! first entry, and the deletion of what nobody needs any more. Every call is a short turn of its
//! own, so that nobody waits for a long one.

use license_core::{Chunk, Digest};

use crate::log::{LedgerId, LogError};

/// A complete snapshot of a ledger, as the log lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMark {
    /// The last entry that it knows.
    pub sequence: u64,
    /// How many chunks it has.
    pub chunks: u64,
    /// SHA-256 of all of them.
    pub digest: Digest,
}

/// What a log keeps beside its entries, so that it need not keep them all.
pub trait Archive {
    /// The complete snapshots of a ledger, the last first. They are not to be believed before they
    /// were read.
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

    /// Keeps one chunk of the snapshot of a ledger up to the entry `sequence`. Chunks are kept in
    /// their order: with the last one, which has a digest, the snapshot is complete, and nothing is
    /// written to it any more. Old entries may have gone for it. One before which chunks are missing
    /// is not kept: whoever [discards](Self::discard_snapshots) took it for given up.
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

    /// Deletes up to `limit` of the first entries of a ledger, as far as the sequence `until` and as far
    /// as every complete snapshot knows them; gives how many they were. The last entry that a snapshot
    /// knows stays, to show that it is of this log.
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

    /// Leaves nothing to be read of what was deleted and erased, where that can be done now and the log
    /// keeps anything of it; says whether it was.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn wipe(&mut self) -> Result<bool, LogError> {
        Ok(true)
    }
}
