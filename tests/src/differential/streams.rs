//! Streams of records: judged the same with the shortcut of bytes and without it, and by any number
//! of threads.

use std::{
    io::{self, Read},
    num::NonZeroUsize,
    ops::ControlFlow,
};

use fastrand::Rng;
use license_types::schemas::Profile;
use license_validate::{Judge, Notice, Summary, rules::Rules};

use super::{Disagreement, Subject, damage, document};

/// Makes a stream from each of the seeds and has it judged both ways; how many records were valid.
///
/// # Errors
/// The first one of which more or less is said with the shortcut.
pub fn compare_streams(seeds: impl IntoIterator<Item = u64>) -> Result<Summary, Disagreement> {
    let records = Profile::ALL.map(|profile| Subject::new("retention", profile));
    let mut all = Summary::default();
    for seed in seeds {
        let mut rng = Rng::with_seed(seed);
        let subject = rng.choice(&records).unwrap();
        let (stream, lines) = stream(subject, &mut rng);
        let judge = Judge::new(subject.profile).lines(lines);
        let judge = match rng.u8(..3) {
            0 => judge.schema("license-usage").unwrap(),
            1 => judge.schema("retention").unwrap(),
            _ => judge,
        };
        let judge =
            judge.record_bytes_max(if rng.u8(..4) > 0 { 1 << 20 } else { rng.usize(100..1000) });
        let judge = judge.chunk_bytes(NonZeroUsize::new(rng.usize(1..1500)).unwrap());
        let piece = rng.usize(1..=stream.len().max(1));
        let summary = match compare_judges(&judge, &stream, piece) {
            Ok(summary) => summary,
            Err(what) => return Err(Disagreement { seed, what, document: stream }),
        };
        all += summary;
    }
    Ok(all)
}

/// Has a stream judged as it is, by several threads, and without the shortcut; it arrives in pieces.
///
/// # Errors
/// What is told otherwise by one of them.
pub fn compare_judges(judge: &Judge, stream: &[u8], piece: usize) -> Result<Summary, String> {
    let found = told(judge, stream, piece);
    // Rules need the tree, so that with an empty list of them every record takes the long way.
    let slow = judge.clone().rules(Rules::only(jiff::civil::date(2026, 1, 5), []));
    let threads = judge.clone().jobs(const { NonZeroUsize::new(2).unwrap() });
    for (how, other) in [("without the shortcut", slow), ("by two threads", threads)] {
        let other = told(&other, stream, piece);
        if found != other {
            return Err(format!("gives {found:?}; {how} {other:?}"));
        }
    }
    Ok(found.1)
}

fn stream(subject: &Subject, rng: &mut Rng) -> (Vec<u8>, bool) {
    let count = rng.usize(..6);
    let records: Vec<Vec<u8>> = (0..count).map(|_| document(subject, rng)).collect();
    let (mut stream, lines) = match rng.u8(..4) {
        0 => (records.join(&b"\n"[..]), true),
        1 => (records.join(&b"\r\n"[..]), false),
        2 => (records.join(&b" "[..]), false),
        _ => ([b"[", records.join(&b",\n"[..]).as_slice(), b"]\n"].concat(), false),
    };
    if rng.bool() {
        stream.push(b'\n');
    }
    if rng.u8(..4) == 0 {
        damage::damage(&mut stream, rng);
    }
    (stream, lines)
}

/// What a judge tells of a stream that arrives in pieces.
fn told(judge: &Judge, stream: &[u8], piece: usize) -> (Vec<Notice>, Summary) {
    let mut notices = Vec::new();
    let summary = judge.read(Pieces(stream, piece), |notice| {
        if !matches!(notice, Notice::Progress { .. }) {
            notices.push(notice);
        }
        ControlFlow::Continue(())
    });
    // How far it was read before it was given up depends on the size of blocks.
    (notices, Summary { bytes: 0, ..summary.unwrap() })
}

/// Gives at most so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}
