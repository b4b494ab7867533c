//! Streams are cut the same however their bytes arrive, and broken parts lose no others.

use std::io::{self, Read};

use super::*;
use crate::text;

const DOCUMENT: Cut = Cut { lines: false, elements: true, limit: 1000 };
const WHOLE: Cut = Cut { elements: false, ..DOCUMENT };
const LINES: Cut = Cut { lines: true, ..DOCUMENT };

/// Gives as many bytes at a time as it is told.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

fn units(text: &[u8], cut: Cut, piece: usize) -> Vec<String> {
    let mut units = Units::new(Pieces(text, piece), cut);
    let mut found = Vec::new();
    while let Some(unit) = units.next().unwrap() {
        // What is cut must be read too: some faults only the parser finds.
        let unit = unit.and_then(|unit| text::parse(units.text(), unit.place).map(|_| unit));
        found.push(match unit {
            Ok(Unit { role, place: Place { line, column } }) => {
                let text = String::from_utf8_lossy(units.text());
                format!("{line}:{column} {role:?} {}", text.trim())
            }
            Err(Malformed { line, column, problem }) => format!("{line}:{column} ! {problem}"),
        });
    }
    found
}

#[track_caller]
fn check(cut: Cut, text: impl AsRef<[u8]>, expected: &[&str]) {
    let text = text.as_ref();
    for piece in [65536, 7, 3, 1] {
        assert_eq!(units(text, cut, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn one_value_is_a_document() {
    check(DOCUMENT, "{\"a\": [1]}\n", &["1:1 Document {\"a\": [1]}"]);
    check(DOCUMENT, " \n  null", &["2:3 Document null"]);
    check(DOCUMENT, "1.0e3", &["1:1 Document 1.0e3"]);
    check(WHOLE, "[1, 2] ", &["1:1 Document [1, 2]"]);
}

#[test]
fn a_byte_order_mark_is_skipped_and_takes_no_column() {
    check(DOCUMENT, "\u{feff}{}", &["1:1 Document {}"]);
    check(LINES, "\u{feff}{}", &["1:1 Record {}"]);
    check(DOCUMENT, "\u{feff}", &["1:1 ! the input is empty"]);
    for mark in [&b"\xff\xfe[\0]\0"[..], b"\xfe\xff\0[\0]", b"\xff\xfe"] {
        check(DOCUMENT, mark, &["1:1 ! the input is UTF-16 or UTF-32"]);
        check(LINES, mark, &["1:1 ! the input is UTF-16 or UTF-32"]);
    }
}

#[test]
fn an_array_is_cut_into_elements() {
    check(DOCUMENT, "[]", &[]);
    check(DOCUMENT, "[ ]\n", &[]);
    check(
        DOCUMENT,
        "[1,\n {\"a\": \"]\"} , [[]],\"\\\"\"\n]",
        &["1:2 Element(0) 1", "2:2 Element(1) {\"a\": \"]\"}", "2:15 Element(2) [[]]", {
            "2:20 Element(3) \"\\\"\""
        }],
    );
}

#[test]
fn a_broken_array_is_told_at_its_place() {
    check(DOCUMENT, "[", &["1:2 ! a value is cut off here"]);
    check(
        DOCUMENT,
        "[1",
        &["1:2 Element(0) 1", "1:3 ! the array that begins on line 1 is not closed"],
    );
    check(DOCUMENT, "[1,", &["1:2 Element(0) 1", "1:4 ! a value is cut off here"]);
    check(DOCUMENT, "[1,]", &["1:2 Element(0) 1", "1:4 ! trailing comma"]);
    check(DOCUMENT, "[,1]", &["1:2 ! expected value"]);
    check(DOCUMENT, "[1 2]", &["1:2 Element(0) 1", "1:4 ! expected `,` or `]`"]);
    check(DOCUMENT, "[1}", &["1:2 Element(0) 1", "1:3 ! expected `,` or `]`"]);
    check(DOCUMENT, "[{]", &["1:3 ! key must be a string"]);
    check(DOCUMENT, "[1] ]", &["1:2 Element(0) 1", "1:5 ! trailing characters"]);
    check(DOCUMENT, "[tru, 2]", &["1:4 ! a value is cut off here", "1:7 Element(1) 2"]);
}

#[test]
fn several_values_are_records() {
    check(DOCUMENT, "{} {}", &["1:1 Record {}", "1:4 Record {}"]);
    check(DOCUMENT, "null\nnull\n", &["1:1 Record null", "2:1 Record null"]);
    check(
        DOCUMENT,
        "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}{}",
        &["1:1 Record {\n  \"a\": 1\n}", "4:1 Record {\n  \"a\": 2\n}", "6:2 Record {}"],
    );
    check(DOCUMENT, "[1]\n{}", &["1:2 Element(0) 1", "1:1 Record []", "2:1 Record {}"]);
    check(WHOLE, "[1]\n{}", &["1:1 Record [1]", "2:1 Record {}"]);
}

#[test]
fn each_line_is_a_record() {
    check(LINES, "", &[]);
    check(LINES, "\n \r\n", &[]);
    check(LINES, "{}\r\n\n[1]\n  2", &["1:1 Record {}", "3:1 Record [1]", "4:1 Record 2"]);
    check(
        LINES,
        "{}\n{\"a\":\n{}\n{} {}\n\"b\n{}\n",
        &[
            "1:1 Record {}",
            "2:5 ! a value is cut off here",
            "3:1 Record {}",
            "4:4 ! trailing characters",
            "5:2 ! a string is cut off here",
            "6:1 Record {}",
        ],
    );
}

#[test]
fn a_broken_record_loses_no_other() {
    let broken = [
        ("{\"a\":", "2:5 ! a value is cut off here"),
        ("{\"a\": 1", "2:7 ! an object is cut off here"),
        ("{\"a\": 1]", "2:8 ! expected `,` or `}`"),
        ("{\"a\": \"b}", "2:10 ! control character (\\u0000-\\u001F) found while parsing a string"),
        ("{\"a\": tru}", "2:10 ! expected ident"),
        ("{\"a\": 1}}", ""),
        ("}", "2:1 ! expected value"),
        ("nul", "2:3 ! a value is cut off here"),
        ("{“a”: 1}", "2:2 ! key must be a string"),
    ];
    for (line, expected) in broken {
        let text = format!("{{}}\n{line}\n{{\"b\": 2}}\n{{}}\n");
        let mut all = vec!["1:1 Record {}", expected, "3:1 Record {\"b\": 2}", "4:1 Record {}"];
        if expected.is_empty() {
            all.splice(1..2, ["2:1 Record {\"a\": 1}", "2:9 ! expected value"]);
        }
        check(DOCUMENT, &text, &all);
    }
}

#[test]
fn a_first_line_that_is_broken_leaves_the_others() {
    check(
        DOCUMENT,
        "{\"a\": 1\n{}\n{}",
        &["1:7 ! an object is cut off here", "2:1 Record {}", "3:1 Record {}"],
    );
    check(DOCUMENT, "x\n{}\n", &["1:1 ! expected value", "2:1 Record {}"]);
}

#[test]
fn a_broken_document_is_told_once() {
    check(DOCUMENT, "{\n  \"a\": 1\n  \"b\": {}\n}\n", &["3:3 ! expected `,` or `}`"]);
    check(DOCUMENT, "{\n\"a\": 1\n\"b\":\n{}\n}\n", &["3:1 ! expected `,` or `}`"]);
    check(DOCUMENT, "{\"a\": [\n{\"b\": 1}\n{\"b\": 2}\n]}", &["3:1 ! expected `,` or `]`"]);
    check(DOCUMENT, "{\n  \"a\": ", &["2:7 ! a value is cut off here"]);
    check(DOCUMENT, "{} }", &["1:4 ! trailing characters"]);
}

#[test]
fn a_broken_value_that_spans_lines_loses_no_other() {
    check(
        DOCUMENT,
        "{}\n{\n  \"a\": 1,\n}\n{\n  \"b\": 2\n}\n",
        &["1:1 Record {}", "4:1 ! trailing comma", "5:1 Record {\n  \"b\": 2\n}"],
    );
    // What follows it and begins like no record is part of it.
    check(
        DOCUMENT,
        "{}\n{\"a\": 1,\nx\n{\"b\": 2}\n",
        &["1:1 Record {}", "3:1 ! key must be a string", "4:1 Record {\"b\": 2}"],
    );
}

#[test]
fn columns_of_faults_count_characters() {
    check(DOCUMENT, "{\"é漢\": x}", &["1:8 ! expected value"]);
    check(DOCUMENT, b"{\"\xc3\xa9\": \"\xff\"}", &["1:8 ! the bytes here are not UTF-8"]);
    check(LINES, b"1\n\"\xc3\xa9\xc3\"", &["1:1 Record 1", "2:3 ! the bytes here are not UTF-8"]);
}

#[test]
fn numbers_beyond_a_double_are_told() {
    check(DOCUMENT, "{\"a\": 1e400}", &["1:11 ! the number is out of range"]);
}

#[test]
fn nesting_is_limited_for_the_whole_document() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let too_deep = "1:128 ! arrays and objects are nested more than 127 deep";
    for cut in [WHOLE, LINES, DOCUMENT] {
        assert_eq!(units(nested(127).as_bytes(), cut, 65536).len(), 1);
        assert!(!units(nested(127).as_bytes(), cut, 65536)[0].contains('!'));
        check(cut, nested(128), &[too_deep]);
    }
    let deep = nested(100_000);
    let cut = Cut { limit: usize::MAX, ..DOCUMENT };
    assert_eq!(units(deep.as_bytes(), cut, 65536), [too_deep]);
}

#[test]
fn a_record_beyond_the_limit_is_told_and_left_out() {
    let large = format!("\"{}\"", "x".repeat(1000));
    let told =
        |place: &str| format!("{place} ! the record that begins here is larger than 1000 bytes");
    let text = format!("{{}}\n{large}\n{{}}\n");
    check(LINES, &text, &["1:1 Record {}", &told("2:1"), "3:1 Record {}"]);
    check(DOCUMENT, &text, &["1:1 Record {}", &told("2:1"), "3:1 Record {}"]);
    check(DOCUMENT, format!("[1,{large}]"), &["1:2 Element(0) 1", &told("1:4")]);
    check(DOCUMENT, &large, &[&told("1:1")]);
    let fits = format!("\"{}\"", "x".repeat(998));
    check(LINES, &fits, &[&format!("1:1 Record {fits}")]);
    check(WHOLE, &fits, &[&format!("1:1 Document {fits}")]);
}

/// A stream that is made while it is read.
struct Generated {
    record: Vec<u8>,
    left: usize,
    at: usize,
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.record.len() {
            self.at = 0;
            self.left -= 1;
        }
        let rest = if self.left == 0 { &[] } else { &self.record[self.at..] };
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn memory_does_not_grow_with_the_stream() {
    let text = "x".repeat(9_989);
    for (cut, record, left) in [
        (LINES, format!("{{\"a\": \"{text}\"}}\n"), 5_000),
        (WHOLE, format!("{{\"a\":\n\"{text}\"}}\n"), 500),
        (DOCUMENT, format!("[\"{text}\",\n0]\n"), 500), // one array, then arrays as records
    ] {
        let cut = Cut { limit: 10_000, ..cut };
        let reader = Generated { record: record.into_bytes(), left, at: 0 };
        let mut units = Units::new(reader, cut);
        let mut count = 0;
        while let Some(unit) = units.next().unwrap() {
            count += usize::from(unit.is_ok());
            assert!(units.capacity() < 256 * 1024, "{} bytes", units.capacity());
        }
        assert!(count >= left);
        assert!(units.read() >= 10_000 * left as u64 - 10_000);
    }
}
