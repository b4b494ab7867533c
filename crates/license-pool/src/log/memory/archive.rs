//! Snapshots in memory.

use license_core::{Chunk, Event, Identity, Whom};

use super::{Ledger, MemoryLog};
use crate::log::{Archive, LedgerId, LogError, SnapshotMark};

impl Archive for MemoryLog {
    fn snapshots(&mut self, ledger: LedgerId) -> Result<Vec<SnapshotMark>, LogError> {
        Ok(self.store().ledger(ledger).complete())
    }

    fn chunk(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        chunk: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let store = self.store();
        let chunk = store.ledger(ledger).snapshots.get(&(sequence, chunk));
        Ok(chunk.map(|chunk| chunk.bytes.clone()))
    }

    fn keep(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        number: u64,
        chunk: &Chunk,
    ) -> Result<(), LogError> {
        if let Some(ledger) = self.store().ledger_mut(ledger)
            && (0..number).all(|before| ledger.snapshots.contains_key(&(sequence, before)))
            && !ledger.complete().iter().any(|snapshot| snapshot.sequence == sequence)
        {
            ledger.snapshots.insert((sequence, number), chunk.clone());
        }
        Ok(())
    }

    fn discard_snapshots(&mut self, ledger: LedgerId, kept: usize) -> Result<bool, LogError> {
        if let Some(ledger) = self.store().ledger_mut(ledger) {
            let complete = ledger.complete().into_iter().map(|snapshot| snapshot.sequence);
            let kept: Vec<u64> = complete.take(kept).collect();
            let last = kept.first().copied().unwrap_or(0);
            ledger.snapshots.retain(|(sequence, _), _| *sequence > last || kept.contains(sequence));
        }
        Ok(false)
    }

    fn discard_entries(
        &mut self,
        ledger: LedgerId,
        until: u64,
        limit: usize,
    ) -> Result<usize, LogError> {
        let mut store = self.store();
        let Some(ledger) = store.ledger_mut(ledger) else { return Ok(0) };
        let Some(known) = ledger.complete().last().map(|snapshot| snapshot.sequence) else {
            return Ok(0);
        };
        let old = ledger.entries.iter().take(limit);
        let old = old.take_while(|entry| entry.sequence < known && entry.sequence <= until).count();
        ledger.entries.drain(..old);
        ledger.gone += old;
        Ok(old)
    }

    fn erase(&mut self, ledger: LedgerId, sequences: &[u64]) -> Result<(), LogError> {
        let mut store = self.store();
        let Some(ledger) = store.ledger_mut(ledger) else { return Ok(()) };
        for entry in &mut ledger.entries {
            if sequences.binary_search(&entry.sequence).is_ok() {
                erase(&mut entry.event);
            }
        }
        Ok(())
    }
}

impl Ledger {
    fn complete(&self) -> Vec<SnapshotMark> {
        let snapshots = self.snapshots.iter().rev().filter_map(|((sequence, number), chunk)| {
            let (sequence, chunks, digest) = (*sequence, number + 1, chunk.digest?);
            Some(SnapshotMark { sequence, chunks, digest })
        });
        snapshots.collect()
    }
}

fn erase(event: &mut Event) {
    let identity = match event {
        Event::Retained(retained) => &mut std::sync::Arc::make_mut(retained).identity,
        Event::Described { identity, .. } => identity,
        Event::Refused(refused) => match &mut refused.whom {
            Whom::Session { identity, .. } => identity,
            Whom::Others { .. } => return,
        },
        Event::Installed(_)
        | Event::Uninstalled { .. }
        | Event::Released(_)
        | Event::StateChanged { .. }
        | Event::Moved { .. }
        | Event::Adopted { .. }
        | Event::ClockCorrected => return,
    };
    *identity = Identity::Erased(identity.digest());
}
