//! Daily figures: what they promise, and that they are what a count of the entries gives.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use license_core::{Event, Figure, Ledger, Refusals, Stamp};

use crate::{
    counted::{Count, DAY, Days, by_date},
    histories::history,
    scripts::{self, core::CoreEngine, script::Step},
};

const ALWAYS: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

fn days(figures: impl IntoIterator<Item = Figure>) -> Days {
    let figures: Vec<Figure> = figures.into_iter().collect();
    let starts: BTreeSet<_> = figures.iter().map(|it| (it.product, it.start)).collect();
    assert_eq!(starts.len(), figures.len(), "a day is told twice");
    by_date(Figure::product_days(figures, &ALWAYS))
}

#[test]
fn figures_are_what_a_count_of_the_entries_gives() {
    let mut compared = 0;
    for seed in 0..24 {
        let log = history(seed, 800);
        let (mut ledger, mut told) = (Ledger::new(), Vec::new());
        let mut count = Count::new(TimeZone::UTC, None);
        for entry in &log {
            ledger.apply(entry).unwrap();
            if let Some(void) = entry.void_from() {
                told = told.into_iter().filter_map(|figure: Figure| figure.before(void)).collect();
            }
            told.extend(ledger.take_figures());
            count.entry(entry);
        }
        let (told, counted) = (days(told), count.told());
        for key in told.keys().chain(counted.keys()) {
            assert_eq!(told.get(key), counted.get(key), "seed {seed}, {key:?}");
        }
        compared += told.len();
    }
    assert!(compared > 500, "{compared} days were compared");
}

/// A ledger in which one of two licenses, one of which expires, was held since the start of 2026.
fn held(rights: &str) -> CoreEngine {
    let mut engine = CoreEngine::new();
    for line in [
        "at 2026-01-01T00:00:00Z",
        &format!("license 0009={rights}"),
        "retain --product 0009 --session S1",
    ] {
        scripts::answer(&mut engine, &Step::parse(line).unwrap());
    }
    engine
}

#[test]
fn what_is_held_over_days_without_entries_counts_on_each_of_them() {
    let mut ledger = held("1+1@2026-01-20").ledger().clone();
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), later);
    ledger.apply(&entry).unwrap();
    let figures = ledger.take_figures();
    assert_eq!(figures.len(), 4, "the first day, those until the expiry, the next, and the rest");
    let days = days(figures);
    let dates = days.values().map(|day| day.date.to_string());
    let expected = (0..59).map(|day| (jiff::civil::date(2026, 1, 1) + day.days()).to_string());
    assert!(dates.eq(expected));
    for day in days.values() {
        let left = day.date.as_str() <= "2026-01-20";
        assert_eq!(day.held_seconds.get(), 86_400);
        assert_eq!(day.allowed_count.get(), if left { 2 } else { 1 });
        assert_eq!(day.seconds_with_nothing_left.get(), if left { 0 } else { 86_400 });
        assert_eq!(day.retained.get(), u64::from(day.date.as_str() == "2026-01-01"));
        assert_eq!(day.peak_at.as_ref().unwrap().as_str(), format!("{}T00:00:00.000Z", day.date));
    }
}

#[test]
fn days_after_the_license_has_expired_are_told_apart_from_those_before() {
    let mut ledger = held("2 expires=2026-01-20").ledger().clone();
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), later);
    ledger.apply(&entry).unwrap();
    let days = days(ledger.take_figures());
    assert_eq!(days.len(), 59);
    for day in days.values() {
        let allowed = if day.date.as_str() <= "2026-01-20" { 2 } else { 0 };
        assert_eq!(day.allowed_count.get(), allowed, "{}", day.date);
        assert_eq!(day.seconds_with_nothing_left.get(), 0, "what has expired is not used up");
    }
}

#[test]
fn a_refusal_late_in_the_evening_counts_once_however_long_nothing_follows() {
    let mut engine = held("1");
    for line in ["at 2026-01-01T23:58:00Z", "retain --product 0009 --session S2"] {
        scripts::answer(&mut engine, &Step::parse(line).unwrap());
    }
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let days = days(engine.ledger().running_figures(later));
    let lasting: Vec<_> = days.values().filter(|day| day.true_refusals.get() > 0).collect();
    let [day] = &lasting[..] else { panic!("it counts on one day, not on {}", lasting.len()) };
    // Nobody knew at midnight whether the session would go without.
    assert_eq!((day.date.as_str(), day.true_refusals.get()), ("2026-01-02", 1));
}

#[test]
fn a_ledger_does_not_grow_with_what_it_refuses() {
    let mut engine = held("1");
    let mut refuse = |session: usize| {
        let line = format!("retain --product 0009 --session R{session}");
        scripts::answer(&mut engine, &Step::parse(&line).unwrap());
    };
    (0..4100).for_each(&mut refuse);
    // One that is not remembered counts anew; for the oldest nobody waits any longer.
    refuse(4099);
    let [figure] = &engine.ledger().running_figures(Timestamp::MIN)[..] else {
        panic!("one product on one day")
    };
    assert_eq!(figure.refusals, Refusals { times: 4101, sessions: 4101, lasting: 4 });
}

#[test]
fn an_entry_at_the_end_of_all_times_tells_few_figures() {
    let mut ledger = held("1").ledger().clone();
    let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), Timestamp::MAX);
    ledger.apply(&entry).unwrap();
    let figures = ledger.take_figures();
    assert_eq!(figures.len(), 2);
    let days = jiff::civil::date(2026, 1, 1).until(jiff::civil::date(9999, 12, 30)).unwrap();
    let told: u64 = figures.iter().map(|figure| figure.days).sum();
    assert_eq!(told, u64::try_from(days.get_days()).unwrap());
}

#[test]
fn figures_that_run_are_those_that_the_next_entry_makes_final() {
    for seed in 0..8 {
        let log = history(seed, 300);
        let mut ledger = Ledger::new();
        for entry in &log {
            let day = entry.time.as_millisecond() / DAY * DAY;
            let running = ledger.running_figures(entry.time);
            let over = running.into_iter().filter(|it| it.start.as_millisecond() < day);
            let over: Vec<_> = over.collect();
            ledger.apply(entry).unwrap();
            assert_eq!(ledger.take_figures(), over, "seed {seed}, entry {}", entry.sequence);
        }
    }
}

#[test]
fn who_reads_the_entries_of_others_has_no_figures_to_write() {
    let mut ledger = Ledger::new();
    for entry in history(1, 300) {
        ledger.replay(&entry).unwrap();
        assert_eq!(ledger.take_figures(), []);
    }
}

#[test]
fn days_after_the_one_to_which_the_clock_is_set_back_at_once_are_not_told() {
    let mut ledger = held("1").ledger().clone();
    for time in ["2026-01-04T10:00:00Z", "2026-01-02T20:00:00Z"] {
        let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), time.parse().unwrap());
        ledger.apply(&entry).unwrap();
    }
    let told = days(ledger.take_figures());
    assert!(told.values().map(|day| day.date.as_str()).eq(["2026-01-01", "2026-01-02"]));
}

#[test]
fn a_clock_that_is_set_back_to_midnight_leaves_what_the_day_had_counted() {
    let mut ledger = held("1").ledger().clone();
    let mut told = Vec::new();
    let times = ["2026-01-02T10:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T10:00:00Z"];
    for time in times {
        let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), time.parse().unwrap());
        ledger.apply(&entry).unwrap();
        told.extend(ledger.take_figures());
    }
    let told = days(told);
    let [day] = &told.into_values().collect::<Vec<_>>()[..] else { panic!("one day has ended") };
    assert_eq!((day.date.as_str(), day.retained.get()), ("2026-01-01", 1));
}

#[test]
fn an_entry_that_faults_ends_no_day() {
    let mut ledger = held("1").ledger().clone();
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let moved = Event::Moved { sessions: vec![std::sync::Arc::new("nobody".parse().unwrap())] };
    let before = ledger.running_figures(later);
    let entry = ledger.seal(moved, &Stamp::local(), later);
    ledger.apply(&entry).unwrap_err();
    assert_eq!(ledger.take_figures(), []);
    assert_eq!(ledger.running_figures(later), before);
}
