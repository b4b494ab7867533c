//! The pool on SQLite: how long an operation takes, what group commit brings, and what a million held
//! licenses cost.
//!
//! An operation is a retain or a release, acknowledged after it is durable. The yardstick of one
//! caller is the raw rate at which the same disk makes one page durable.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use license_pool::{Pool, SAMPLE_LICENSE};
use license_tests::load::{self, many_callers, one_caller};

use crate::figure::{Bound, Figure, median};

const ROUNDS: usize = 7;
/// How long one side of a round is measured.
const SIDE: Duration = Duration::from_millis(500);
const CALLERS: usize = 512;
const HELD: usize = 1_000_000;
/// Callers of whom the slowest hundredth is looked at.
const FEW: usize = 64;
/// Enough to measure what one of them takes.
const WEIGHED: usize = 300_000;

pub(crate) const MEASURED: &str = env!("CARGO_BIN_EXE_measured");

pub(crate) fn measure_latency(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    let pool = open(folder.path());
    let raw = Raw::new(folder.path());
    let (mut p50, mut p99, mut ratio) =
        ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()], Vec::new());
    for _ in 0..ROUNDS {
        let disk = raw.syncs();
        let one = one_caller(&pool, SIDE);
        let few = many_callers(&pool, "caller", FEW, SIDE);
        let of = |met: &load::Met, hundredths| met.percentile(hundredths).as_secs_f64() * 1e3;
        ratio.push(of(&one, 50) / of(&disk, 50));
        p50[0].push(of(&one, 50));
        p50[1].push(of(&disk, 50));
        p99[0].push(of(&few, 99));
        p99[1].push(of(&disk, 99));
    }
    let [one, disk] = p50.map(median);
    report(Figure {
        goal: "P3",
        part: format!("pool on SQLite, no HTTP: retain or release, p50 of 1 caller ({one:.3} ms)"),
        value: median(ratio),
        bound: Some(Bound::AtMost(2.0)),
        yardstick: format!("one page written and fdatasync, same disk, p50: {disk:.3} ms"),
        unit: "ratio",
    });
    let [few, disk] = p99.map(median);
    report(Figure {
        goal: "P3",
        part: format!("pool on SQLite, no HTTP: retain or release, p99 of {FEW} callers"),
        value: few,
        bound: None,
        yardstick: format!("one page written and fdatasync, same disk, p99: {disk:.3} ms"),
        unit: "ms",
    });
}

/// P14: memory of what is held.
pub(crate) fn measure_memory(report: &mut dyn FnMut(Figure)) {
    let output = Command::new(MEASURED)
        .args(["hold", &WEIGHED.to_string()])
        .arg(folder().path().join("license.db"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (memory, rendered) = told.trim().split_once(' ').unwrap();
    let [memory, rendered]: [f64; 2] = [memory, rendered].map(|bytes| bytes.parse().unwrap());
    report(Figure {
        goal: "P14",
        part: format!(
            "memory of a live retention ({memory:.0} bytes, {WEIGHED} held) ÷ its record"
        ),
        value: memory / rendered,
        bound: Some(Bound::AtMost(2.5)),
        yardstick: format!("{rendered:.0} bytes: the record rendered as JSON"),
        unit: "ratio",
    });
}

pub(crate) fn measure_group_commit(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    let pool = open(folder.path());
    let raw = Raw::new(folder.path());
    let (mut one, mut many, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        disk.push(raw.rate());
        one.push(one_caller(&pool, SIDE).rate());
        many.push(many_callers(&pool, "caller", CALLERS, SIDE).rate());
    }
    let ratios = |a: &[f64], b: &[f64]| median(a.iter().zip(b).map(|(a, b)| a / b).collect());
    let (group, sync) = (ratios(&many, &one), ratios(&one, &disk));
    let [one, many, disk] = [one, many, disk].map(median);
    report(Figure {
        goal: "P4",
        part: format!("pool on SQLite: {CALLERS} callers ÷ 1 caller"),
        value: group,
        bound: Some(Bound::AtLeast(80.0)),
        yardstick: format!("1 caller: {one:.0} operations/s ({CALLERS}: {many:.0})"),
        unit: "ratio",
    });
    report(Figure {
        goal: "P4",
        part: "pool on SQLite: 1 caller ÷ raw fdatasync rate".to_owned(),
        value: sync,
        bound: Some(Bound::AtLeast(0.7)),
        yardstick: format!("one page written and fdatasync, same disk: {disk:.0}/s"),
        unit: "ratio",
    });
}

pub(crate) fn measure_held(report: &mut dyn FnMut(Figure)) {
    let folders = [folder(), folder()];
    let [empty, full] = [open(folders[0].path()), open(folders[1].path())];
    load::hold(&full, HELD);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(many_callers(&empty, "caller", CALLERS, SIDE).rate());
        with.push(many_callers(&full, "caller", CALLERS, SIDE).rate());
    }
    let value = median(with.iter().zip(&without).map(|(with, without)| with / without).collect());
    report(Figure {
        goal: "P6",
        part: "pool on SQLite: throughput with 1 M held ÷ with none".to_owned(),
        value,
        bound: Some(Bound::AtLeast(0.9)),
        yardstick: format!("{CALLERS} callers, none held: {:.0} operations/s", median(without)),
        unit: "ratio",
    });
}

/// A folder on the disk that the project is built on: a temporary one is often in memory.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn open(folder: &Path) -> Pool {
    let url = format!("sqlite:{}", folder.join("license.db").display());
    let pool = Pool::open(&url).unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    pool
}

/// Seconds in which half of all pages become durable.
pub(crate) fn sync_p50(folder: &Path) -> f64 {
    Raw::new(folder).syncs().percentile(50).as_secs_f64()
}

/// A file like SQLite's log: its pages exist already and are written again and again.
struct Raw(File);

const PAGE: usize = 4096;
const PAGES: u64 = 1000;

impl Raw {
    fn new(folder: &Path) -> Raw {
        let mut file = File::create(folder.join("raw")).unwrap();
        for _ in 0..PAGES {
            file.write_all(&[1; PAGE]).unwrap();
        }
        file.sync_all().unwrap();
        Raw(file)
    }

    /// Durable pages a second.
    fn rate(&self) -> f64 {
        self.syncs().rate()
    }

    /// How long it takes to make a page durable.
    fn syncs(&self) -> load::Met {
        let (start, mut met) = (Instant::now(), load::Met::default());
        while start.elapsed() < SIDE {
            let before = Instant::now();
            let at = met.operations % PAGES * PAGE as u64;
            self.0.write_all_at(&[met.operations.to_le_bytes()[0]; PAGE], at).unwrap();
            self.0.sync_data().unwrap();
            met.waits.push(before.elapsed());
            met.operations += 1;
        }
        met.took = start.elapsed();
        met
    }
}
