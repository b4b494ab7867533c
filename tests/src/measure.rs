//! What is measured of the validator in processes of their own (`bin/judged.rs`), for the figures
//! and for the gate that CI keeps.

use std::{
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

use crate::records::Records;

/// Instructions to accept one record, start-up subtracted, and the bytes of one; `None` without
/// valgrind.
pub fn instructions(judged: &Path) -> Option<(f64, f64)> {
    const RECORDS: u32 = 1000;
    const ROUNDS: u32 = 11;
    let (one, more) = (callgrind(judged, 1)?, callgrind(judged, ROUNDS)?);
    let bytes = Records::lines(RECORDS as usize).len();
    let each = |all: f64| all / f64::from(RECORDS);
    return Some((each((more - one) / f64::from(ROUNDS - 1)), each(bytes as f64)));

    fn callgrind(judged: &Path, rounds: u32) -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(judged)
            .args(["accept", &RECORDS.to_string(), &rounds.to_string()])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let told = String::from_utf8_lossy(&output.stderr);
        let refs = told.lines().find_map(|line| line.split_once("refs:"))?.1;
        refs.replace(',', "").trim().parse().ok()
    }
}

/// What a process found that judged a stream, and what it took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Valid records.
    pub valid: u64,
    /// The peak of its resident memory.
    pub megabytes: f64,
    /// Time that its first thread was on a processor.
    pub seconds: f64,
}

/// Has a process judge a stream; see `judged` for its arguments.
pub fn judge(judged: &Path, arguments: &[&str]) -> Taken {
    let output = Command::new(judged).arg("judge").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "judging {arguments:?} ended by {}: {said}", output.status);
    let told = String::from_utf8(output.stdout).unwrap();
    let mut numbers = told.split_whitespace().map(|word| word.parse::<f64>().unwrap());
    let mut number = || numbers.next().unwrap();
    Taken { valid: number() as u64, megabytes: number() / 1e3, seconds: number() / 1e9 }
}

/// How the records of an archive are laid out: what is before the first, between two, and behind
/// the last.
pub const LAYOUTS: [(&str, [&str; 3]); 2] =
    [("NDJSON", ["", "\n", "\n"]), ("an array", ["[\n", ",\n", "\n]\n"])];

/// An archive that is made while it is read.
pub struct Archive {
    layout: [&'static str; 3],
    records: Records,
    /// Bytes that are still to be made, at least.
    left: u64,
    made: u64,
    now: Vec<u8>,
    taken: usize,
}

impl Archive {
    /// Valid records of at least so many bytes.
    pub fn new(layout: [&'static str; 3], bytes: u64) -> Archive {
        let records = Records::new();
        Archive { layout, records, left: bytes, made: 0, now: Vec::new(), taken: 0 }
    }

    /// Records that were made.
    pub fn made(&self) -> u64 {
        self.made
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.now.len() && self.left > 0 {
            let [before, between, after] = self.layout;
            (self.taken, self.made) = (0, self.made + 1);
            self.now.clear();
            self.now.extend_from_slice(if self.made == 1 { before } else { between }.as_bytes());
            self.records.write(&mut self.now)?;
            self.left = self.left.saturating_sub(self.now.len() as u64);
            if self.left == 0 {
                self.now.extend_from_slice(after.as_bytes());
            }
        }
        let count = (&self.now[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}
