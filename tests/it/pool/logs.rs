//! What every log promises to a pool, and to who writes another one.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{
    Chunk, Description, Digest, Entry, Event, Figure, Head, Identity, Installed, License, Refusals,
    Refused, Released, Retained, Stamp, Whom,
};
use license_pool::log::{
    Append, Asked, Found, LedgerId, LedgerNumbers, Log, LogError, Mark, MemoryLog, Server,
    ServerRow, Silence, Since, SqliteLog, Turn, TurnError, Which,
};
use license_pool::{
    Count, CredentialRole, EventKind, KeptCredential, RefusalCode, ReleaseCause, SAMPLE_LICENSE,
    Selection, ServerName, Session, SessionState,
};

use super::world::Store;
use crate::postgres::server::database;

/// Two logs on one store, as two processes have them, for each kind of store.
fn on_every_log(test: impl Fn(&mut dyn Log, &mut dyn Log)) {
    on_every_log_in(|log, other, _| test(log, other));
}

/// Likewise, with the folder of the file that two processes share.
fn on_every_log_in(test: impl Fn(&mut dyn Log, &mut dyn Log, Option<&Path>)) {
    let log = MemoryLog::default();
    test(&mut log.clone(), &mut log.clone(), None);
    let store = Store::new();
    let open = || SqliteLog::open(&store.path(), true, Duration::from_secs(60)).unwrap();
    test(&mut open(), &mut open(), store.path().parent());
    if let Some(database) = database() {
        test(&mut database.log(), &mut database.log(), None);
    }
}

#[test]
fn every_kind_of_entry_comes_back_as_it_was_written() {
    on_every_log(|log, other| {
        let entries = every_kind();
        append(log, None, Some("A"), &entries);
        assert_eq!(log.page(LedgerId(1), 0, 100).unwrap(), entries);
        assert_eq!(other.page(LedgerId(1), 0, 100).unwrap(), entries);
        assert_eq!(other.page(LedgerId(1), 3, 2).unwrap(), entries[3..5]);
        assert_eq!(other.page(LedgerId(1), 99, 2).unwrap(), []);
        assert_eq!(other.page(LedgerId(7), 0, 2).unwrap(), []);
    });
}

#[test]
fn a_log_finds_what_a_selection_takes_and_nothing_else() {
    on_every_log(|log, other| {
        let mut entries = every_kind();
        // So many that no log looks at all of them at once.
        let filling = (entries.len() as u64 + 1..20_000).map(|sequence| Entry {
            sequence,
            event: Event::ClockCorrected,
            ..entries[0].clone()
        });
        entries.extend(filling.collect::<Vec<_>>());
        let last = Entry { sequence: 20_000, ..entries[3].clone() };
        entries.push(last);
        append(log, None, Some("A"), &entries);
        let all = Selection::default();
        let at = |index: usize| Some(entries[index].time);
        let product = Some("0009".parse().unwrap());
        let session = |name: &str| Some(name.parse().unwrap());
        let part = Some(entries[4].time + Duration::from_nanos(1));
        let mut found_any = 0;
        for wanted in [
            Selection { kinds: vec![EventKind::Retained, EventKind::Moved], ..all.clone() },
            Selection { kinds: vec![EventKind::Adopted], ..all.clone() },
            Selection { from: at(4), to: at(8), ..all.clone() },
            Selection { from: part, ..all.clone() },
            Selection { to: part, kinds: vec![EventKind::Released], ..all.clone() },
            Selection { product, ..all.clone() },
            Selection { product: Some("0001".parse().unwrap()), ..all.clone() },
            Selection { session: session("job-7"), ..all.clone() },
            Selection { session: session("job-8"), ..all.clone() },
            Selection { product, session: session("job-7"), from: at(5), ..all.clone() },
        ] {
            let expected: Vec<_> = entries.iter().filter(|entry| wanted.takes(entry)).collect();
            let (mut found, mut reached) = (Vec::new(), 0);
            loop {
                let stretch = other.select(LedgerId(1), reached, 3, &wanted).unwrap();
                assert!(stretch.entries.len() <= 3 && stretch.reached <= stretch.end);
                reached = stretch.reached;
                found.extend(stretch.entries);
                if reached == stretch.end {
                    break;
                }
            }
            assert_eq!(reached, 20_000);
            assert!(found.iter().eq(expected), "{wanted:?}");
            found_any += found.len();
        }
        assert!(found_any > 20);
        let nothing = other.select(LedgerId(7), 0, 3, &all).unwrap();
        assert_eq!((nothing.entries.len(), nothing.reached, nothing.end), (0, 0, 0));
    });
}

#[test]
fn a_log_tells_what_is_new_since_a_known_head() {
    on_every_log(|log, other| {
        let entries = every_kind();
        append(log, None, Some("A"), &entries[..3]);
        let (three, five) = (head(&entries[2]), head(&entries[4]));
        assert_eq!(since(other, None), Since::Reload);
        assert_eq!(since(other, Some(three)), Since::Entries(Vec::new()));
        append(log, Some(LedgerId(1)), None, &entries[3..]);
        assert_eq!(since(other, Some(three)), Since::Entries(entries[3..].to_vec()));
        assert_eq!(since(other, Some(five)), Since::Entries(entries[5..].to_vec()));
        // Another history of the same length, and a longer one.
        let (elsewhere, beyond) = (Digest::of(b"elsewhere"), head(entries.last().unwrap()));
        assert_eq!(since(other, Some(Head { chain: elsewhere, ..three })), Since::WentBack);
        let beyond = Head { sequence: beyond.sequence + 1, chain: elsewhere };
        assert_eq!(since(other, Some(beyond)), Since::WentBack);
    });
}

#[test]
fn licenses_lead_to_their_ledgers() {
    on_every_log(|log, other| {
        let entries = every_kind();
        let found = |log: &mut dyn Log, license: Which| {
            log.catch_up(&[Asked { license, known: None }]).unwrap().found.remove(0)
        };
        assert_eq!(found(log, Which::Only), Found::Unknown);
        append(log, None, Some("A"), &entries[..1]);
        assert_eq!(found(other, Which::Only), Found::Ledger(LedgerId(1)));
        append(other, Some(LedgerId(1)), Some("B"), &entries[1..2]);
        append(log, None, Some("C"), &entries[..1]);
        let several = Found::Several(vec!["B".to_owned(), "C".to_owned()]);
        assert_eq!(found(other, Which::Only), several);
        for (number, id) in [("A", 1), ("B", 1), ("C", 2)] {
            assert_eq!(found(log, Which::Number(number.into())), Found::Ledger(LedgerId(id)));
        }
        assert_eq!(found(log, Which::Number("D".into())), Found::Unknown);
        append(log, Some(LedgerId(1)), Some("A"), &entries[2..3]);
        let numbers = |id, numbers: &[&str]| LedgerNumbers {
            ledger: LedgerId(id),
            numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
            in_force: true,
        };
        assert_eq!(other.ledgers().unwrap(), [numbers(1, &["B", "A"]), numbers(2, &["C"])]);
    });
}

#[test]
fn a_license_that_is_uninstalled_is_only_found_by_its_numbers() {
    on_every_log(|log, other| {
        let entries = every_kind();
        let found = |log: &mut dyn Log, license: Which| {
            log.catch_up(&[Asked { license, known: None }]).unwrap().found.remove(0)
        };
        let uninstall = |log: &mut dyn Log, ledger: i64, entry: &Entry| {
            let (ledger, entries) = (Some(LedgerId(ledger)), vec![entry.clone()]);
            let append = Append { ledger, entries, uninstalls: true, ..Append::default() };
            turn(log, vec![append], Vec::new()).unwrap();
        };
        append(log, None, Some("A"), &entries[..1]);
        append(log, Some(LedgerId(1)), Some("B"), &entries[1..2]);
        append(log, None, Some("C"), &entries[..1]);
        uninstall(log, 1, &entries[2]);
        assert_eq!(found(other, Which::Only), Found::Ledger(LedgerId(2)));
        for number in ["A", "B"] {
            assert_eq!(found(other, Which::Number(number.into())), Found::Ledger(LedgerId(1)));
        }
        let in_force = |log: &mut dyn Log| {
            let ledgers = log.ledgers().unwrap().into_iter();
            ledgers.map(|it| (it.numbers.join(" "), it.in_force)).collect::<Vec<_>>()
        };
        assert_eq!(in_force(other), [("A B".to_owned(), false), ("C".to_owned(), true)]);
        uninstall(log, 2, &entries[1]);
        assert_eq!(found(other, Which::Only), Found::Unknown);
        // The number that it bore before is put in force.
        append(log, Some(LedgerId(1)), Some("A"), &entries[3..4]);
        assert_eq!(found(other, Which::Only), Found::Ledger(LedgerId(1)));
        assert_eq!(in_force(other), [("B A".to_owned(), true), ("C".to_owned(), false)]);
    });
}

#[test]
fn a_turn_that_appends_nothing_changes_nothing() {
    on_every_log(|log, other| {
        let asked = [Asked { license: Which::Only, known: None }];
        let mut asks = 0;
        log.turn(&asked, &mut |news| {
            asks += 1;
            assert_eq!(news.found, [Found::Unknown]);
            Turn::default()
        })
        .unwrap();
        assert_eq!(asks, 1);
        assert!(other.ledgers().unwrap().is_empty());
    });
}

#[test]
fn afterwards_a_log_knows_what_became_of_a_turn() {
    on_every_log(|log, other| {
        let entries = every_kind();
        let mark = |ledger, number: Option<&str>, entry: &Entry| Mark {
            ledger,
            number: number.map(Arc::from),
            head: head(entry),
        };
        let new = mark(None, Some("A"), &entries[0]);
        assert!(!log.landed(&new).unwrap());
        append(log, None, Some("A"), &entries[..2]);
        assert!(other.landed(&new).unwrap());
        assert!(other.landed(&mark(Some(LedgerId(1)), None, &entries[1])).unwrap());
        assert!(!other.landed(&mark(Some(LedgerId(1)), None, &entries[2])).unwrap());
        let instead = Entry { chain: Digest::of(b"instead"), ..entries[1].clone() };
        assert!(!other.landed(&mark(Some(LedgerId(1)), None, &instead)).unwrap());
    });
}

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
            figure("2026-01-06T12:00:00Z", 1),
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
        let mut other = log.another().unwrap().unwrap();
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

#[test]
fn only_the_last_who_took_a_name_may_go_on() {
    on_every_log_in(|log, other, folder| {
        let server = |instance: &str| server("db1:7427", instance);
        assert_eq!(log.register(server("1")).unwrap(), 1);
        log.catch_up(&[]).unwrap();
        // A file shows who lives, as no other store does: as if the first did not.
        if let Some(folder) = folder {
            fs::remove_dir_all(folder.join("license.db-servers")).unwrap();
        }
        assert_eq!(other.register(server("2")).unwrap(), 2);
        assert!(matches!(log.catch_up(&[]), Err(LogError::Fenced { .. })));
        let turn = log.turn(&[], &mut |_| panic!("nothing is decided"));
        assert!(matches!(turn, Err(TurnError::Dropped(LogError::Fenced { .. }))));
        // Who was replaced takes nothing from its successor by leaving.
        log.leave().unwrap();
        other.catch_up(&[]).unwrap();
        other.leave().unwrap();
        assert_eq!(log.register(server("3")).unwrap(), 1);
    });
}

#[test]
fn a_beat_shows_that_a_server_lives_and_tells_who_else_does() {
    on_every_log_in(|log, other, folder| {
        log.register(server("db1:7427", "1")).unwrap();
        other.register(Server { transient: true, ..server("db2:7427", "2") }).unwrap();
        log.beat(&[]).unwrap();
        log.beat(&[]).unwrap();
        let rows = other.beat(&[]).unwrap();
        let row = |name: &str, instance: &str, beat, transient| ServerRow {
            name: name.parse().unwrap(),
            epoch: 1,
            instance: instance.to_owned(),
            beat,
            lease_seconds: 90,
            grace_seconds: 90,
            transient,
            format: 2,
            alive: None,
        };
        // Only a file shows who lives.
        assert!(rows.iter().all(|row| row.alive == folder.map(|_| true)), "{rows:?}");
        let seen: Vec<_> = rows.into_iter().map(|row| ServerRow { alive: None, ..row }).collect();
        assert_eq!(seen, [row("db1:7427", "1", 2, false), row("db2:7427", "2", 1, true)]);
        if let Some(folder) = folder {
            fs::remove_dir_all(folder.join("license.db-servers")).unwrap();
        }
        other.register(server("db1:7427", "3")).unwrap();
        assert!(matches!(log.beat(&[]), Err(LogError::Fenced { .. })));
    });
}

#[test]
fn silences_are_kept_until_the_session_is_heard() {
    on_every_log(|log, other| {
        append(log, None, Some("A"), &every_kind()[..1]);
        log.register(server("db1:7427", "1")).unwrap();
        let silence = |token, seconds| Silence {
            ledger: LedgerId(1),
            token: license_pool::Token::new(token).unwrap(),
            silent: Duration::from_secs(seconds),
        };
        log.beat(&[silence(2, 20), silence(1, 30)]).unwrap();
        assert_eq!(other.silences(LedgerId(1)).unwrap(), [silence(1, 30), silence(2, 20)]);
        log.beat(&[silence(1, 60), silence(2, 0), silence(7, 0)]).unwrap();
        assert_eq!(other.silences(LedgerId(1)).unwrap(), [silence(1, 60)]);
        assert_eq!(other.silences(LedgerId(2)).unwrap(), []);
    });
}

#[test]
fn credentials_are_kept_without_their_secrets() {
    on_every_log(|log, other| {
        assert_eq!(other.credentials().unwrap(), []);
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let make = |role, max_seats: Option<u64>, now, expires| {
            let max_seats = max_seats.map(|count| Count::new(count).unwrap());
            KeptCredential::make(role, max_seats, now, expires).unwrap()
        };
        let later = now + Duration::from_secs(1);
        let (second, _) = make(CredentialRole::Client, Some(5), later, Some(later));
        let (mut first, secret) = make(CredentialRole::Admin, None, now, None);
        log.keep_credential(&second).unwrap();
        log.keep_credential(&first).unwrap();
        assert_eq!(other.credentials().unwrap(), [first.clone(), second.clone()]);
        assert!(first.is(&secret) && !second.is(&secret) && first.holds(now));
        assert!(second.holds(now) && !second.holds(later));

        first.credential.revoked_at = Some(later.into());
        other.keep_credential(&first).unwrap();
        let kept = log.credentials().unwrap();
        assert_eq!(kept, [first.clone(), second]);
        assert!(!kept[0].holds(now));
        let (_, hidden) = secret.reveal().rsplit_once('_').unwrap();
        assert!(!format!("{kept:?} {secret:?}").contains(hidden));
    });
}

#[test]
fn only_a_server_that_is_as_it_was_found_is_ended_and_it_vanishes_once_it_serves_nothing() {
    on_every_log(|log, other| {
        log.register(server("db1:7427", "1")).unwrap();
        other.register(server("db2:7427", "2")).unwrap();
        let (one, two): (ServerName, ServerName) =
            ("db1:7427".parse().unwrap(), "db2:7427".parse().unwrap());
        let serving = |serves: &[(&ServerName, bool)]| {
            serves.iter().map(|(server, serves)| ((*server).clone(), *serves)).collect()
        };
        let entries = every_kind();
        for ledger in 1..=2 {
            let append = Append {
                number: Some(ledger.to_string().into()),
                entries: entries[..1].to_vec(),
                serving: serving(&[(&one, true)]),
                ..Append::default()
            };
            turn(log, vec![append], Vec::new()).unwrap();
        }
        assert_eq!(other.serving(&one).unwrap(), [LedgerId(1), LedgerId(2)]);
        let adopt = |ledger: i64| Append {
            ledger: Some(LedgerId(ledger)),
            entries: entries[1..2].to_vec(),
            serving: serving(&[(&one, false), (&two, true)]),
            ..Append::default()
        };
        let found = other.beat(&[]).unwrap().remove(0);
        log.beat(&[]).unwrap();
        let dropped = turn(other, vec![adopt(1)], vec![found]);
        assert!(matches!(dropped, Err(TurnError::Dropped(LogError::Alive { .. }))));
        assert_eq!(other.serving(&two).unwrap(), []);
        log.catch_up(&[]).unwrap();

        let found = other.beat(&[]).unwrap().remove(0);
        turn(other, vec![adopt(1)], vec![found]).unwrap();
        assert!(matches!(log.catch_up(&[]), Err(LogError::Fenced { .. })));
        let rows = other.beat(&[]).unwrap();
        assert!(rows[0].is_ended() && rows[0].epoch == 1 && !rows[1].is_ended(), "{rows:?}");
        assert_eq!(other.serving(&one).unwrap(), [LedgerId(2)]);
        turn(other, vec![adopt(2)], vec![rows[0].clone()]).unwrap();
        let names: Vec<_> = other.beat(&[]).unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, [two]);
        assert_eq!(log.register(server("db1:7427", "3")).unwrap(), 1);
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

fn server(name: &str, instance: &str) -> Server {
    Server {
        name: name.parse().unwrap(),
        instance: instance.to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: false,
    }
}

fn turn(log: &mut dyn Log, appends: Vec<Append>, ends: Vec<ServerRow>) -> Result<(), TurnError> {
    let mut turn = Some(Turn { appends, ends });
    log.turn(&[], &mut |_| turn.take().expect("a turn decides once"))
}

fn append(log: &mut dyn Log, ledger: Option<LedgerId>, number: Option<&str>, entries: &[Entry]) {
    let number = number.map(Arc::from);
    let append = Append { ledger, number, entries: entries.to_vec(), ..Append::default() };
    turn(log, vec![append], Vec::new()).unwrap();
}

fn since(log: &mut dyn Log, known: Option<Head>) -> Since {
    let known = known.map(|head| (LedgerId(1), head));
    let mut news = log.catch_up(&[Asked { license: Which::Only, known }]).unwrap();
    assert_eq!(news.found, [Found::Ledger(LedgerId(1))]);
    news.ledgers.remove(0).1
}

fn head(entry: &Entry) -> Head {
    Head { sequence: entry.sequence, chain: entry.chain }
}

/// One entry of each kind, with and without what is optional. They do not follow from each other.
fn every_kind() -> Vec<Entry> {
    let session = Arc::new("job-7".parse().unwrap());
    let product = "0009".parse().unwrap();
    let token = license_pool::Token::new(7).unwrap();
    let reason: Arc<license_pool::Reason> = Arc::new("why \"so\"".parse().unwrap());
    let described =
        |name: &str| Identity::Kept(Description::new(Session::rest(name, "x", "\u{202e}\n'")));
    let erased = Identity::Erased(Digest::of(b"erased"));
    let license = Arc::new(License::parse(SAMPLE_LICENSE.as_bytes()).unwrap());
    let retained = Retained {
        session: Arc::clone(&session),
        product,
        product_name: "4D Client".into(),
        used_count: 1,
        balance: 9_007_199_254_740_991,
        global_used_count: 2,
        token,
        reason: reason.clone(),
        lease_seconds: Some(license_pool::LeaseSeconds::new(90).unwrap()),
        identity: described("ann"),
    };
    let released = Released {
        token,
        session: session.clone(),
        product,
        cause: ReleaseCause::Revoked,
        note: Some("because".into()),
    };
    let refused = Refused {
        product,
        code: RefusalCode::NoLicenseLeft,
        allowed_count: 1,
        used_count: 1,
        times: 3,
        whom: Whom::Session {
            session: session.clone(),
            reason,
            identity: described("eve"),
            waited_seconds: Some(30),
        },
    };
    let others = Refused { whom: Whom::Others { sessions: 2 }, ..refused.clone() };
    let installed = Installed { license, replaced_number: Some("OLD".into()), signed: true };
    let events = [
        Event::Installed(Installed { replaced_number: None, signed: false, ..installed.clone() }),
        Event::Installed(installed),
        Event::Retained(Arc::new(Retained {
            lease_seconds: None,
            identity: erased.clone(),
            ..retained.clone()
        })),
        Event::Retained(Arc::new(retained)),
        Event::Released(Released { note: None, ..released.clone() }),
        Event::Released(released),
        Event::Refused(Box::new(refused)),
        Event::Refused(Box::new(others)),
        Event::StateChanged { session: session.clone(), state: SessionState::Sleeping },
        Event::Described { session: session.clone(), identity: erased },
        Event::Described { session: session.clone(), identity: described("zoë") },
        Event::Moved { sessions: vec![session.clone(), Arc::new("job-8".parse().unwrap())] },
        Event::Adopted { from_server: Arc::new("db1".parse().unwrap()), from_epoch: 3 },
        Event::ClockCorrected,
        Event::Uninstalled { number: "SAMPLE-0001".into() },
    ];
    let stamp = Stamp {
        server: Arc::new("db2:7427".parse().unwrap()),
        epoch: 4,
        batch: Arc::new("0123456789abcdef0123456789abcdef".parse().unwrap()),
        principal: Some(Arc::new("lk_3f9a".parse().unwrap())),
    };
    let time = |at: i64| Timestamp::from_millisecond(1_767_607_200_123 + at).unwrap();
    let entries = events.into_iter().zip(1..).map(|(event, sequence)| Entry {
        sequence,
        time: time(sequence.cast_signed()),
        stamp: if sequence % 2 == 0 { stamp.clone() } else { Stamp::local() },
        event,
        chain: Digest::of(&sequence.to_be_bytes()),
    });
    entries.collect()
}
