//! The simulation finds nothing wrong with the engine, and finds every fault that is planted.

use license_tests::simulation::{Planted, run};

#[test]
fn servers_clients_and_stores_in_trouble_keep_every_promise() {
    for seed in 0..100 {
        if let Err(failure) = run(seed, None) {
            panic!("{failure}\nAgain: cargo xtask simulate --from {seed} --seeds 1");
        }
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in 0..5 {
        let (once, again) = (run(seed, None), run(seed, None));
        assert_eq!(format!("{once:?}"), format!("{again:?}"));
    }
}

/// The first seed that shows a planted fault, and what it says.
fn caught(planted: Planted) -> String {
    (0..1_000)
        .find_map(|seed| run(seed, Some(planted)).err())
        .unwrap_or_else(|| panic!("{} is not noticed in 1,000 seeds", planted.name()))
        .what
}

#[test]
fn every_planted_fault_is_caught() {
    for planted in Planted::ALL {
        let what = caught(planted);
        let expected: &[&str] = match planted {
            Planted::NoHeadCheck => &["its sequence should be"],
            Planted::ReplyBeforeDurability => &["no such retention", "was not released then"],
            // Set ahead, it ends leases early, of clients and of servers; set back, it never ends them.
            Planted::LeaseByWallClock => {
                &["may rely on it", "has shown that it lives", "is still held"]
            }
            Planted::FarFutureBelieved | Planted::TimeStandsStill => &["it bears", "is deleted"],
            Planted::TokenReused => &["should be"],
            Planted::ReleaseTwice => &["is released, and is not held"],
            Planted::AnswerFromMemory => &["was not held then", "held and missing"],
            Planted::UnknownTakenForFailed => &["nothing was done, and something was"],
        };
        let shown = expected.iter().any(|expected| what.contains(expected));
        assert!(shown, "{} shows as: {what}", planted.name());
    }
}
