//! Streams: the schema is told by shape, records are judged one by one, and memory stays.

use std::{
    io::{self, Read},
    ops::ControlFlow,
};

use license_validate::{Judge, Notice, Profile, Summary};

use super::told;

const RECORD: &str = r#"{"productId": 1, "productName": "", "productUsedCount": 1, "productBalance": 0, "token": 1, "time": "2021-12-01T15:36Z", "reason": "", "session": {"IPAddress": "", "userAgent": "", "userName": "", "userId": 1}}"#;
const INFO: &str = r#"{"name": "", "licenseNumber": "", "version": "", "userName": "", "userMail": "", "companyName": "", "platforms": [], "products": []}"#;

fn observed() -> Judge {
    Judge::new(Profile::Observed)
}

#[test]
fn the_shape_of_a_document_tells_its_schema() {
    for valid in ["[]", "null", INFO, &format!("[{RECORD}]")] {
        assert_eq!(told(&observed(), valid).0, [""; 0], "{valid}");
    }
    let unknown = "1:1 nothing tells which schema judges this document: it is no array and has no \
                   `products`; name its schema with --schema";
    for document in [RECORD, "7", "\"x\"", "{}"] {
        let (lines, summary) = told(&observed(), document);
        assert_eq!(lines, [unknown], "{document}");
        assert_eq!((summary.records, summary.malformed), (0, 1));
    }
    let named = observed().schema("retention").unwrap();
    assert_eq!(told(&named, RECORD).0, [""; 0]);
    let named = observed().schema("license-info").unwrap();
    assert_eq!(told(&named, "[]").0, ["1:1  /type: an array is neither null nor an object"]);
}

#[test]
fn several_values_are_judged_as_records() {
    let pretty = RECORD.replace(", ", ",\n  ");
    let text = format!("{RECORD}\n{pretty}\n\n{INFO}{RECORD}");
    for judge in [observed(), observed().schema("license-usage").unwrap()] {
        let (lines, summary) = told(&judge, &text);
        let infos = lines.iter().filter(|line| line.contains("\"productId\" is missing")).count();
        // With its schema named, an info is no retention.
        assert_eq!((infos, summary.records), (lines.len().min(1), 4));
    }
    assert_eq!(told(&observed(), &text).1.valid, 4);

    let (lines, _) = told(&observed(), format!("[{RECORD}]\n{RECORD}\nnull"));
    assert_eq!(
        lines,
        ["1:1  /type: an array is not an object", "3:1  /type: null is not an object"]
    );
}

#[test]
fn one_line_is_a_record_where_lines_are_asked_for() {
    assert_eq!(told(&observed().lines(true), RECORD).0, [""; 0]);
    assert_eq!(told(&observed().lines(true), INFO).0, [""; 0]);
    assert_eq!(told(&observed().lines(true), "[]").0, ["1:1  /type: an array is not an object"]);
    assert_eq!(told(&observed().lines(true), "").1, Summary::default());
}

#[test]
fn a_malformed_line_is_told_and_the_others_are_judged() {
    let wrong = RECORD.replace("\"token\": 1", "\"token\": 0");
    let text = format!("{RECORD}\n{{\"productId\": 1,\n{wrong}\n{RECORD}\n");
    for lines in [true, false] {
        let (lines, summary) = told(&observed().lines(lines), &text);
        assert_eq!(
            lines,
            [
                "2:16 a value is cut off here; correct the JSON here",
                "3:90 /token /$defs/Token/minimum: 0 is less than the minimum of 1",
            ]
        );
        let Summary { records, valid, violations, malformed, disagreements, bytes } = summary;
        assert_eq!(disagreements, 0);
        assert_eq!((records, valid, violations, malformed), (3, 2, 1, 1));
        assert_eq!(bytes, text.len() as u64);
    }
}

#[test]
fn malformed_input_is_told_with_its_place_and_cure() {
    let utf8 = "save the file as UTF-8";
    for (text, expected) in [
        (
            &b""[..],
            "1:1 the input is empty; write a JSON document; a report of nothing is `[]` or `null`"
                .to_owned(),
        ),
        (b"\xff\xfe[\0]\0", format!("1:1 the input is UTF-16 or UTF-32; {utf8}")),
        (b"[\"a\xff\"]", format!("1:4 the bytes here are not UTF-8; {utf8}")),
        (
            b"[1e400]",
            "1:6 the number is out of range; write a number that a double can hold".to_owned(),
        ),
        (b"null ]", "1:6 trailing characters; correct the JSON here".to_owned()),
        (
            &[b'['; 200],
            "1:128 arrays and objects are nested more than 127 deep; flatten the value".to_owned(),
        ),
    ] {
        let (lines, summary) = told(&observed(), text);
        assert_eq!((&lines[..], summary.malformed), (&[expected][..], 1));
    }
}

#[test]
fn an_array_of_any_length_is_judged_element_by_element() {
    let wrong = RECORD.replace("\"userId\": 1", "\"userId\": null");
    let count = 12_345;
    let reader = (0..count)
        .map(|index| format!("{}{}\n", if index == 0 { "[" } else { "," }, RECORD))
        .chain([format!(",{wrong}]")]);
    let mut found = Vec::new();
    let reader = Texts { texts: reader, now: Vec::new() };
    let summary = observed()
        .record_bytes_max(1000)
        .read(reader, |notice| {
            if let Notice::Violation(it) = notice {
                found.push((it.instance_path, it.line.get(), it.column.get(), it.shape));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let shape = Some("SqlSession".to_owned());
    assert_eq!(found, [("/12345/session/userId".to_owned(), 12_346, 209, shape)]);
    assert_eq!((summary.records, summary.valid), (12_346, 12_345));
}

#[test]
fn fifty_megabytes_of_ndjson_are_judged_with_progress() {
    let record = RECORD.replacen("\"\"", &format!("{:?}", "x".repeat(50_000)), 1) + "\n";
    let length = record.len() as u64;
    let wrong = record.replace("\"token\": 1", "\"token\": 0");
    let reader = (0..1_000).map(|index| if index == 900 { &wrong } else { &record }.clone());
    let reader = Texts { texts: reader, now: Vec::new() };
    let mut lines = Vec::new();
    let mut progress = vec![0];
    let summary = observed()
        .lines(true)
        .record_bytes_max(60_000)
        .read(reader, |notice| {
            match notice {
                Notice::Violation(it) => lines.push(it.line.get()),
                Notice::Malformed(_) | Notice::Disagreement { .. } => panic!("{notice:?}"),
                Notice::Progress { bytes } => progress.push(bytes),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((summary.records, summary.valid, summary.bytes), (1_000, 999, 1_000 * length));
    assert_eq!(lines, [901]);
    assert!(progress.is_sorted_by(|before, after| before < after));
    assert!(progress.windows(2).all(|pair| pair[1] - pair[0] < 200_000));
    assert_eq!(*progress.last().unwrap(), summary.bytes);
}

#[test]
fn who_has_heard_enough_of_the_progress_ends_the_reading() {
    let records = format!("{RECORD}\n").repeat(10_000);
    let summary = observed().read(records.as_bytes(), |notice| match notice {
        Notice::Progress { .. } => ControlFlow::Break(()),
        Notice::Violation(_) | Notice::Malformed(_) | Notice::Disagreement { .. } => {
            panic!("{notice:?}")
        }
    });
    assert!(summary.unwrap().records < 10_000);
}

#[test]
fn values_are_masked_in_streams_too() {
    let wrong = RECORD.replace("\"token\": 1", "\"token\": -77");
    let (lines, _) = told(&observed().masked(true), format!("[{wrong}]"));
    let sentence = "a number is less than the minimum of 1";
    assert_eq!(lines, [format!("1:91 /0/token /$defs/Token/minimum: {sentence}")]);
}

#[test]
fn reading_ends_where_it_is_broken_off() {
    let text = "1\n".repeat(1000);
    let mut told = 0;
    let summary = observed()
        .lines(true)
        .read(text.as_bytes(), |_| {
            told += 1;
            if told == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((told, summary.records), (4, 3)); // one of them is progress
}

#[test]
fn a_reader_that_fails_is_no_end_of_the_input() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    for lines in [true, false] {
        let reader = "[1,".as_bytes().chain(Failing);
        let error = observed().lines(lines).read(reader, |_| ControlFlow::Continue(()));
        assert_eq!(error.unwrap_err().to_string(), "the disk is gone");
    }
}

/// A stream that is made while it is read.
struct Texts<T> {
    texts: T,
    now: Vec<u8>,
}

impl<T: Iterator<Item = String>> Read for Texts<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.now.is_empty() {
            self.now = self.texts.next().unwrap_or_default().into_bytes();
        }
        let count = self.now.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.now[..count]);
        self.now.drain(..count);
        Ok(count)
    }
}
