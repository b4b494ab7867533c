//! What the figures measure in a process of its own: instructions, and peak memory.
//!
//! `measured accept RECORDS ROUNDS` accepts so many records in each round; `measured judge FILE
//! JOBS` judges a stream with so many threads, and prints how many records are valid and the peak of
//! its memory in kilobytes.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement talks to its caller")]

use std::{fs, fs::File, num::NonZeroUsize, ops::ControlFlow};

use license_tests::records::Records;
use license_validate::{Judge, Profile, Validator};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["accept", records, rounds] => accept(records.parse().unwrap(), rounds.parse().unwrap()),
        ["judge", file, jobs] => judge(file, jobs.parse().unwrap()),
        _ => panic!("see the documentation of this program"),
    }
}

fn accept(records: usize, rounds: usize) {
    let validator = Validator::new("retention", Profile::Observed).unwrap();
    let lines = Records::lines(records);
    let lines: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').collect();
    for _ in 0..rounds {
        assert!(lines.iter().all(|line| validator.accepts(line)));
    }
}

fn judge(file: &str, jobs: NonZeroUsize) {
    let summary = Judge::new(Profile::Observed)
        .jobs(jobs)
        .read(File::open(file).unwrap(), |_| ControlFlow::Continue(()))
        .unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{} {}", summary.valid, peak.trim().trim_end_matches(" kB"));
}
