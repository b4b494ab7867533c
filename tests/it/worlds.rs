//! The core against the model: small worlds in full, large ones by seed.

use std::sync::LazyLock;

use fastrand::Rng;

use crate::{
    model::Model,
    scripts::{self, core::CoreEngine, engine::Engine, script::Step},
};

/// What each world starts from, and the commands of which every script of up to five is run.
const SMALL_WORLDS: [(&[&str], &[&str]); 4] = [
    // Two sessions and one license of each of two products.
    (
        &["license 0009=1 0005=1"],
        &[
            "retain --product 0009 --session S1",
            "retain --product 0009 --session S2",
            "retain --product 0005 --session S1",
            "release --session S1 --product 0009",
            "release --session S1",
            "release --token 2",
        ],
    ),
    // Rights expire, and the license changes while something is held.
    (
        &["license 0009=1+1@2026-01-05"],
        &[
            "retain --product 0009 --session S1",
            "retain --product 0009 --session S2",
            "release --session S1",
            "at 2026-01-06T00:00:00Z",
            "license 0009=1@2026-01-06 0005=1",
            "license 0005=unlimited",
        ],
    ),
    // Sessions wander between servers and change their state.
    (
        &["license 0009=3 0005=unlimited"],
        &[
            "on east retain --product 0009 --session S1 --describe client",
            "on west retain --product 0009 --session S1 --describe client-elsewhere",
            "on east retain --product 0009 --session S2",
            "on west renew --session S1 --state sleeping",
            "on east renew --session S1 --state active",
            "usage --server-name east",
        ],
    ),
    // Principals own sessions and have maxima.
    (
        &["license 0009=2 0005=1@2026-01-04"],
        &[
            "as ann:1 retain --product 0009 --session S1",
            "as ann:1 retain --product 0009 --session S2",
            "as bob retain --product 0009 --session S1",
            "retain --product 0009 --session S2",
            "as bob:0 retain --product 0005 --session S3",
            "as bob release --session S1",
        ],
    ),
];

/// What both are asked after each step, beside its own answer.
static REPORTS: LazyLock<Vec<(&str, Step)>> = LazyLock::new(|| {
    let lines = ["usage", "info", "available 0009"];
    lines.map(|line| (line, step(line))).into()
});

#[test]
fn every_short_script_of_a_small_world_goes_as_the_model_says() {
    let mut scripts = 0;
    for (start, alphabet) in SMALL_WORLDS {
        let mut world = World { core: CoreEngine::unsealed(), model: Model::new() };
        let mut path = vec!["at 2026-01-05T10:00:00Z"];
        path.extend(start);
        for line in &path {
            world.step(line, &step(line)).unwrap();
        }
        let alphabet: Vec<_> = alphabet.iter().map(|line| (*line, step(line))).collect();
        explore(&world, &alphabet, &mut path, 5, &mut scripts);
    }
    assert_eq!(scripts, 4 * (6 + 6_u64.pow(2) + 6_u64.pow(3) + 6_u64.pow(4) + 6_u64.pow(5)));
}

fn explore<'a>(
    world: &World,
    alphabet: &[(&'a str, Step)],
    path: &mut Vec<&'a str>,
    left: usize,
    scripts: &mut u64,
) {
    if left == 0 {
        return;
    }
    for (line, step) in alphabet {
        let mut world = world.clone();
        path.push(line);
        let outcome = world.step(line, step).and_then(|()| world.same_reports());
        if let Err(difference) = outcome {
            panic!("{}\n{difference}", path.join("\n"));
        }
        *scripts += 1;
        explore(&world, alphabet, path, left - 1, scripts);
        path.pop();
    }
}

#[test]
fn large_worlds_driven_by_seeds_go_as_the_model_says() {
    for seed in 0..8 {
        let mut random = Rng::with_seed(seed);
        let mut world = World { core: CoreEngine::new(), model: Model::new() };
        let mut last = Vec::new();
        for index in 0..1500 {
            let line = any_line(&mut random, index);
            last.push(line.clone());
            let outcome = world.step(&line, &step(&line)).and_then(|()| match index % 25 {
                0 => world.same_reports(),
                _ => Ok(()),
            });
            if let Err(difference) = outcome {
                let tail = &last[last.len().saturating_sub(30)..];
                panic!("seed {seed}, step {index}:\n{}\n{difference}", tail.join("\n"));
            }
        }
        world.step("history", &step("history")).unwrap();
        world.core.restart();
        world.same_reports().unwrap();
    }
}

/// A line that means something most of the time. Time moves on slowly, and back now and then.
pub(crate) fn any_line(random: &mut Rng, index: usize) -> String {
    let product = |random: &mut Rng| ["0009", "0005", "0007", "0025", "12"][random.usize(..5)];
    if index == 0 || random.u8(..) < 4 {
        let number = ["A", "B"][random.usize(..2)];
        let mut line = format!("license number={number}");
        if index > 0 {
            line += &format!(" replaces={}", ["A", "B"][random.usize(..2)]);
        }
        for product in ["0009", "0005", "0007", "0025"] {
            let some = random.u8(..8);
            line += &match random.u8(..6) {
                0 => String::new(),
                1 => format!(" {product}=unlimited"),
                2 => format!(" {product}={some}@2026-02-{:02}", random.u8(1..28)),
                3 => format!(" {product}={some}+{some}@2026-02-{:02}", random.u8(1..28)),
                _ => format!(" {product}={some}"),
            };
        }
        if random.u8(..8) == 0 {
            line += " expires=2026-02-20";
        }
        return line;
    }
    if random.u8(..) < 6 {
        let day = (1 + index / 60 + random.usize(..3)).min(28);
        return format!("at 2026-02-{day:02}T{:02}:{:02}:30Z", random.u8(..24), random.u8(..60));
    }
    let server = ["", "", "on east ", "on west "][random.usize(..4)];
    let principal = ["", "", "as ann ", "as ann:3 ", "as bob:5 "][random.usize(..5)];
    let session = format!("--session S{}", random.u8(..16));
    let describe = [
        "",
        "",
        " --describe client",
        " --describe client-elsewhere",
        " --describe client-with-token",
        " --describe sql --reason SQL",
    ][random.usize(..6)];
    let command = match random.u8(..16) {
        0..8 => format!("retain --product {} {session}{describe}", product(random)),
        8 => format!("renew {session} --state {}", ["active", "sleeping"][random.usize(..2)]),
        9 => format!("renew {session}"),
        10..13 => format!("release {session} --product {}", product(random)),
        13 => format!("release {session}"),
        14 => format!("release --token {}", 1 + random.usize(..1 + index / 3)),
        _ => format!("available {}", product(random)),
    };
    format!("{server}{principal}{command}")
}

#[derive(Clone)]
struct World {
    core: CoreEngine,
    model: Model,
}

impl World {
    /// Takes one step in both, or says how the answers differ.
    fn step(&mut self, line: &str, step: &Step) -> Result<(), String> {
        let (core, model) =
            (scripts::answer(&mut self.core, step), scripts::answer(&mut self.model, step));
        if core == model {
            Ok(())
        } else {
            Err(format!(
                "{line}\n  core  => {}\n  model => {}",
                core.join("\n           "),
                model.join("\n           ")
            ))
        }
    }

    fn same_reports(&mut self) -> Result<(), String> {
        self.core.recount();
        REPORTS.iter().try_for_each(|(line, step)| self.step(line, step))
    }
}

fn step(line: &str) -> Step {
    Step::parse(line).unwrap_or_else(|| panic!("cannot read `{line}`"))
}

#[test]
fn the_model_answers_every_script_as_written() {
    scripts::run_all(Model::new);
}
