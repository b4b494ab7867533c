//! `validate` of bulk: many records on many threads, counted, broken off, or packed.

use std::io::Write as _;

use expect_test::expect;
use flate2::write::GzEncoder;
use license_cli::Exit;
use license_tests::records::Records;

use super::PUBLISHED;
use crate::cli::shell::{Shell, conforming};

/// Records of which every fifth breaks two rules.
fn many_records(count: usize) -> String {
    let record: serde_json::Value = serde_json::from_str(PUBLISHED).unwrap();
    let record = record[0].to_string();
    let wrong = record.replace("\"token\":1,", "\"token\":0,").replace("\"mac\"", "\"amiga\"");
    let records: Vec<&str> =
        (0..count).map(|index| if index % 5 == 4 { &wrong[..] } else { &record }).collect();
    format!("[{}]", records.join(",\n"))
}

#[test]
fn any_number_of_threads_prints_the_same_in_the_order_of_the_file() {
    let shell = Shell::new();
    shell.file("usage.json", many_records(8_000));
    let alone = shell.run("validate --json --jobs 1 usage.json");
    assert_eq!(alone.stdout.lines().count(), 3_200);
    assert!(alone.stdout.lines().next_back().unwrap().contains("/7999/session/hostType"));
    for jobs in ["2", "7"] {
        let output = shell.run(&format!("validate --json --jobs {jobs} usage.json"));
        assert_eq!(output.stderr, "license: 8000 records: 1600 invalid, with 3200 violations\n");
        assert!(output.stdout == alone.stdout, "{jobs} jobs");
    }
}

#[test]
fn violations_are_counted_by_rule_and_place_or_broken_off() {
    let shell = Shell::new();
    shell.file("usage.json", many_records(23));
    shell.file("more.ndjson", "{}\n{\"a\"\n");
    expect![[r#"
        $ license validate --summary usage.json
        VIOLATIONS  AT                   RULE                  FIRST
                 4  /*/token             /$defs/Token/minimum  usage.json:5:98
                 4  /*/session/hostType  /$defs/HostType/enum  usage.json:5:281
        ! license: 23 records: 4 invalid, with 8 violations
        [exit code 3]

        $ license validate --summary --json usage.json more.ndjson
        {
          "records": 24,
          "valid": 19,
          "violations": 16,
          "malformed": 1,
          "unread": 0,
          "complete": true,
          "kinds": [
            {
              "count": 8,
              "schemaPath": "/required",
              "instancePath": "",
              "first": {
                "file": "more.ndjson",
                "instancePath": "",
                "schemaPath": "/required",
                "line": 1,
                "column": 1,
                "message": "\"productId\" is missing"
              }
            },
            {
              "count": 4,
              "schemaPath": "/$defs/Token/minimum",
              "instancePath": "/*/token",
              "first": {
                "file": "usage.json",
                "instancePath": "/4/token",
                "schemaPath": "/$defs/Token/minimum",
                "line": 5,
                "column": 98,
                "message": "0 is less than the minimum of 1"
              }
            },
            {
              "count": 4,
              "schemaPath": "/$defs/HostType/enum",
              "instancePath": "/*/session/hostType",
              "first": {
                "file": "usage.json",
                "instancePath": "/4/session/hostType",
                "schemaPath": "/$defs/HostType/enum",
                "line": 5,
                "column": 281,
                "message": "\"amiga\" is not one of \"windows\", \"mac\", \"browser\"",
                "shape": "ClientSession"
              }
            },
            {
              "count": 1,
              "schemaPath": "malformed",
              "instancePath": "",
              "first": {
                "file": "more.ndjson",
                "instancePath": "",
                "schemaPath": "malformed",
                "line": 2,
                "column": 4,
                "message": "an object is cut off here: correct the JSON here"
              }
            }
          ],
          "others": 0
        }
        ! license: 24 records: 5 invalid, with 16 violations; 1 part cannot be judged
        [exit code 2]

        $ license validate --max-violations 3 usage.json more.ndjson
        usage.json:5:98: /4/token: 0 is less than the minimum of 1 (/$defs/Token/minimum)
        usage.json:5:281: /4/session/hostType: "amiga" is not one of "windows", "mac", "browser" (/$defs/HostType/enum)
        usage.json:10:98: /9/token: 0 is less than the minimum of 1 (/$defs/Token/minimum)
        ! license: 10 records: 2 invalid, with 3 violations
        ! license: stopped after 3 violations (--max-violations); there may be more
        [exit code 3]

        $ license validate --max-violations 3 --summary usage.json
        VIOLATIONS  AT                   RULE                  FIRST
                 2  /*/token             /$defs/Token/minimum  usage.json:5:98
                 1  /*/session/hostType  /$defs/HostType/enum  usage.json:5:281
        ! license: 10 records: 2 invalid, with 3 violations
        ! license: stopped after 3 violations (--max-violations); there may be more
        [exit code 3]

        $ license validate --max-violations 0 usage.json
        ! license: invalid value '0' for '--max-violations <N>': number would be zero for non-zero type
        ! 
        ! For more information, try '--help'.
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "validate --summary usage.json
         validate --summary --json usage.json more.ndjson
         validate --max-violations 3 usage.json more.ndjson
         validate --max-violations 3 --summary usage.json
         validate --max-violations 0 usage.json",
    ));
    let summary = shell.run("validate --summary --json usage.json more.ndjson").stdout;
    conforming(&summary, "violation-summary");
}

/// A retention, as a line that the formats' own programs packed.
const GZIP: &[u8] = include_bytes!("../../../data/packed/retention.ndjson.gz");
const ZSTD: &[u8] = include_bytes!("../../../data/packed/retention.ndjson.zst");

#[test]
fn compressed_input_is_told_by_its_bytes() {
    let mut shell = Shell::new();
    shell.file("usage.json", GZIP);
    shell.file("usage.bin", ZSTD);
    shell.file("skipped.zst", [b"\x5a\x2a\x4d\x18\x02\0\0\0ab", ZSTD].concat());
    shell.file("two.ndjson.zst", [ZSTD, ZSTD].concat());
    shell.file("Two.JSONL.GZ", [GZIP, GZIP].concat());
    shell.file("cut.zst", &ZSTD[..ZSTD.len() - 9]);
    shell.file("cut.gz", &GZIP[..GZIP.len() - 9]);
    let mut changed = ZSTD.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    shell.file("changed.zst", changed);
    shell.stdin = ZSTD.to_vec();
    expect![[r#"
        $ license validate --schema retention usage.json usage.bin skipped.zst -
        ! license: 4 records: valid

        $ license validate two.ndjson.zst Two.JSONL.GZ
        ! license: 4 records: valid

        $ license validate cut.zst
        ! license: cannot read cut.zst: its zstd data is damaged or cut off (Failed to parse block header: BlockContentReadError(Error { kind: UnexpectedEof, message: "failed to fill whole buffer" }))
        ! license: 1 file cannot be read
        [exit code 2]

        $ license validate cut.gz
        ! license: cannot read cut.gz: incomplete deflate stream
        ! license: 1 file cannot be read
        [exit code 2]

        $ license validate changed.zst
        ! license: cannot read changed.zst: the checksum of the compressed data does not match
        ! license: 1 file cannot be read
        [exit code 2]

    "#]].assert_eq(&shell.transcript(
        "validate --schema retention usage.json usage.bin skipped.zst -
         validate two.ndjson.zst Two.JSONL.GZ
         validate cut.zst
         validate cut.gz
         validate changed.zst",
    ));
}

#[test]
fn any_number_of_threads_tells_the_same_of_a_stream_that_breaks_off() {
    let shell = Shell::new();
    let mut lines = Records::lines(6_000);
    for at in (0..lines.len()).step_by(100_003) {
        lines[at] = b'\0';
    }
    let packed = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let whole = packed(&lines);
    shell.file("plain.ndjson", &lines);
    shell.file("whole.ndjson.gz", &whole);
    shell.file("cut.ndjson.gz", &whole[..whole.len() - 9]);
    shell.file("half.gz", packed(&lines[..lines.len() - 100]));
    shell.file("twice.gz", [&whole[..], &whole[..whole.len() / 2]].concat());
    for file in ["plain.ndjson", "whole.ndjson.gz", "cut.ndjson.gz", "half.gz", "twice.gz"] {
        let [one, two, five] = [1, 2, 5].map(|jobs| {
            let output = shell.run(&format!("validate --jobs {jobs} {file}"));
            (output.exit, output.stdout, output.stderr)
        });
        assert_eq!(one, two, "{file}");
        assert_eq!(one, five, "{file}");
        assert!(one.0 == Exit::Usage && one.1.lines().count() >= 26, "{file}: {}", one.2);
    }
}
