use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use license_types::schemas::Profile;

use super::*;

const RECORD: &str = r#"{"productId": 808464441, "productName": "4D, }\n{ Client",
    "productUsedCount": 1, "productBalance": 9, "token": 1, "time": "2021-12-01T15:36:42+01:00",
    "reason": "},{", "session": {"userName": "Eve é", "sessionID": "7", "IPAddress": "::1",
    "isDatastore": false}}"#;

/// All that a judge tells but its progress, and the summary.
fn told(judge: &Judge, input: &[u8]) -> (Vec<Notice>, Summary) {
    let mut notices = Vec::new();
    let summary = judge.read(input, |notice| {
        if !matches!(notice, Notice::Progress { .. }) {
            notices.push(notice);
        }
        ControlFlow::Continue(())
    });
    // How far it was read before it was given up depends on the size of blocks.
    (notices, Summary { bytes: 0, ..summary.unwrap() })
}

fn in_parallel(judge: &Judge, jobs: usize, chunk_bytes: usize) -> Judge {
    let [jobs, chunk_bytes] = [jobs, chunk_bytes].map(|number| NonZeroUsize::new(number).unwrap());
    judge.clone().jobs(jobs).chunk_bytes(chunk_bytes)
}

/// Streams of every kind: sound, with violations, and broken in many ways.
fn streams() -> Vec<(Judge, String)> {
    let judge = Judge::new(Profile::Observed);
    let line = RECORD.replace("\n    ", " ");
    let wrong = line.replace("\"token\": 1", "\"token\": 0").replace("\"::1\"", "7");
    let nested = line.replace("9,", "9, \"more\": [{\"a\": 1}, {\"a\": 2},\n {\"a\": 3}],");
    let records: Vec<&str> = [&line[..], &wrong, &line, &nested, &line, &nested, &wrong, &line]
        .into_iter()
        .cycle()
        .take(24)
        .collect();
    let array = format!("[{}]", records.join(",\n"));
    let lines = records.iter().filter(|record| !record.contains('\n'));
    let lines = lines.copied().collect::<Vec<_>>().join("\n");
    let values = records.join("\n");
    let broken = [
        format!("{values}\n[]\n[1,\n{line}\n"),
        array.replacen("\"reason\"", "reason", 1),
        format!("{array} {values}"),
        format!("[{}]\n{wrong}", [&line[..]; 12].join(",")),
        format!("{array}x"),
        format!("{lines}\n{{\"a\": \n{lines}\n7\n\n  \nnull"),
        array[..array.len() / 2].to_owned(),
        format!("\u{feff}{array}"),
        "[]".to_owned(),
        String::new(),
        " 1 2 3 ".to_owned(),
    ];
    let mut streams: Vec<_> =
        [array.replace("},\n", "}\n ,\t"), array, lines.clone() + "\n", values]
            .into_iter()
            .chain(broken)
            .map(|text| (judge.clone(), text))
            .collect();
    streams.push((judge.clone().lines(true), lines.clone()));
    streams.push((judge.clone().lines(true), lines.replace('\n', "\r\n\n") + "\r\n"));
    streams.push((judge.clone().record_bytes_max(400), lines));
    streams
}

#[test]
fn any_number_of_threads_and_any_chunks_find_the_same() {
    for (judge, text) in streams() {
        let alone = told(&judge, text.as_bytes());
        for jobs in [2, 3] {
            for chunk_bytes in [1, 64, 300, 350, 701, 3000] {
                let parallel = in_parallel(&judge, jobs, chunk_bytes);
                let found = told(&parallel, text.as_bytes());
                assert_eq!(found, alone, "{jobs} jobs, chunks of {chunk_bytes}: {text}");
            }
        }
    }
}

#[test]
fn a_reader_that_fails_is_told_after_all_that_it_gave() {
    struct Fails<'a>(&'a [u8]);
    impl Read for Fails<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("gone")),
                count => Ok(count),
            }
        }
    }
    let line = RECORD.replace("\n    ", " ").replace("\"token\": 1", "\"token\": 0") + "\n";
    let text = line.repeat(50);
    for jobs in [1, 2] {
        let judge = in_parallel(&Judge::new(Profile::Observed).lines(true), jobs, 1000);
        let mut notices = 0;
        let result = judge.read(Fails(text.as_bytes()), |notice| {
            notices += u64::from(matches!(notice, Notice::Violation(_)));
            ControlFlow::Continue(())
        });
        assert_eq!((result.unwrap_err().to_string(), notices), ("gone".to_owned(), 50), "{jobs}");
    }
}

#[test]
fn it_is_the_other_threads_that_judge() {
    static HERE: AtomicU64 = AtomicU64::new(0);
    static ELSEWHERE: AtomicU64 = AtomicU64::new(0);
    fn counts(text: &[u8]) -> Rest<'_> {
        let is_here = thread::current().name().is_some();
        let counter = if is_here { &HERE } else { &ELSEWHERE };
        counter.fetch_add(1, Ordering::Relaxed);
        let length = text.iter().position(|&byte| byte == b'}')? + 1;
        Some(&text[length..])
    }
    let text = format!("[{}]", vec![r#"{"a": 1}"#; 100_000].join(",\n"));
    let judge = Judge { reader: |_, _| Some(counts), ..Judge::new(Profile::Observed) };
    let summary = told(&in_parallel(&judge, 2, 10_000), text.as_bytes()).1;
    assert_eq!(summary.records, 100_000);
    let (here, elsewhere) = (HERE.load(Ordering::Relaxed), ELSEWHERE.load(Ordering::Relaxed));
    assert!(here < 2_000 && elsewhere > 98_000, "{here} {elsewhere}");
}

#[test]
fn what_the_fast_way_accepts_by_mistake_is_found_by_sample_and_placed() {
    fn accepts_all(text: &[u8]) -> Rest<'_> {
        let length = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        Some(&text[length..])
    }
    let wrong = RECORD.replace("\n    ", " ").replace("\"token\": 1", "\"token\": 0");
    let text = format!("{wrong}\n").repeat(2100);
    let judge = Judge { reader: |_, _| Some(accepts_all), ..Judge::new(Profile::Observed) };
    let (notices, summary) = told(&judge.lines(true), text.as_bytes());
    let [Notice::Disagreement { line, column: 1 }, Notice::Violation(violation), ..] = &notices[..]
    else {
        panic!("{notices:?}")
    };
    assert_eq!((violation.line.get(), violation.instance_path.as_str()), (*line, "/token"));
    assert_eq!((summary.disagreements, summary.violations, summary.valid), (2, 2, 2098));
}
