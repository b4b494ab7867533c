//! Snapshots: a ledger that was read back goes on like the one that was written, and nothing but
//! the whole of what was written is believed.

use fastrand::Rng;
use license_core::{Chunk, Digest, Entry, Event, Ledger, Restoration, RestoreError, Stamp};
use license_types::Token;

use crate::histories::{crowd, history};

fn restore(chunks: &[Chunk]) -> Result<Ledger, RestoreError> {
    let mut restoration = Restoration::new();
    chunks.iter().try_for_each(|chunk| restoration.read(&chunk.bytes))?;
    restoration.finish(chunks.last().and_then(|chunk| chunk.digest).unwrap_or_default())
}

fn snapshot(ledger: &Ledger) -> Vec<Chunk> {
    ledger.snapshot().collect()
}

fn ledger(entries: &[Entry]) -> Ledger {
    let mut ledger = Ledger::new();
    entries.iter().for_each(|entry| ledger.replay(entry).unwrap());
    ledger
}

#[test]
fn a_ledger_that_was_read_back_goes_on_like_the_one_that_was_written() {
    for seed in 100..120 {
        let log = history(seed, 500);
        let mut random = Rng::with_seed(seed);
        for _ in 0..4 {
            let (before, after) = log.split_at(random.usize(..log.len()));
            let mut plain = ledger(before);
            let mut restored = restore(&snapshot(&plain)).unwrap();
            for entry in after {
                plain.verify(entry).unwrap();
                plain.apply(entry).unwrap();
                restored.verify(entry).unwrap();
                restored.apply(entry).unwrap();
                assert_eq!(restored.take_figures(), plain.take_figures(), "seed {seed}");
            }
            restored.recount().unwrap();
            let time = log.last().unwrap().time;
            assert_eq!(restored.info(time), plain.info(time));
            assert!(restored.live().eq(plain.live()));
            assert_eq!(snapshot(&restored), snapshot(&plain), "seed {seed}");
        }
    }
}

#[test]
fn a_snapshot_tells_of_the_moment_at_which_it_was_begun() {
    for seed in 200..220 {
        let log = history(seed, 400);
        let (before, after) = log.split_at(Rng::with_seed(seed).usize(..log.len()));
        let mut goes_on = ledger(before);
        let begun = goes_on.snapshot();
        after.iter().for_each(|entry| goes_on.replay(entry).unwrap());
        assert!(begun.eq(ledger(before).snapshot()), "seed {seed}");
        goes_on.recount().unwrap();
    }
}

#[test]
fn a_snapshot_of_what_many_hold_comes_in_chunks() {
    let ledger = crowd(5000);
    let chunks = snapshot(&ledger);
    assert!(chunks.len() > 2, "{} chunks", chunks.len());
    let (last, others) = chunks.split_last().unwrap();
    assert!(others.iter().all(|chunk| chunk.digest.is_none()));
    assert!(others.iter().all(|chunk| (256 * 1024..300 * 1024).contains(&chunk.bytes.len())));
    let all: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.clone()).collect();
    assert_eq!(last.digest, Some(Digest::of(&all)));
    assert_eq!(snapshot(&restore(&chunks).unwrap()), chunks);
}

#[test]
fn what_lacks_a_chunk_or_has_one_twice_is_not_believed() {
    let chunks = snapshot(&crowd(5000));
    for at in 0..chunks.len() {
        let mut lacking = chunks.clone();
        let lost = lacking.remove(at);
        restore(&lacking).unwrap_err();
        let mut twice = chunks.clone();
        twice.insert(at, lost);
        restore(&twice).unwrap_err();
    }
    restore(&[]).unwrap_err();
    restore(&chunks[..chunks.len() - 1]).unwrap_err();
}

#[test]
fn bytes_that_were_changed_are_not_believed_nor_do_they_harm() {
    let [chunk] = &snapshot(&ledger(&history(3, 300)))[..] else { panic!("it is small") };
    let mut random = Rng::with_seed(1);
    let mut believed = 0;
    for _ in 0..4000 {
        let mut bytes = chunk.bytes.clone();
        match random.u8(..4) {
            0 => bytes.truncate(random.usize(..bytes.len())),
            1 => drop(bytes.splice(random.usize(..bytes.len()).., random.bool().then_some(7))),
            _ => bytes[random.usize(..chunk.bytes.len())] ^= 1 << random.u8(..8),
        }
        let changed = Chunk { bytes, digest: chunk.digest };
        restore(std::slice::from_ref(&changed)).unwrap_err();
        // Even if the digest is made to fit, nothing worse comes of it than a wrong ledger.
        let digest = Some(Digest::of(&changed.bytes));
        if let Ok(mut ledger) = restore(&[Chunk { digest, ..changed }]) {
            believed += 1;
            ledger.recount().unwrap();
            assert_eq!(ledger.usage(None).count(), ledger.live().count());
            let later = "2027-01-01T00:00:00Z".parse().unwrap();
            let entry = ledger.draft(Event::ClockCorrected, &Stamp::local(), later);
            ledger.apply(&entry).unwrap();
        }
    }
    assert!(believed > 100, "{believed} were believed");
}

#[test]
fn a_snapshot_of_another_version_is_named_as_such() {
    let mut chunks = snapshot(&Ledger::new());
    // The kind of the first item, then the version.
    assert_eq!(chunks[0].bytes[..2], [0, 1]);
    chunks[0].bytes[1] = 9;
    assert_eq!(restore(&chunks).unwrap_err(), RestoreError::Version { version: 9 });
}

#[test]
fn times_that_no_clock_can_show_are_not_believed_nor_do_they_harm() {
    let midnight = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut ledger = Ledger::new();
    let entry = ledger.draft(Event::ClockCorrected, &Stamp::local(), midnight);
    ledger.apply(&entry).unwrap();
    let [chunk] = &snapshot(&ledger)[..] else { panic!("it is small") };
    let told = varint(midnight.as_millisecond());
    for time in [i64::MIN, i64::MIN + 1, i64::MAX / 2, i64::MAX] {
        // The last entry, the day and its beginning are all of that midnight.
        let mut bytes = chunk.bytes.clone();
        let mut times = 0;
        while let Some(at) = bytes.windows(told.len()).position(|window| window == told) {
            drop(bytes.splice(at..at + told.len(), varint(time)));
            times += 1;
        }
        assert_eq!(times, 3);
        let digest = Some(Digest::of(&bytes));
        let restored = restore(&[Chunk { bytes, digest }]);
        assert!(matches!(restored, Err(RestoreError::Contradiction { .. })), "{restored:?}");
    }
}

#[test]
fn a_last_token_after_which_there_is_none_is_not_believed() {
    let midnight = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut ledger = Ledger::new();
    let entry = ledger.draft(Event::ClockCorrected, &Stamp::local(), midnight);
    ledger.apply(&entry).unwrap();
    let [chunk] = &snapshot(&ledger)[..] else { panic!("it is small") };
    let time = varint(midnight.as_millisecond());
    // It follows the time of the last entry.
    let at = chunk.bytes.windows(time.len()).position(|it| it == time).unwrap() + time.len();
    assert_eq!(chunk.bytes[at], 0);
    for last in [u64::MAX, Token::MAX.get()] {
        let mut bytes = chunk.bytes.clone();
        drop(bytes.splice(at..=at, varint_of(last)));
        let digest = Some(Digest::of(&bytes));
        let restored = restore(&[Chunk { bytes, digest }]);
        assert!(matches!(restored, Err(RestoreError::Contradiction { .. })), "{restored:?}");
    }
}

/// A number that may be negative, as snapshots have it.
fn varint(number: i64) -> Vec<u8> {
    varint_of(((number << 1) ^ (number >> 63)).cast_unsigned())
}

fn varint_of(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7F).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}
