//! The pool on SQLite: what group commit brings, and what a million held licenses cost.
//!
//! An operation is a retain or a release, acknowledged after it is durable. The yardstick of one
//! caller is the raw rate at which the same disk makes one page durable.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use license_pool::{Pool, SAMPLE_LICENSE, Session};

use crate::callers;
use crate::figure::{Bound, Figure, median};

const ROUNDS: usize = 7;
/// How long one side of a round is measured.
const SIDE: Duration = Duration::from_millis(500);
const CALLERS: usize = 512;
const HELD: usize = 1_000_000;

/// Without limit in the sample license.
const PRODUCT: &str = "0007";

pub(crate) fn measure_group_commit(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    let pool = open(folder.path());
    let raw = Raw::new(folder.path());
    let (mut one, mut many, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        disk.push(raw.rate());
        one.push(one_caller(&pool));
        many.push(many_callers(&pool));
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
    callers::run((0..CALLERS).map(|caller| hold(&full, caller)).collect());
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(many_callers(&empty));
        with.push(many_callers(&full));
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
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(folder: &Path) -> Pool {
    let url = format!("sqlite:{}", folder.join("license.db").display());
    let pool = Pool::open(&url).unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    pool
}

/// Operations a second of one blocking caller.
fn one_caller(pool: &Pool) -> f64 {
    let (start, mut operations) = (Instant::now(), 0);
    while start.elapsed() < SIDE {
        let seat = pool.retain(PRODUCT, "one", session("one")).unwrap();
        seat.release().unwrap();
        operations += 2;
    }
    f64::from(operations) / start.elapsed().as_secs_f64()
}

/// Operations a second of many callers at once.
fn many_callers(pool: &Pool) -> f64 {
    let start = Instant::now();
    let operations = std::cell::Cell::new(0_u32);
    let caller = |index: usize| {
        let operations = &operations;
        async move {
            let id = format!("caller-{index}");
            while start.elapsed() < SIDE {
                let seat = pool.retain_async(PRODUCT, &id, session(&id)).await.unwrap();
                seat.release_async().await.unwrap();
                operations.set(operations.get() + 2);
            }
        }
    };
    callers::run((0..CALLERS).map(caller).collect());
    f64::from(operations.get()) / start.elapsed().as_secs_f64()
}

/// One caller's share of a million held licenses.
async fn hold(pool: &Pool, caller: usize) {
    for index in (caller..HELD).step_by(CALLERS) {
        let id = format!("held-{index}");
        pool.retain_async(PRODUCT, &id, session(&id)).await.unwrap().keep();
    }
}

fn session(id: &str) -> Session {
    Session::rest("ann", id, "192.0.2.12")
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
        let (start, mut written) = (Instant::now(), 0_u32);
        while start.elapsed() < SIDE {
            let at = u64::from(written) % PAGES * PAGE as u64;
            self.0.write_all_at(&[written.to_le_bytes()[0]; PAGE], at).unwrap();
            self.0.sync_data().unwrap();
            written += 1;
        }
        f64::from(written) / start.elapsed().as_secs_f64()
    }
}
