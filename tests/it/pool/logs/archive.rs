//! Figures and snapshots beside the entries, and what may be deleted and erased.

use jiff::Timestamp;
use license_core::{Chunk, Digest, Entry, Figure, Refusals};
use license_pool::Selection;
use license_pool::log::{Append, LedgerId, Log, Since};

use super::{append, every_kind, head, on_every_log, since, turn};

#[test]
fn figures_are_kept_with_the_entries_that_ended_their_days() {
    on_every_log(|log, other| {
        let day = |day: &str| format!("2026-01-{day}T00:00:00Z").parse::<Timestamp>().unwrap();
        let figure = |start: &str, days| Figure { start: day(start), days, ..figure(MIDNIGHT) };
        let figures = vec![figure("05", 1), figure("06", 4)];
        let entries = every_kind()[..1].to_vec();
        let append = Append {
            number: Some("A".into()),
            entries,
            figures: figures.clone(),
            ..Append::default()
        };
        turn(log, vec![append], Vec::new()).unwrap();
        let mut found = |from, to| other.figures(LedgerId(1), day(from)..day(to)).unwrap();
        assert_eq!(found("01", "31"), figures);
        assert_eq!(found("01", "05"), []);
        assert_eq!(found("01", "06"), figures[..1]);
        assert_eq!(found("09", "10"), figures[1..]);
        assert_eq!(found("10", "31"), []);
        assert_eq!(log.figures(LedgerId(2), day("01")..day("31")).unwrap(), []);
    });
}

#[test]
fn figures_of_days_beyond_a_clock_that_was_set_back_are_void() {
    on_every_log(|log, other| {
        let figure = |start: &str, days| Figure { days, ..figure(start) };
        let before = [
            figure("2026-01-04T00:00:00Z", 2),
            figure("2026-01-06T00:00:00Z", 26_654),
            figure("2026-01-07T12:00:00Z", 1),
            figure("2099-01-01T00:00:00Z", 1),
        ];
        let append = |ledger, number, figures: &[Figure], void_from: Option<&str>| Append {
            ledger,
            number,
            entries: every_kind()[..1].to_vec(),
            figures: figures.to_vec(),
            void_from: void_from.map(|instant| instant.parse().unwrap()),
            ..Append::default()
        };
        let [one, other_one] = [
            append(None, Some("A".into()), &before, None),
            append(None, Some("B".into()), &before, None),
        ];
        turn(log, vec![one], Vec::new()).unwrap();
        turn(log, vec![other_one], Vec::new()).unwrap();
        let more = figure("2026-01-07T15:00:00Z", 1);
        let mut entry = every_kind().remove(1);
        entry.sequence = 2;
        let told = std::slice::from_ref(&more);
        let append = append(Some(LedgerId(1)), None, told, Some("2026-01-08T00:00:00Z"));
        turn(log, vec![Append { entries: vec![entry], ..append }], Vec::new()).unwrap();
        let always = Timestamp::MIN..Timestamp::MAX;
        let after = [before[0].clone(), figure("2026-01-06T00:00:00Z", 2), before[2].clone(), more];
        assert_eq!(other.figures(LedgerId(1), always.clone()).unwrap(), after);
        assert_eq!(other.figures(LedgerId(2), always).unwrap(), before, "of another ledger");
    });
}

#[test]
fn snapshots_are_kept_in_chunks_and_listed_once_they_are_complete() {
    on_every_log(|log, other| {
        append(log, None, Some("A"), &every_kind());
        let id = LedgerId(1);
        let chunk = |bytes: &[u8], digest: Option<Digest>| Chunk { bytes: bytes.to_vec(), digest };
        let digest = Digest::of(b"all");
        let archive = log.archive().unwrap();
        archive.keep(id, 5, 0, &chunk(b"one", None)).unwrap();
        assert_eq!(other.archive().unwrap().snapshots(id).unwrap(), []);
        for sequence in 5..9 {
            archive.keep(id, sequence, 0, &chunk(b"one", None)).unwrap();
            archive.keep(id, sequence, 1, &chunk(b"two", Some(digest))).unwrap();
        }
        // What is complete stays as it is, whatever anybody writes who comes late.
        archive.keep(id, 8, 0, &chunk(b"late", None)).unwrap();
        archive.keep(id, 8, 1, &chunk(b"late", Some(Digest::of(b"late")))).unwrap();
        archive.keep(id, 9, 0, &chunk(b"begun", None)).unwrap();
        let mut other = log.for_archivist().unwrap().unwrap();
        let archive = other.archive().unwrap();
        let mut listed = |kept| -> Vec<u64> {
            while archive.discard_snapshots(id, kept).unwrap() {}
            let marks = archive.snapshots(id).unwrap();
            assert!(marks.iter().all(|mark| mark.chunks == 2 && mark.digest == digest));
            marks.into_iter().map(|mark| mark.sequence).collect()
        };
        assert_eq!(listed(9), [8, 7, 6, 5]);
        assert_eq!(listed(2), [8, 7]);
        assert_eq!(listed(1), [8]);
        assert_eq!(archive.chunk(id, 8, 0).unwrap(), Some(b"one".to_vec()));
        assert_eq!(archive.chunk(id, 8, 1).unwrap(), Some(b"two".to_vec()));
        assert_eq!(archive.chunk(id, 8, 2).unwrap(), None);
        assert_eq!(archive.chunk(id, 7, 0).unwrap(), None);
        assert_eq!(archive.chunk(id, 9, 0).unwrap(), Some(b"begun".to_vec()));
        assert_eq!(archive.snapshots(LedgerId(2)).unwrap(), []);
    });
}

#[test]
fn a_snapshot_of_which_chunks_are_gone_is_never_complete() {
    on_every_log(|log, other| {
        append(log, None, Some("A"), &every_kind());
        let id = LedgerId(1);
        let keep = |log: &mut dyn Log, sequence, number, digest| {
            let chunk = Chunk { bytes: b"some".to_vec(), digest };
            log.archive().unwrap().keep(id, sequence, number, &chunk).unwrap();
        };
        let digest = Some(Digest::of(b"all"));
        keep(log, 4, 0, digest);
        // A slow archivist is overtaken: the snapshot that it began is deleted for a later one.
        keep(log, 7, 0, None);
        keep(log, 7, 1, None);
        keep(other, 8, 0, digest);
        while other.archive().unwrap().discard_snapshots(id, 2).unwrap() {}
        keep(log, 7, 2, digest);
        let marks = log.archive().unwrap().snapshots(id).unwrap();
        let sequences: Vec<u64> = marks.iter().map(|mark| mark.sequence).collect();
        assert_eq!(sequences, [8, 4]);
    });
}

#[test]
fn only_entries_that_every_complete_snapshot_knows_are_deleted() {
    on_every_log(|log, other| {
        let entries = every_kind();
        append(log, None, Some("A"), &entries);
        let (id, all) = (LedgerId(1), 9_000);
        let discard = |log: &mut dyn Log, until, limit| {
            log.archive().unwrap().discard_entries(id, until, limit).unwrap()
        };
        let keep = |log: &mut dyn Log, sequence, digest| {
            let chunk = Chunk { bytes: b"all".to_vec(), digest };
            log.archive().unwrap().keep(id, sequence, 0, &chunk).unwrap();
        };
        assert_eq!(discard(log, all, 99), 0);
        keep(log, 9, None);
        assert_eq!(discard(log, all, 99), 0);
        keep(log, 9, Some(Digest::of(b"all")));
        keep(log, 6, Some(Digest::of(b"all")));
        assert_eq!(discard(log, 3, 2), 2);
        assert_eq!(discard(log, 3, 2), 1);
        assert_eq!(discard(log, 3, 2), 0);
        assert_eq!(other.page(id, 0, 99).unwrap(), entries[3..]);
        assert_eq!(discard(log, all, 99), 2);
        assert_eq!(other.page(id, 0, 99).unwrap(), entries[5..]);
        assert_eq!(other.page(id, 7, 1).unwrap(), entries[7..8]);
        // Who knew what is gone reads from the start; who knows what is there reads on.
        assert_eq!(since(other, Some(head(&entries[2]))), Since::Reload);
        assert_eq!(since(other, Some(head(&entries[5]))), Since::Entries(entries[6..].to_vec()));
    });
}

#[test]
fn a_search_does_not_look_through_what_is_gone_from_the_beginning() {
    on_every_log(|log, other| {
        // A million before the last one would be looked through in many steps.
        let mut entries = every_kind();
        entries.push(Entry { sequence: 1_000_000, ..entries[3].clone() });
        append(log, None, Some("A"), &entries);
        let (id, last) = (LedgerId(1), &entries[entries.len() - 1..]);
        let chunk = Chunk { bytes: b"all".to_vec(), digest: Some(Digest::of(b"all")) };
        log.archive().unwrap().keep(id, 1_000_000, 0, &chunk).unwrap();
        log.archive().unwrap().discard_entries(id, 999_999, 99).unwrap();
        assert_eq!(other.page(id, 0, 99).unwrap(), last);
        let found = other.select(id, 0, 3, &Selection::default()).unwrap();
        assert_eq!((&*found.entries, found.reached), (last, 1_000_000));
    });
}

#[test]
fn descriptions_are_erased_and_their_digests_stay() {
    on_every_log(|log, other| {
        let entries = every_kind();
        append(log, None, Some("A"), &entries);
        let sequences: Vec<u64> = (1..=5).collect();
        log.archive().unwrap().erase(LedgerId(1), &sequences).unwrap();
        let erased = other.page(LedgerId(1), 0, 99).unwrap();
        assert_eq!(erased[5..], entries[5..]);
        let without: Vec<_> = entries[..5].iter().map(Entry::to_wire_erased).collect();
        assert_eq!(erased[..5].iter().map(Entry::to_wire).collect::<Vec<_>>(), without);
        assert_ne!(erased[3], entries[3]);
    });
}

const MIDNIGHT: &str = "2026-01-05T00:00:00Z";

fn figure(start: &str) -> Figure {
    Figure {
        product: "0009".parse().unwrap(),
        product_name: "4D Client".into(),
        start: start.parse().unwrap(),
        days: 1,
        allowed_count: 1,
        peak_used_count: 2,
        peak_after: 3,
        with_nothing_left: 4,
        held: 5,
        retained: 6,
        refusals: Refusals { times: 7, sessions: 8, lasting: 9 },
    }
}
