//! Reads a ledger from its log: the last snapshot that can be believed, and the entries after it; or
//! all entries.

use std::error::Error as StdError;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Event, Head, Ledger, Restoration};

use crate::log::{Archive, LedgerId, Log, LogError, SnapshotMark};

/// How many entries are read at once.
const PAGE: usize = 1024;

/// A ledger that was read.
pub(crate) struct Recovered {
    pub(crate) ledger: Ledger,
    /// The last entry that its snapshot covers; 0 if it was read without one.
    pub(crate) snapshot: u64,
    /// When the clock was last corrected, if that was after the snapshot.
    pub(crate) corrected: Option<Timestamp>,
}

/// Why a ledger cannot be used.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) sequence: u64,
    pub(crate) source: Arc<dyn StdError + Send + Sync>,
}

/// Reads a ledger as it is now.
pub(crate) fn recover(
    log: &mut dyn Log,
    id: LedgerId,
) -> Result<Result<Recovered, Fault>, LogError> {
    loop {
        let marks = marks(log, id)?;
        let recovered = read(log, id, &marks)?;
        // Meanwhile somebody may have written another snapshot and deleted the entries it covers.
        if recovered.is_ok() || self::marks(log, id)? == marks {
            return Ok(recovered);
        }
    }
}

fn read(
    log: &mut dyn Log,
    id: LedgerId,
    marks: &[SnapshotMark],
) -> Result<Result<Recovered, Fault>, LogError> {
    let mut ledger = Ledger::new();
    for mark in marks {
        if let Some(restored) = believed(log, id, mark)? {
            ledger = restored;
            break;
        }
    }
    let snapshot = ledger.head().sequence;
    let mut corrected = None;
    loop {
        let page = match log.page(id, ledger.head().sequence, PAGE) {
            Ok(page) => page,
            Err(LogError::Entry { sequence, source, .. }) => {
                return Ok(Err(Fault { sequence, source: source.into() }));
            }
            Err(error) => return Err(error),
        };
        if let Some(fault) = page.iter().find_map(|entry| ledger.replay(entry).err()) {
            return Ok(Err(fault.into()));
        }
        let mut corrections = page.iter().filter(|entry| entry.event == Event::ClockCorrected);
        corrected = corrections.next_back().map(|entry| entry.time).or(corrected);
        if page.len() < PAGE {
            return Ok(Ok(Recovered { ledger, snapshot, corrected }));
        }
    }
}

/// The complete snapshots of a ledger, the last first.
pub(crate) fn marks(log: &mut dyn Log, id: LedgerId) -> Result<Vec<SnapshotMark>, LogError> {
    log.archive().map_or(Ok(Vec::new()), |archive| archive.snapshots(id))
}

/// The ledger of a snapshot; none if it is damaged, or is not of this log.
pub(crate) fn believed(
    log: &mut dyn Log,
    id: LedgerId,
    mark: &SnapshotMark,
) -> Result<Option<Ledger>, LogError> {
    let Some(archive) = log.archive() else { return Ok(None) };
    let Some(ledger) = restored(archive, id, mark)? else { return Ok(None) };
    Ok(bears(log, id, ledger.head())?.then_some(ledger))
}

/// The ledger of the oldest snapshot that can be believed.
pub(crate) fn oldest(log: &mut dyn Log, id: LedgerId) -> Result<Option<Ledger>, LogError> {
    loop {
        let marks = marks(log, id)?;
        let believed = marks.iter().rev().map(|mark| believed(log, id, mark));
        let oldest = believed.filter_map(Result::transpose).next().transpose()?;
        // Meanwhile somebody may have written another and deleted these.
        if oldest.is_some() || self::marks(log, id)? == marks {
            return Ok(oldest);
        }
    }
}

/// Whether the log of a ledger has the entry that `head` names.
pub(crate) fn bears(log: &mut dyn Log, id: LedgerId, head: Head) -> Result<bool, LogError> {
    let Some(before) = head.sequence.checked_sub(1) else { return Ok(false) };
    let last = match log.page(id, before, 1) {
        Ok(page) => page.first().map(|it| Head { sequence: it.sequence, chain: it.chain }),
        Err(LogError::Entry { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(last == Some(head))
}

/// Whether the store of a ledger went back in time: the log ends before a head that it once had, or
/// has another entry there. An entry that was deleted since, being old, is not missed.
pub(crate) fn lacks(log: &mut dyn Log, id: LedgerId, head: Head) -> Result<bool, LogError> {
    let Some(before) = head.sequence.checked_sub(1) else { return Ok(false) };
    match log.page(id, before, 1) {
        Ok(page) => Ok(page.first().is_none_or(|entry| {
            (entry.sequence, entry.chain) != (head.sequence, head.chain)
                && entry.sequence <= head.sequence
        })),
        Err(LogError::Entry { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn restored(
    archive: &mut dyn Archive,
    id: LedgerId,
    mark: &SnapshotMark,
) -> Result<Option<Ledger>, LogError> {
    let mut restoration = Restoration::new();
    for number in 0..mark.chunks {
        let chunk = archive.chunk(id, mark.sequence, number)?;
        if chunk.is_none_or(|bytes| restoration.read(&bytes).is_err()) {
            return Ok(None);
        }
    }
    let ledger = restoration.finish(mark.digest).ok();
    Ok(ledger.filter(|ledger| ledger.head().sequence == mark.sequence))
}

impl From<license_core::Fault> for Fault {
    fn from(fault: license_core::Fault) -> Fault {
        Fault { sequence: fault.sequence, source: Arc::new(fault) }
    }
}
