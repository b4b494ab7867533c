//! Histories made by seed: what many sessions do over weeks, with idle spells, floods of refusals
//! and clocks that step back, as entries that follow from each other.

use std::sync::Arc;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use license_core::{Digest, Entry, Event, Identity, Ledger, Refused, Stamp, Whom};
use license_types::RefusalCode;

use crate::{
    scripts::{
        core::CoreEngine,
        engine::Engine,
        script::{Operation, Step},
    },
    worlds::any_line,
};

/// The entries of about `steps` commands.
pub(crate) fn history(seed: u64, steps: usize) -> Vec<Entry> {
    let mut random = Rng::with_seed(seed);
    let mut now: Timestamp = "2026-02-01T22:00:00Z".parse().unwrap();
    let mut engine = CoreEngine::new();
    for index in 0..steps {
        now += SignedDuration::from_millis(match random.u8(..) {
            0 => random.i64(0..200) * 86_400_000 / 10,
            1..8 => random.i64(0..10) * 3_600_000,
            8..64 => random.i64(0..400_000),
            // To the millisecond at which a day or a session's patience ends.
            64..80 => 300_000,
            80 => 86_400_000 - now.as_millisecond().rem_euclid(86_400_000),
            81 => -random.i64(0..100_000_000),
            82..128 => random.i64(0..1000),
            _ => 0,
        });
        engine.set_clock(now);
        match random.u8(..) {
            0..8 if index > 0 => {
                let refused = refusal(&mut random, engine.ledger(), now);
                engine.append(refused, &Stamp::local());
            }
            8 if index > 0 => engine.append(Event::ClockCorrected, &Stamp::local()),
            _ => {
                let step = Step::parse(&any_line(&mut random, index)).unwrap();
                if !matches!(step.operation, Operation::At(_)) {
                    engine.execute(&step);
                }
            }
        }
    }
    engine.recount();
    engine.log().to_vec()
}

/// A refusal as servers fold them.
fn refusal(random: &mut Rng, ledger: &Ledger, now: Timestamp) -> Event {
    let session = format!("S{}", random.u8(..16));
    let digest = Digest::of(session.as_bytes());
    let product = ["0009", "0005", "0007", "0025"][random.usize(..4)].parse().unwrap();
    let code = ledger.availability(product, now).code;
    Event::Refused(Box::new(Refused {
        product,
        code: code.unwrap_or(RefusalCode::NoLicenseLeft),
        allowed_count: 1,
        used_count: 1,
        times: random.u64(1..9),
        whom: match random.u8(..3) {
            0 => Whom::Others { sessions: random.u64(1..50) },
            waited => Whom::Session {
                session: Arc::new(session.parse().unwrap()),
                reason: Arc::new("CLIENT".parse().unwrap()),
                identity: Identity::Erased(digest),
                waited_seconds: (waited == 1).then_some(30),
            },
        },
    }))
}

/// A ledger in which so many sessions hold a license.
pub(crate) fn crowd(sessions: usize) -> Ledger {
    let mut engine = CoreEngine::new();
    engine.set_clock("2026-02-01T22:00:00Z".parse().unwrap());
    engine.execute(&Step::parse("license 0007=unlimited").unwrap());
    for session in 0..sessions {
        let line = format!("retain --product 0007 --session session-{session:07}");
        engine.execute(&Step::parse(&line).unwrap());
    }
    engine.ledger().clone()
}
