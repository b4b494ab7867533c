//! The simulation finds nothing wrong with the engine, and finds every fault that is planted.

use std::process::Command;

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
            Planted::ReplyBeforeDurability => {
                &["no such retention", "was not released then", "went back in time"]
            }
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

/// What the program says of a run that fails.
fn failed(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_simulate")).args(words).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn the_command_that_a_failing_seed_names_shows_the_same_failure_again() {
    let line = |said: &str, begin: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(begin));
        line.unwrap_or_else(|| panic!("no `{begin}` in {said}")).to_owned()
    };
    let said = failed(&["--planted", "release-twice", "--seeds", "50"]);
    let (failure, again) = (line(&said, "FAILED: "), line(&said, "Again: cargo xtask simulate "));
    assert!(failure.contains("is released, and is not held"), "{failure}");
    let words: Vec<&str> = again.split(' ').collect();
    let same = failed(&words);
    assert_eq!(line(&same, "FAILED: "), failure);
    assert_eq!(line(&same, "Again: cargo xtask simulate "), again);
    // The story of that seed ends the same.
    let seed = words[words.iter().position(|word| *word == "--from").unwrap() + 1];
    let told = failed(&["--planted", "release-twice", "--tell", seed]);
    assert_eq!(line(&told, "FAILED: "), failure);
}
