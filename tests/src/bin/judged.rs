//! What the figures measure of the validator in a process of its own: instructions, memory and time;
//! and of a server that tells of many retentions: memory.
//!
//! - `judged accept RECORDS ROUNDS` accepts so many records in each round.
//! - `judged judge JOBS file PATH`, `judge JOBS archive LAYOUT BYTES` and `judge JOBS hostile KIND
//!   BYTES` judge a stream with so many threads, and print how many records are valid, the peak of
//!   the memory in kilobytes and the nanoseconds that the first thread ran.
//! - `judge JOBS packed KIND BYTES` has `license validate` judge records that are compressed by gzip or
//!   zstd.
//! - `judged usage COUNT` holds so many retentions and reads them all from a server, and prints the
//!   records that came and the bytes of memory that telling them took beyond what was taken before.
//! - `judged gate` holds against their limits what does not depend on the mood of the machine, and
//!   exits with 1 where one is broken.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement talks to its caller")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write as _},
    net::{TcpListener, TcpStream},
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};
use license_cli::{Env, Exit};
use license_pool::{Pool, SAMPLE_LICENSE, SystemClock};
use license_tests::{
    hostile::KINDS,
    load,
    measure::{self, Archive, LAYOUTS, Taken},
    records::Records,
};
use license_validate::{Judge, Profile, Validator};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;

/// Bytes of a hostile stream, which may be a single record.
const MOST: u32 = 4_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["accept", records, rounds] => accept(records.parse().unwrap(), rounds.parse().unwrap()),
        ["judge", jobs, "file", path] => judge(jobs, File::open(path).unwrap()),
        ["judge", jobs, "archive", layout, bytes] => {
            let (_, layout) = LAYOUTS[layout.parse::<usize>().unwrap()];
            judge(jobs, Archive::new(layout, bytes.parse().unwrap()));
        }
        ["judge", jobs, "hostile", kind, bytes] => {
            let stream = KINDS[kind.parse::<usize>().unwrap()].stream(bytes.parse().unwrap());
            judge(jobs, &stream[..]);
        }
        ["judge", jobs, "packed", packing, bytes] => {
            validate(jobs, Packed::new(packing, bytes.parse().unwrap()));
        }
        ["usage", count] => usage(count.parse().unwrap()),
        ["gate"] => return gate(&std::env::current_exe().unwrap()),
        _ => panic!("see the documentation of this program"),
    }
    ExitCode::SUCCESS
}

fn accept(records: usize, rounds: usize) {
    let validator = Validator::new("retention", Profile::Observed).unwrap();
    let lines = Records::lines(records);
    let lines: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').collect();
    for _ in 0..rounds {
        assert!(lines.iter().all(|line| validator.accepts(line)));
    }
}

fn judge(jobs: &str, stream: impl Read) {
    let judge = Judge::new(Profile::Observed).jobs(jobs.parse::<NonZeroUsize>().unwrap());
    let summary = judge.read(stream, |_| ControlFlow::Continue(())).unwrap();
    tell(summary.valid);
}

/// What the command does with stdin.
fn validate(jobs: &str, mut stream: Packed) {
    let mut stdout = Vec::new();
    let jobs = format!("--jobs={jobs}");
    let exit = license_cli::run(
        ["license", "validate", "-", "--profile=observed", "--summary", "--json", &jobs],
        &mut Env {
            stdin: &mut stream,
            stdout: &mut stdout,
            stderr: &mut io::stderr(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            terminal_width: None,
            variables: BTreeMap::new(),
            directory: PathBuf::new(),
            user_name: String::new(),
            clock: Arc::new(SystemClock),
            stdout_is_read: &|| true,
            wait: &mut |_| ControlFlow::Break(()),
        },
    );
    assert_eq!(exit, Exit::Done);
    let summary: Value = serde_json::from_slice(&stdout).unwrap();
    tell(summary["valid"].as_u64().unwrap());
}

/// Prints how many records are valid, and what that took.
fn tell(valid: u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let times = fs::read_to_string("/proc/self/schedstat").unwrap();
    let time = times.split_whitespace().next().unwrap();
    println!("{valid} {} {time}", peak.trim().trim_end_matches(" kB"));
}

/// Tells of what is held, to somebody who reads it as fast as it comes.
fn usage(count: usize) {
    let pool = Pool::open("memory:").unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    load::hold(&pool, count);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = license_http::start(listener, pool, license_http::Options::new()).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let before = resident();
    stream
        .write_all(
            b"GET /v1/licenses/active/usage?server=all HTTP/1.1\r\nhost: localhost\r\n\
              accept: application/x-ndjson\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
    let (mut records, mut most, mut last) = (0, before, 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        for &byte in &buffer[..read] {
            // A line of HTTP's own ends otherwise.
            records += u64::from((last, byte) == (b'}', b'\n'));
            last = byte;
        }
        most = most.max(resident());
    }
    println!("{records} {}", most - before);
}

/// Bytes of memory that this process has now.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Compressed records, some of them again and again: compressed streams may be put together.
struct Packed {
    some: Vec<u8>,
    taken: usize,
    /// How often they are still to come.
    left: u64,
}

impl Packed {
    /// At least so many bytes, before they were compressed.
    fn new(packing: &str, bytes: u64) -> Packed {
        let lines = Records::lines(10_000);
        let some = match packing {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&lines).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => compress_to_vec(&lines[..], CompressionLevel::Fastest),
            _ => panic!("see the documentation of this program"),
        };
        Packed { some, taken: 0, left: bytes / lines.len() as u64 }
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.some.len() && self.left > 0 {
            (self.taken, self.left) = (0, self.left - 1);
        }
        let count = (&self.some[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// Prints each figure with its limit, and whether all are kept.
fn gate(judged: &Path) -> ExitCode {
    let mut kept = true;
    let mut check = |what: &str, value: f64, limit: f64, unit: &str| {
        let word = if value <= limit { "kept" } else { "BROKEN" };
        kept &= value <= limit;
        println!("{word:6} {value:9.1} {unit:12} of {limit:6} {what}");
    };
    match measure::instructions(judged) {
        Some((instructions, bytes)) => {
            let what = format!("to accept a record of {bytes:.0} bytes (P13)");
            check(&what, instructions, 4500.0, "instructions");
        }
        None => {
            let required = std::env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|it| it == "1");
            assert!(!required, "valgrind counts the instructions, and cannot be started");
            println!("NOT MEASURED: valgrind cannot be started");
        }
    }
    for (index, (layout, _)) in LAYOUTS.iter().enumerate() {
        for jobs in ["1", "2"] {
            let bytes = ["archive", &index.to_string(), "1000000000"];
            let taken = measure::judge(judged, &[&[jobs][..], &bytes].concat());
            assert!(taken.valid > 2_000_000, "{taken:?}");
            let what = format!("at the most for 1 GB of {layout}, {jobs} jobs (P14)");
            check(&what, taken.megabytes, 64.0, "MB");
        }
    }
    for packing in ["gzip", "zstd"] {
        let taken = measure::judge(judged, &["2", "packed", packing, "1000000000"]);
        assert!(taken.valid > 2_000_000, "{taken:?}");
        let what = format!("at the most for 1 GB packed by {packing}, `license validate` (P14)");
        check(&what, taken.megabytes, 64.0, "MB");
    }
    let told = Command::new(judged).args(["usage", "1000000"]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let (records, bytes) = told.trim().split_once(' ').unwrap();
    assert_eq!(records, "1000000", "{told}");
    let megabytes = bytes.parse::<f64>().unwrap() / f64::from(1 << 20);
    check("more while a server tells of a million retentions (P9)", megabytes, 16.0, "MiB");
    for (index, kind) in KINDS.iter().enumerate() {
        let index = index.to_string();
        let taken = |jobs, bytes: u32| -> Taken {
            measure::judge(judged, &[jobs, "hostile", &index, &bytes.to_string()])
        };
        let [one, eight] = [taken("1", MOST / 8), taken("1", MOST)];
        // What takes next to nothing is no measure: a millisecond is added to both.
        let growth = (eight.seconds + 1e-3) / (one.seconds + 1e-3) / 8.0;
        let what = format!("times as long for each byte of eight times as many: {}", kind.name);
        check(&what, growth, 2.5, "");
        let megabytes = f64::from(MOST) / 1e6;
        let limit = if kind.is_one_record { 64.0 + 150.0 * megabytes } else { 64.0 + megabytes };
        let peak = eight.megabytes.max(taken("2", MOST).megabytes);
        check(&format!("at the most for {megabytes} MB: {}", kind.name), peak, limit, "MB");
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
