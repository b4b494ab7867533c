//! Turns and what they append, where licenses lead, and what is found again.

use std::sync::Arc;
use std::time::Duration;

use license_core::{Digest, Entry, Event, Head};
use license_pool::log::{
    Append, Asked, Found, LedgerId, LedgerNumbers, Log, Mark, Since, Turn, Which,
};
use license_pool::{EventKind, Selection};

use super::{append, every_kind, head, on_every_log, since, turn};

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
