//! What the bytes' validator accepts is valid, and everyone says the same of every document.

use std::{num::NonZeroUsize, thread};

use license_tests::{
    differential::{Subject, Tally, compare, compare_judges, compare_streams},
    hostile::KINDS,
};
use license_types::schemas::Profile;
use license_validate::Judge;

/// Documents that every run makes up; `differential` makes up any number.
const DOCUMENTS: u64 = 200_000;

#[test]
fn made_up_documents_are_judged_alike() {
    let half = DOCUMENTS / 2;
    let run = |seeds| compare(&Subject::all(), seeds).unwrap_or_else(|found| panic!("{found}"));
    let tally = thread::scope(|scope| {
        let other = scope.spawn(|| run(0..half));
        let mut tally = run(half..2 * half);
        tally += other.join().unwrap();
        tally
    });
    println!("{tally}");
    // The comparison is worth nothing unless all kinds of documents are made.
    let Tally { accepted, doubted, invalid, malformed } = tally;
    assert!(accepted > DOCUMENTS / 4 && doubted > DOCUMENTS / 50, "{tally}");
    assert!(invalid > DOCUMENTS / 5 && malformed > DOCUMENTS / 5, "{tally}");
}

#[test]
fn made_up_streams_are_judged_alike() {
    let all = compare_streams(0..3_000).unwrap_or_else(|found| panic!("{found}"));
    assert!(all.valid > 1_000 && all.violations > 1_000 && all.malformed > 1_000, "{all:?}");
}

#[test]
fn hostile_streams_are_judged_alike() {
    for kind in KINDS {
        let mut stream = kind.stream(1000);
        for cut in [stream.len(), stream.len() - 5] {
            stream.truncate(cut);
            for (lines, limit, chunk) in [(false, 1 << 20, 100), (true, 300, 64), (false, 300, 700)]
            {
                let chunk = NonZeroUsize::new(chunk).unwrap();
                let judge = Judge::new(Profile::Observed).lines(lines);
                let judge = judge.record_bytes_max(limit).chunk_bytes(chunk);
                compare_judges(&judge, &stream, 50).unwrap_or_else(|what| {
                    panic!("{} (lines: {lines}, at most {limit}) {what}", kind.name)
                });
            }
        }
    }
}

#[test]
fn oddities_are_judged_as_the_reference_does() {
    let mut subject = None;
    let mut count = 0;
    for (number, line) in include_str!("../data/validate/oddities.txt").lines().enumerate() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let expected = match word {
            "" | "#" => continue,
            "document" => {
                let mut words = rest.splitn(3, ' ');
                let mut word = || words.next().unwrap();
                let (name, profile) = (word(), word().parse::<Profile>().unwrap());
                subject = Some((Subject::new(name, profile), word()));
                continue;
            }
            "accepted" => Tally { accepted: 1, ..Tally::default() },
            "doubted" => Tally { doubted: 1, ..Tally::default() },
            "invalid" => Tally { invalid: 1, ..Tally::default() },
            "malformed" => Tally { malformed: 1, ..Tally::default() },
            other => panic!("line {}: `{other}` is no verdict", number + 1),
        };
        let (subject, document) = subject.as_ref().unwrap();
        let odd = line.get(12..).unwrap_or_default();
        let document = bytes(&document.replacen('@', odd, 1));
        assert_eq!(subject.judge(&document, true), Ok(expected), "line {}: {line}", number + 1);
        count += 1;
    }
    assert!(count > 300, "{count}");
}

#[test]
fn depth_is_judged_as_the_reference_does() {
    let subject = Subject::new("session", Profile::Observed);
    let judge = |depth: usize| {
        let note = ["[".repeat(depth), "]".repeat(depth)].concat();
        let document = format!(
            r#"{{"userName":"","sessionID":"","IPAddress":"","isDatastore":true,"note":{note}}}"#
        );
        subject.judge(document.as_bytes(), true).unwrap()
    };
    assert_eq!(judge(64), Tally { accepted: 1, ..Tally::default() });
    assert_eq!(judge(70), Tally { doubted: 1, ..Tally::default() });
    assert_eq!(judge(126), Tally { doubted: 1, ..Tally::default() });
    assert_eq!(judge(127), Tally { malformed: 1, ..Tally::default() });
    assert_eq!(judge(1_000_000), Tally { malformed: 1, ..Tally::default() });
}

#[test]
fn a_length_is_judged_in_characters() {
    let subject = Subject::new("retain-request", Profile::Documented);
    let session = r#"{"userName":"","sessionID":"","IPAddress":"","isDatastore":true}"#;
    for letter in ["a", "é", "漢", "🎫"] {
        for (length, valid) in [(1023, true), (1024, true), (1025, false)] {
            let reason = letter.repeat(length);
            let document = format!(r#"{{"reason":"{reason}","session":{session}}}"#);
            let tally = subject.judge(document.as_bytes(), true).unwrap();
            assert_eq!((tally.accepted, tally.invalid), (valid.into(), (!valid).into()));
        }
    }
}

/// The bytes that a line means.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}
