//! Streams of records: judged the same with the shortcut of bytes and without it.

use std::{
    io::{self, Read},
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
        // Rules need the tree, so that with an empty list of them every record takes the long way.
        let slow = judge.clone().rules(Rules::only(jiff::civil::date(2026, 1, 5), []));
        let piece = rng.usize(1..=stream.len().max(1));
        let (told, summary) = told(&judge, &stream, piece);
        let expected = self::told(&slow, &stream, piece);
        if (&told, summary) != (&expected.0, expected.1) {
            let what = format!("gives {told:?}, {summary:?}; {expected:?} were expected");
            return Err(Disagreement { seed, what, document: stream });
        }
        all += summary;
    }
    Ok(all)
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
    (notices, summary.unwrap())
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
