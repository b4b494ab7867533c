//! Figures that are told anew from the entries: of other days, and of one user or session.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use license_core::{
    Command, Digest, Entry, Event, Figure, HeldBefore, Identity, Installed, Ledger, Part, Released,
    Retain, Stamp, Tally, Told, decide,
};
use license_types::{ProductDay, ProductId, ReleaseCause, Session};

use crate::{
    counted::{Count, by_date},
    histories::history,
    scripts::{self, core::CoreEngine, script::Step},
};

const ALWAYS: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

/// Zones with days of other lengths, other offsets, and none of either.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Africa/Abidjan"];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// A history that also tells of an adoption, of a license that was uninstalled and came back, and of
/// a clock that was corrected while there was none.
fn rich(seed: u64, steps: usize) -> Vec<Entry> {
    let mut log = history(seed, steps);
    let mut ledger = Ledger::new();
    log.iter().for_each(|entry| ledger.apply(entry).unwrap());
    let license = ledger.license().unwrap().clone();
    let mut append = |ledger: &mut Ledger, hours: i64, stamp: &Stamp, event: Event| {
        let last: &Entry = log.last().unwrap();
        let entry = ledger.seal(event, stamp, last.time + SignedDuration::from_hours(hours));
        ledger.apply(&entry).unwrap();
        log.push(entry);
    };
    let local = Stamp::local();
    let west = Stamp { server: Arc::new("west".parse().unwrap()), epoch: 1, ..local.clone() };
    let from_server = Arc::new("east".parse().unwrap());
    append(&mut ledger, 1, &west, Event::Adopted { from_server, from_epoch: 1 });
    for held in ledger.live().collect::<Vec<_>>() {
        let (session, product) = (held.record.session.clone(), held.record.product);
        let (token, cause) = (held.record.token, ReleaseCause::Released);
        let released = Released { token, session, product, cause, note: None };
        append(&mut ledger, 2, &west, Event::Released(released));
    }
    append(&mut ledger, 3, &local, Event::Uninstalled { number: license.number().into() });
    append(&mut ledger, 50, &local, Event::ClockCorrected);
    append(&mut ledger, -40, &local, Event::ClockCorrected);
    let installed = Installed { license: license.clone(), replaced_number: None, signed: false };
    append(&mut ledger, 1, &local, Event::Installed(installed));
    for session in 0..30 {
        let product = license.info().products[session % license.info().products.len()].id;
        let described = Session::rest("late", "late", "::1");
        let retain = Retain::new(product, format!("S{session}").parse().unwrap(), described);
        let now = ledger.instant(Timestamp::MIN) + SignedDuration::from_hours(3);
        if let Ok(verdict) = decide(&ledger, &Command::Retain(retain), &west, now) {
            verdict.events.into_iter().for_each(|event| append(&mut ledger, 3, &west, event));
        }
    }
    log
}

fn last(log: &[Entry]) -> Timestamp {
    log.last().unwrap().time
}

fn told(log: &[Entry], part: &Part, zone: &TimeZone) -> Told {
    let mut tally = Tally::new(part.clone(), zone.clone(), ALWAYS);
    log.iter().try_for_each(|entry| tally.count(entry)).unwrap();
    tally.told(last(log))
}

/// The figures as a store keeps them, those of the day that runs included.
fn kept(log: &[Entry]) -> Vec<ProductDay> {
    let (mut ledger, mut kept) = (Ledger::new(), Vec::new());
    for entry in log {
        ledger.apply(entry).unwrap();
        if let Some(void) = entry.void_from() {
            kept = kept.into_iter().filter_map(|figure: Figure| figure.before(void)).collect();
        }
        kept.extend(ledger.take_figures());
    }
    let running = ledger.running_figures(last(log));
    Figure::product_days(running.into_iter().chain(kept), &ALWAYS)
}

#[test]
fn what_is_told_anew_of_all_is_what_is_kept() {
    let mut compared = 0;
    for seed in 0..24 {
        let log = rich(seed, 800);
        let Told { days, since, .. } = told(&log, &Part::default(), &TimeZone::UTC);
        let kept = kept(&log);
        assert_eq!(days.len(), kept.len(), "seed {seed}");
        for (told, kept) in days.iter().zip(&kept) {
            assert_eq!(told, kept, "seed {seed}");
        }
        assert_eq!(since, None);
        compared += kept.len();
    }
    assert!(compared > 500, "{compared} days were compared");
}

#[test]
fn the_days_of_a_zone_and_of_a_session_are_what_a_count_of_the_entries_gives() {
    let mut compared = 0;
    for seed in 0..8 {
        let log = rich(seed, 800);
        for (name, session) in ZONES.into_iter().flat_map(|name| [(name, None), (name, Some("S3"))])
        {
            let mut count = Count::new(zone(name), session);
            log.iter().for_each(|entry| count.entry(entry));
            let session = session.map(|session| session.parse().unwrap());
            let part = Part { session, ..Part::default() };
            let mut told = by_date(told(&log, &part, &zone(name)).days);
            let mut counted = count.told();
            if part.session.is_some() {
                // What was allowed concerns all.
                let mut count = Count::new(zone(name), None);
                log.iter().for_each(|entry| count.entry(entry));
                for (key, of_all) in count.told() {
                    counted.entry(key).and_modify(|day| {
                        day.allowed_count = of_all.allowed_count;
                        day.seconds_with_nothing_left = of_all.seconds_with_nothing_left;
                    });
                }
            }
            let today = last(&log).to_zoned(zone(name)).date().to_string();
            told.retain(|(_, date), _| *date < today);
            for key in told.keys().chain(counted.keys()) {
                assert_eq!(
                    told.get(key),
                    counted.get(key),
                    "seed {seed}, {name}, {part:?}, {key:?}"
                );
            }
            compared += told.len();
        }
    }
    assert!(compared > 1000, "{compared} days were compared");
}

/// What a log tells of which the entries before the one at `cut` are deleted.
fn told_from(cut: usize, log: &[Entry], part: &Part, zone: &TimeZone) -> Told {
    let (before, left) = log.split_at(cut);
    let mut ledger = Ledger::new();
    before.iter().for_each(|entry| ledger.apply(entry).unwrap());
    let is_change =
        |it: &Entry| matches!(it.event, Event::Installed(_) | Event::Uninstalled { .. });
    let license = ledger.license().filter(|_| !left.iter().any(is_change)).cloned();
    let held: Vec<_> = ledger
        .live()
        .map(|held| HeldBefore {
            token: held.record.token,
            product: held.record.product,
            product_name: held.record.product_name.clone(),
            session: Some(held.record.session.clone()),
            whose: part.whose(Some(&held.record.session), None),
        })
        .collect();
    let mut tally = Tally::new(part.clone(), zone.clone(), ALWAYS);
    tally.begin(&left[0], &held, license).unwrap();
    left.iter().try_for_each(|entry| tally.count(entry)).unwrap();
    tally.told(last(log))
}

#[test]
fn where_the_first_entries_are_gone_all_days_are_right_that_are_told() {
    let (mut compared, mut cuts) = (0, 0);
    for seed in 0..6 {
        let log = rich(seed, 600);
        let kept = kept(&log);
        for name in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
            for session in [None, Some("S3".parse().unwrap())] {
                let (part, zone) = (Part { session, ..Part::default() }, zone(name));
                let whole = told(&log, &part, &zone).days;
                for cut in (1..log.len()).step_by(37) {
                    let mut told = told_from(cut, &log, &part, &zone);
                    if name == "UTC" {
                        told.allow(kept.clone());
                    }
                    let first = told.since.unwrap().to_zoned(zone.clone()).date().to_string();
                    let seen = |days: &[ProductDay]| -> Vec<ProductDay> {
                        let days = days.iter().filter(|day| *day.date.to_string() >= *first);
                        days.cloned().collect()
                    };
                    let (days, expected) = (seen(&told.days), seen(&whole));
                    let wrong = days.iter().zip(&expected).find(|(day, expected)| day != expected);
                    assert_eq!(wrong, None, "seed {seed}, {name}, {part:?}, from entry {cut}");
                    assert_eq!(
                        days.len(),
                        expected.len(),
                        "seed {seed}, {name}, {part:?}, from {cut}"
                    );
                    compared += days.len();
                    cuts += usize::from(!days.is_empty());
                }
            }
        }
    }
    assert!(compared > 5000 && cuts > 200, "{compared} days after {cuts} cuts");
}

#[test]
fn what_users_held_and_were_refused_adds_up_to_all_and_to_what_nobody_can_be_named_for() {
    for seed in 0..4 {
        let log = rich(seed, 800);
        let users: BTreeSet<String> = log.iter().filter_map(user).collect();
        assert!(users.len() > 2, "{users:?}");
        let all = told(&log, &Part::default(), &TimeZone::UTC).days;
        let parts: Vec<Told> = users
            .iter()
            .map(|user| {
                let part = Part { user: Some(user.clone()), ..Part::default() };
                told(&log, &part, &TimeZone::UTC)
            })
            .collect();
        let sum =
            |of: fn(&ProductDay) -> u64, days: &[ProductDay]| days.iter().map(of).sum::<u64>();
        let of_parts = |of| parts.iter().map(|part| sum(of, &part.days)).sum::<u64>();
        assert_eq!(of_parts(|day| day.retained.get()), sum(|day| day.retained.get(), &all));
        let unknown = parts[0].unknown_refusals;
        assert!(unknown > 0 && parts.iter().all(|part| part.unknown_retentions == 0));
        let refused = of_parts(|day| day.refused.get()) + unknown;
        assert_eq!(refused, sum(|day| day.refused.get(), &all));
        let all = by_date(all);
        for day in parts.iter().flat_map(|part| &part.days) {
            let of_all = &all[&(day.product_id, day.date.to_string())];
            assert!(day.peak_used_count <= of_all.peak_used_count);
            assert!(day.held_seconds <= of_all.held_seconds);
            let allowed = |day: &ProductDay| (day.allowed_count, day.seconds_with_nothing_left);
            assert_eq!(allowed(day), allowed(of_all));
        }
    }
}

/// Whom an entry names.
fn user(entry: &Entry) -> Option<String> {
    let Event::Retained(retained) = &entry.event else { return None };
    Some(retained.identity.kept()?.session().user_name().to_owned())
}

#[test]
fn a_retention_whose_description_is_erased_is_nobodys_and_counted_as_such() {
    let mut log = engine(&["retain --product 0009 --session S1"]).log().to_vec();
    let Event::Retained(retained) = &log[1].event else { panic!("{:?}", log[1]) };
    let mut erased = (**retained).clone();
    erased.identity = Identity::Erased(Digest::of(b"gone"));
    log[1].event = Event::Retained(Arc::new(erased));
    let part = Part { user: Some("tester".to_owned()), ..Part::default() };
    let Told { days, unknown_retentions, .. } = told(&log, &part, &TimeZone::UTC);
    assert_eq!((days, unknown_retentions), (Vec::new(), 1));
    // Somebody's session is known without.
    let part = Part { session: Some("S1".parse().unwrap()), ..Part::default() };
    let Told { days, unknown_retentions, .. } = told(&log, &part, &TimeZone::UTC);
    assert_eq!((days.len(), unknown_retentions), (1, 0));
}

/// An engine at the start of 2026 in UTC that has two licenses of 0009 and one of 0005.
fn engine(lines: &[&str]) -> CoreEngine {
    let mut engine = CoreEngine::new();
    for line in ["at 2026-01-01T00:00:00Z", "license 0009=2 0005=1"].iter().chain(lines) {
        scripts::answer(&mut engine, &Step::parse(line).unwrap());
    }
    engine
}

#[test]
fn days_are_as_long_as_the_clocks_of_their_zone_make_them() {
    let engine = engine(&[
        "retain --product 0005 --session S1",
        "at 2026-11-30T12:00:00Z",
        "release --session S1",
    ]);
    let days = by_date(told(engine.log(), &Part::default(), &zone("Europe/Berlin")).days);
    let product: ProductId = "0005".parse().unwrap();
    for (date, hours) in [
        ("2026-01-01", 23),
        ("2026-03-28", 24),
        ("2026-03-29", 23),
        ("2026-03-30", 24),
        ("2026-10-25", 25),
        ("2026-11-30", 13),
    ] {
        let day = &days[&(product, date.to_owned())];
        assert_eq!(day.held_seconds.get(), hours * 3600, "{date}");
        assert_eq!(day.seconds_with_nothing_left.get(), hours * 3600, "{date}");
    }
    // Its days begin at its midnights.
    let peak = days[&(product, "2026-03-30".to_owned())].peak_at.clone().unwrap();
    assert_eq!(peak.as_str(), "2026-03-29T22:00:00.000Z");
}

#[test]
fn only_the_days_that_are_asked_for_are_told_whole() {
    let lines = ["retain --product 0009 --session S1", "at 2026-01-09T00:00:00Z", "license 0009=2"];
    let engine = engine(&lines);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let within = time("2026-01-03T05:00:00Z")..time("2026-01-05T00:00:00Z");
    let mut tally = Tally::new(Part::default(), TimeZone::UTC, within);
    engine.log().iter().try_for_each(|entry| tally.count(entry)).unwrap();
    let told = tally.told(last(engine.log())).days;
    let dates: Vec<_> = told.iter().map(|day| day.date.as_str()).collect();
    assert_eq!(dates, ["2026-01-03", "2026-01-04"]);
    assert!(told.iter().all(|day| day.held_seconds.get() == 86_400));
}

#[test]
fn the_ends_of_the_calendar_are_days_like_others() {
    for name in ["America/St_Johns", "Asia/Kolkata"] {
        let mut engine = CoreEngine::new();
        for line in
            ["at 0000-01-01T00:00:00Z", "license 0009=2", "retain --product 0009 --session S"]
        {
            scripts::answer(&mut engine, &Step::parse(line).unwrap());
        }
        let days = told(engine.log(), &Part::default(), &zone(name)).days;
        assert_eq!(days.len(), 1, "{name}");
        let ledger = Ledger::new();
        let end: Timestamp = "9999-12-30T20:00:00Z".parse().unwrap();
        let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), end);
        let mut tally = Tally::new(Part::default(), zone(name), ALWAYS);
        tally.count(&entry).unwrap();
        assert_eq!(tally.told(Timestamp::MAX).days, []);
    }
}
