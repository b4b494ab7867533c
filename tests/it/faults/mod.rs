//! Entries that do not follow: `apply` names what is wrong with them, and changes nothing.

use std::sync::Arc;

use fastrand::Rng;
use license_core::{
    Breach, Digest, Entry, Event, Identity, Ledger, Refused, Released, Retained, Stamp, Whom,
};
use license_types::{
    LeaseSeconds, Principal, ProductId, Reason, RefusalCode, ReleaseCause, ServerName, SessionId,
    SessionState, Token,
};

use crate::scripts::{self, core::CoreEngine, script::Step};

mod chain;

/// A log with every kind of entry.
fn log() -> Vec<Entry> {
    let mut engine = CoreEngine::new();
    for line in [
        "at 2026-01-05T10:00:00Z",
        "license 0009=2 0005=unlimited 0007=1@2026-01-06",
        "on east as ann retain --product 0009 --session S1 --describe client",
        "on east as ann retain --product 0009 --session S1 --describe client-elsewhere",
        "on west renew --session S1 --state sleeping",
        "on west retain --product 0005 --session S2 --describe sql",
        "retain --product 0009 --session S3",
        "retain --product 0009 --session S4",
        "release --session S3",
        "license number=B replaces=TEST-1 0009=2 0007=1@2026-01-06",
    ] {
        let step = Step::parse(line).unwrap();
        let answer = scripts::answer(&mut engine, &step);
        assert!(!answer.iter().any(|answer| answer.contains("unknown")), "{line}: {answer:?}");
    }
    let east = Stamp { server: server("east"), ..Stamp::local() };
    engine.append(Event::Adopted { from_server: server("west"), from_epoch: 3 }, &east);
    engine.append(Event::ClockCorrected, &Stamp::local());
    engine.log().to_vec()
}

fn server(name: &str) -> Arc<ServerName> {
    Arc::new(name.parse().unwrap())
}

fn session(name: &str) -> Arc<SessionId> {
    Arc::new(name.parse().unwrap())
}

/// Replays the log up to the entry that `change` changes, and returns what is wrong with that one.
fn breach(change: impl Fn(&mut Entry) -> bool) -> Breach {
    let mut ledger = Ledger::new();
    for mut entry in log() {
        if change(&mut entry) {
            let before = format!("{ledger:?}");
            let fault = ledger.apply(&entry).unwrap_err();
            assert_eq!(fault.sequence, entry.sequence);
            assert_eq!(format!("{ledger:?}"), before, "a fault leaves the ledger as it was");
            return fault.breach;
        }
        ledger.apply(&entry).unwrap();
    }
    panic!("no entry was changed");
}

/// Changes the first retention.
fn retained(change: impl Fn(&mut Retained)) -> Breach {
    breach(|entry| match &mut entry.event {
        Event::Retained(retained) => {
            change(Arc::make_mut(retained));
            true
        }
        _ => false,
    })
}

/// Changes the first release.
fn released(change: impl Fn(&mut Released)) -> Breach {
    breach(|entry| match &mut entry.event {
        Event::Released(released) => {
            change(released);
            true
        }
        _ => false,
    })
}

/// Puts an event in place of the last entry.
fn last(event: &Event) -> Breach {
    breach(|entry| {
        let is_last = entry.event == Event::ClockCorrected;
        if is_last {
            entry.event = event.clone();
        }
        is_last
    })
}

/// The last retention of the log, as one of `S9` that could follow.
fn another() -> Retained {
    Retained {
        session: session("S9"),
        product: "0009".parse().unwrap(),
        product_name: "4D Client".into(),
        used_count: 1,
        balance: 0,
        global_used_count: 2,
        token: Token::new(4).unwrap(),
        reason: Arc::new(Reason::new("CLIENT").unwrap()),
        lease_seconds: None,
        identity: Identity::Erased(Digest::default()),
    }
}

#[test]
fn an_entry_out_of_its_place_is_a_fault() {
    assert_eq!(
        breach(|entry| {
            entry.sequence += 1;
            true
        }),
        Breach::Sequence { expected: 1 }
    );
    assert_eq!(
        breach(|entry| {
            let is_third = entry.sequence == 3;
            entry.sequence -= u64::from(is_third);
            is_third
        }),
        Breach::Sequence { expected: 3 }
    );
}

#[test]
fn uninstalling_what_is_held_or_another_license_is_a_fault() {
    let number = |number: &str| Event::Uninstalled { number: number.into() };
    assert_eq!(last(&number("B")), Breach::InUse { held: 2 });
    assert_eq!(last(&number("TEST-1")), Breach::Number { number: "TEST-1".to_owned() });
}

#[test]
fn time_that_steps_back_is_a_fault_unless_the_clock_was_corrected() {
    let a_year = jiff::SignedDuration::from_hours(24 * 365);
    let earlier = |entry: &mut Entry| {
        let is_second = entry.sequence == 2;
        if is_second {
            entry.time -= a_year;
        }
        is_second
    };
    assert_eq!(breach(earlier), Breach::Time);

    let mut ledger = Ledger::new();
    for mut entry in log() {
        if entry.event == Event::ClockCorrected {
            entry.time -= a_year;
        }
        ledger.apply(&entry).unwrap();
    }
}

#[test]
fn a_token_that_does_not_come_next_is_a_fault() {
    let token = Token::new(7).unwrap();
    assert_eq!(retained(|it| it.token = token), Breach::Token { token, expected: 1 });
}

#[test]
fn more_than_is_allowed_is_a_fault() {
    // Two of 0009 are allowed; S1 holds one, and S3 released its own.
    let product = "0009".parse().unwrap();
    let mut ledger = Ledger::new();
    log().iter().for_each(|entry| ledger.apply(entry).unwrap());
    let one = Event::Retained(Arc::new(another()));
    let entry = ledger.draft(one, &Stamp::local(), jiff::Timestamp::MAX);
    ledger.apply(&entry).unwrap();
    let two = Retained {
        session: session("S10"),
        token: Token::new(5).unwrap(),
        used_count: 2,
        global_used_count: 3,
        ..another()
    };
    let entry = ledger.draft(Event::Retained(Arc::new(two)), &Stamp::local(), entry.time);
    let fault = ledger.apply(&entry).unwrap_err();
    assert_eq!(fault.breach, Breach::Oversold { product, used: 2, allowed: 2 });
}

#[test]
fn a_grant_after_the_last_day_is_a_fault() {
    let product = "0007".parse().unwrap();
    let mut ledger = Ledger::new();
    log().iter().for_each(|entry| ledger.apply(entry).unwrap());
    let retained = Retained {
        product,
        product_name: "4D REST Only".into(),
        global_used_count: 1,
        ..another()
    };
    let retained = Event::Retained(Arc::new(retained));
    let seventh = "2026-01-07T00:00:00Z".parse().unwrap();
    let late = ledger.draft(retained.clone(), &Stamp::local(), seventh);
    let fault = ledger.apply(&late).unwrap_err();
    assert_eq!(fault.breach, Breach::Oversold { product, used: 0, allowed: 0 });
    let in_time =
        ledger.draft(retained, &Stamp::local(), late.time - jiff::SignedDuration::from_millis(1));
    ledger.apply(&in_time).unwrap();
}

#[test]
fn a_record_that_differs_from_the_count_is_a_fault() {
    let record = |property| Breach::Record { property };
    assert_eq!(retained(|it| it.used_count = 2), record("productUsedCount"));
    assert_eq!(retained(|it| it.balance = 2), record("productBalance"));
    assert_eq!(retained(|it| it.global_used_count = 0), record("globalProductUsedCount"));
    assert_eq!(retained(|it| it.product_name = "4D".into()), record("productName"));
}

#[test]
fn a_product_that_the_license_lacks_is_a_fault() {
    let product = "0025".parse().unwrap();
    assert_eq!(retained(|it| it.product = product), Breach::UnknownProduct { product });
    // 0005 is held but gone from the license.
    let product = "0005".parse().unwrap();
    let gone = Event::Retained(Arc::new(Retained { product, ..another() }));
    assert_eq!(last(&gone), Breach::UnknownProduct { product });
}

#[test]
fn a_session_holds_a_product_once_and_where_it_is_served() {
    let again = |server: &'static str| {
        let retained = Retained { session: session("S1"), used_count: 2, ..another() };
        breach(move |entry| {
            let is_last = entry.event == Event::ClockCorrected;
            if is_last {
                entry.event = Event::Retained(Arc::new(retained.clone()));
                entry.stamp.server = self::server(server);
            }
            is_last
        })
    };
    assert_eq!(again("east"), Breach::AlreadyHeld { product: "0009".parse().unwrap() });
    let elsewhere = Retained {
        session: session("S2"),
        product: "0007".parse().unwrap(),
        product_name: "4D REST Only".into(),
        global_used_count: 1,
        ..another()
    };
    assert_eq!(last(&Event::Retained(Arc::new(elsewhere))), Breach::Server);
}

#[test]
fn a_release_of_what_is_not_held_is_a_fault() {
    let not_held = |token| Breach::NotHeld { token: Token::new(token).unwrap() };
    assert_eq!(released(|it| it.token = Token::new(9).unwrap()), not_held(9));
    assert_eq!(released(|it| it.session = session("S1")), not_held(3));
    assert_eq!(released(|it| it.product = "0005".parse().unwrap()), not_held(3));
    let twice = log().into_iter().find_map(|entry| match entry.event {
        Event::Released(released) => Some(Event::Released(released)),
        _ => None,
    });
    assert_eq!(last(&twice.unwrap()), not_held(3));
}

#[test]
fn what_is_said_of_a_session_that_holds_nothing_is_a_fault() {
    let nothing = || Breach::NothingHeld { session: "S3".to_owned() };
    let identity = Identity::Erased(Digest::default());
    let state = SessionState::Active;
    assert_eq!(last(&Event::StateChanged { session: session("S3"), state }), nothing());
    assert_eq!(last(&Event::Described { session: session("S3"), identity }), nothing());
    let sessions = vec![session("S1"), session("S3")];
    assert_eq!(last(&Event::Moved { sessions }), nothing());
}

#[test]
fn a_license_that_continues_another_ledger_is_a_fault() {
    let stranger = breach(|entry| match &mut entry.event {
        Event::Installed(installed) if installed.replaced_number.is_some() => {
            installed.replaced_number = Some("C".into());
            true
        }
        _ => false,
    });
    assert_eq!(stranger, Breach::Number { number: "B".to_owned() });
}

#[test]
fn no_entry_makes_apply_panic_and_what_it_accepts_keeps_every_count() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..20 {
        let mut random = Rng::with_seed(seed);
        let mut ledger = Ledger::new();
        ledger.apply(&log()[0]).unwrap();
        for _ in 0..600 {
            let mut entry = any_entry(&mut random, &ledger);
            if random.u8(..20) == 0 {
                entry.sequence = random.u64(..);
            }
            match ledger.apply(&entry) {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
            ledger.recount().unwrap();
            for product in ledger.info(entry.time).unwrap().products {
                let limited = product.allowed_count.get() < 32767;
                assert!(!limited || product.used_count <= product.allowed_count);
            }
        }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} accepted, {refused} refused");
}

/// An entry of a hostile log: often nearly right.
fn any_entry(random: &mut Rng, ledger: &Ledger) -> Entry {
    let product: ProductId = ["0009", "0005", "0007", "0025"][random.usize(..4)].parse().unwrap();
    let session = session(["S1", "S2", "S3"][random.usize(..3)]);
    let live: Vec<_> = ledger.live().collect();
    let last_token = live.last().map_or(0, |held| held.record.token.get());
    let token = Token::new(1 + random.u64(..=last_token + 1)).unwrap();
    let identity = Identity::Erased(Digest::default());
    let reason = Arc::new(Reason::new("").unwrap());
    let small = |random: &mut Rng| match random.u8(..10) {
        0 => u64::MAX,
        _ => random.u64(..4),
    };
    let server = server(["east", "west"][random.usize(..2)]);
    let event = match random.u8(..12) {
        0..5 => Event::Retained(Arc::new(Retained {
            product_name: product.known_name().unwrap().into(),
            used_count: small(random),
            balance: if random.bool() { 32767 } else { small(random) },
            global_used_count: small(random),
            token,
            lease_seconds: LeaseSeconds::new(random.u64(15..100)).ok(),
            session,
            product,
            reason,
            identity,
        })),
        5..7 if !live.is_empty() => {
            let held = &live[random.usize(..live.len())].record;
            Event::Released(Released {
                token: held.token,
                session: held.session.clone(),
                product: if random.bool() { held.product } else { product },
                cause: ReleaseCause::ALL[random.usize(..ReleaseCause::ALL.len())],
                note: None,
            })
        }
        7 => Event::StateChanged { session, state: SessionState::Sleeping },
        8 => Event::Described { session, identity },
        9 => Event::Moved { sessions: vec![session.clone(), session] },
        10 => Event::Adopted { from_server: self::server("east"), from_epoch: small(random) },
        _ => Event::Refused(Box::new(Refused {
            code: RefusalCode::NoLicenseLeft,
            allowed_count: small(random),
            used_count: small(random),
            times: small(random),
            product,
            whom: match random.u8(..4) {
                0 => Whom::Others { sessions: small(random) },
                waited => {
                    let waited_seconds = (waited == 1).then(|| small(random));
                    Whom::Session { session, reason, identity, waited_seconds }
                }
            },
        })),
    };
    let principal = random.bool().then(|| Arc::new(Principal::new("ann").unwrap()));
    let stamp = Stamp { server, epoch: small(random), principal, ..Stamp::local() };
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    ledger.draft(event, &stamp, now)
}

#[test]
fn a_refusal_names_one_session_or_says_how_many_there_were() {
    let wire = |edit: fn(&mut license_types::RefusedEvent)| {
        let refused = log().into_iter().find(|entry| matches!(entry.event, Event::Refused(_)));
        let mut entry = refused.expect("somebody is refused").to_wire();
        let license_types::Event::Refused(event) = &mut entry.event else { unreachable!() };
        edit(event);
        Entry::from_wire(entry).map_err(|fault| fault.breach)
    };
    assert!(wire(|_| {}).is_ok());
    assert_eq!(wire(|event| event.session_id = None), Err(Breach::Whom));
    assert_eq!(wire(|event| event.sessions = Some(event.times)), Err(Breach::Whom));
    let others = wire(|event| {
        (event.session_id, event.reason, event.sessions) = (None, None, Some(event.times));
        (event.description_digest, event.description) = (None, None);
    });
    assert!(others.is_ok_and(|entry| entry.to_wire_erased() == entry.to_wire()));
}
