//! Validation: bytes in, verdict out, against building a tree and judging that with `jsonschema`.
//!
//! Both sides have the same bytes in memory, one thread, formats asserted, and judge record by
//! record. Where one record in a hundred is invalid, both collect what is wrong with it; and what
//! is told of the stream is compared with what the long way tells.

#![allow(clippy::print_stderr, reason = "a measurement that is left out says so")]

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufWriter},
    num::NonZeroUsize,
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use license_tests::{
    measure::{self, Archive, LAYOUTS},
    records::Records,
};
use license_types::schemas;
use license_validate::{Judge, Notice, Profile, Validator, rules::Rules};
use serde_json::Value;

use crate::figure::{Bound, Figure, median};

const JUDGED: &str = env!("CARGO_BIN_EXE_judged");
const RECORDS: usize = 50_000;
const ROUNDS: usize = 7;

/// P12: throughput.
pub(crate) fn measure_throughput(report: &mut dyn FnMut(Figure)) {
    let valid = Records::lines(RECORDS);
    let broken = broken(&valid);
    assert_same_errors(&broken);
    let schema = schemas::text("retention", Profile::Observed).unwrap();
    let schema: Value = serde_json::from_str(schema).unwrap();
    let reference = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let validator = Validator::new("retention", Profile::Observed).unwrap();
    let parse = |line: &[u8]| serde_json::from_slice::<Value>(line).unwrap();

    let mut parsed = Side::default();
    let mut judged = [Side::default(), Side::default()];
    let mut streamed = [Side::default(), Side::default()];
    let mut yardstick = [Side::default(), Side::default()];
    for _ in 0..ROUNDS {
        parsed.time(&valid, |line| parse(line).is_object());
        yardstick[0].time(&valid, |line| reference.is_valid(&parse(line)));
        yardstick[1].time(&broken, |line| {
            let value = parse(line);
            let errors: Vec<String> =
                reference.iter_errors(&value).map(|error| error.to_string()).collect();
            black_box(errors).is_empty()
        });
        for (index, lines) in [&valid, &broken].into_iter().enumerate() {
            judged[index].time(lines, |line| validator.check(line).unwrap().is_empty());
            streamed[index].time_all(lines, || {
                let judge = Judge::new(Profile::Observed).jobs(NonZeroUsize::MIN);
                let told = |notice| {
                    black_box(notice);
                    ControlFlow::Continue(())
                };
                judge.read(lines.as_slice(), told).unwrap().valid
            });
        }
    }
    let words = [("all valid", 6.0, "is_valid"), ("1 % invalid, errors identical", 4.0, "errors")];
    for (index, (of, bound, how)) in words.into_iter().enumerate() {
        let reference = yardstick[index].speed();
        for (what, side) in
            [("record by record", &judged[index]), ("as a stream", &streamed[index])]
        {
            report(Figure {
                goal: "P12",
                part: format!("{of}, {what}: {:.0} MB/s ÷ tree + jsonschema", side.speed()),
                value: side.speed() / reference,
                bound: Some(Bound::AtLeast(bound)),
                yardstick: format!("{reference:.0} MB/s: serde_json::Value + jsonschema's {how}"),
                unit: "ratio",
            });
        }
    }
    report(Figure {
        goal: "P12",
        part: "all valid, record by record ÷ parsing alone".to_owned(),
        value: judged[0].speed() / parsed.speed(),
        bound: None,
        yardstick: format!("{:.0} MB/s: serde_json::Value", parsed.speed()),
        unit: "ratio",
    });
}

/// P13: instructions, which do not depend on the machine's mood.
pub(crate) fn measure_instructions(report: &mut dyn FnMut(Figure)) {
    let Some((instructions, bytes)) = measure::instructions(Path::new(JUDGED)) else {
        eprintln!("P13 is left out: `valgrind` cannot be started");
        return;
    };
    report(Figure {
        goal: "P13",
        part: format!("generated validator, one record of {bytes:.0} bytes"),
        value: instructions,
        bound: Some(Bound::AtMost(4500.0)),
        yardstick: "none: callgrind counts, start-up subtracted".to_owned(),
        unit: "instr.",
    });
}

/// P14: peak memory.
pub(crate) fn measure_memory(report: &mut dyn FnMut(Figure)) {
    const BYTES: u64 = 1_000_000_000;
    let directory = tempfile::tempdir().unwrap();
    for (name, layout) in LAYOUTS {
        let file = directory.path().join("usage.json");
        let mut archive = Archive::new(layout, BYTES);
        io::copy(&mut archive, &mut BufWriter::new(File::create(&file).unwrap())).unwrap();
        for jobs in ["1", "2"] {
            let taken = measure::judge(Path::new(JUDGED), &[jobs, "file", file.to_str().unwrap()]);
            assert_eq!(taken.valid, archive.made());
            report(Figure {
                goal: "P14",
                part: format!("peak memory judging 1 GB of {name}, {jobs} jobs"),
                value: taken.megabytes,
                bound: Some(Bound::AtMost(64.0)),
                yardstick: "none: the peak resident memory of a process".to_owned(),
                unit: "MB",
            });
        }
    }
}

/// One of the sides that are compared: seconds of each round.
#[derive(Default)]
struct Side {
    bytes: usize,
    seconds: Vec<f64>,
}

impl Side {
    fn time(&mut self, lines: &[u8], is_valid: impl Fn(&[u8]) -> bool) {
        let records: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').collect();
        self.time_all(lines, || records.iter().filter(|line| is_valid(line)).count() as u64);
    }

    fn time_all(&mut self, lines: &[u8], count_valid: impl FnOnce() -> u64) {
        let start = Instant::now();
        let valid = count_valid();
        self.seconds.push(start.elapsed().as_secs_f64());
        self.bytes = lines.len();
        assert!(valid as usize >= RECORDS / 100 * 99);
    }

    /// Megabytes a second.
    fn speed(&self) -> f64 {
        self.bytes as f64 / median(self.seconds.clone()) / 1e6
    }
}

/// The same records, one in a hundred with a fault.
fn broken(lines: &[u8]) -> Vec<u8> {
    let mut broken = Vec::with_capacity(lines.len());
    for (index, line) in lines.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let line = str::from_utf8(line).unwrap();
        let line = match index % 400 {
            0 => line.replacen("\"token\":", "\"token\":-", 1),
            100 => line.replacen("\"time\":\"2024-", "\"time\":\"2024/", 1),
            200 => line.replacen("\"userName\":", "\"user\":", 1),
            300 => line.replacen("\"IPAddress\":\"", "\"IPAddress\":null,\"x\":\"", 1),
            _ => line.to_owned(),
        };
        broken.extend_from_slice(line.as_bytes());
    }
    broken
}

/// What is told of a stream is what the long way tells: with rules, if only an empty list of them,
/// every record becomes a tree and is judged by the reference.
fn assert_same_errors(lines: &[u8]) {
    let told = |judge: Judge| {
        let mut violations = Vec::new();
        judge
            .read(lines, |notice| {
                if let Notice::Violation(violation) = notice {
                    violations.push(violation);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        violations
    };
    let short = told(Judge::new(Profile::Observed));
    let rules = Rules::only(jiff::civil::date(2026, 1, 5), []);
    assert_eq!(short, told(Judge::new(Profile::Observed).rules(rules)));
    assert!(short.len() >= RECORDS / 100);
}
