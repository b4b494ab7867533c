//! What a long past costs: a server that starts on a store with ten million entries, and a pool that
//! serves a hundred thousand ledgers from one file.
//!
//! The store is built once, by writing entries in bulk through the log itself: they are decided, sealed
//! and chained as a pool does it.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_core::{
    Command as Asks, Entry, Install, Ledger, License, Release, Retain, Stamp, Target, decide,
};
use license_pool::log::{Append, Archive as _, LedgerId, Log as _, SqliteLog, Turn};
use license_pool::{Pool, SAMPLE_LICENSE, ServerName};
use license_types::{LeaseSeconds, Session, SessionId};

use crate::figure::{Bound, Figure, median};
use crate::pool::{MEASURED, folder};

const ROUNDS: usize = 5;
const PAST: usize = 10_000_000;
const HELD: usize = 100_000;
/// Entries that came after the last snapshot: half of those after which the next is due.
const SINCE: usize = 10_000;
/// Entries that are written at once.
const BULK: usize = 50_000;
const SERVER: &str = "db1:7427";

/// P11: start-up after a long past.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    let path = folder.path().join("license.db");
    Builder::new(&path).build();
    let url = format!("sqlite:{}", path.display());
    let (mut starts, mut reads, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        bytes = read_snapshot(&path);
        let read = begun.elapsed().as_secs_f64();
        let name = ServerName::new(SERVER).unwrap();
        let begun = Instant::now();
        let pool = Pool::options().must_exist().server(name).serving().open(&url).unwrap();
        let left = pool.availability("0007").unwrap();
        let start = begun.elapsed().as_secs_f64();
        assert!(left.available && left.used_count.get() == HELD as u64);
        pool.close().wait().unwrap();
        starts.push(start);
        reads.push(read);
        ratios.push(start / read);
    }
    let read = median(reads);
    let part =
        format!("start-up with {HELD} held after {PAST} past entries, {SINCE} since a snapshot");
    report(Figure {
        goal: "P11",
        part: format!("{part}: to the first answer"),
        value: median(starts),
        bound: Some(Bound::AtMost(1.0)),
        yardstick: "none: absolute".to_owned(),
        unit: "s",
    });
    report(Figure {
        goal: "P11",
        part: format!("{part} ÷ reading the snapshot's bytes"),
        value: median(ratios),
        bound: Some(Bound::AtMost(3.0)),
        yardstick: format!("{read:.3} s: its {bytes} bytes read from the file and copied"),
        unit: "ratio",
    });
}

/// The bytes of the last snapshot, read by whoever opens the file.
fn read_snapshot(path: &Path) -> usize {
    let mut log = SqliteLog::open(path, false, Duration::from_secs(10)).unwrap();
    let mark = log.snapshots(LedgerId(1)).unwrap().remove(0);
    let chunks = (0..mark.chunks).map(|number| {
        let chunk = log.chunk(LedgerId(1), mark.sequence, number).unwrap().unwrap();
        black_box(chunk).len()
    });
    chunks.sum()
}

/// P14: memory of a pool that serves many ledgers, one after the other.
pub(crate) fn measure_ledgers(report: &mut dyn FnMut(Figure)) {
    const LEDGERS: usize = 100_000;
    let output = Command::new(MEASURED)
        .args(["ledgers", &LEDGERS.to_string()])
        .arg(folder().path().join("license.db"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (few, all) = told.trim().split_once(' ').unwrap();
    let [few, all]: [f64; 2] = [few, all].map(|bytes| bytes.parse().unwrap());
    report(Figure {
        goal: "P14",
        part: format!(
            "memory of a pool that served {LEDGERS} ledgers of one file ÷ a tenth of them"
        ),
        value: all / few,
        bound: Some(Bound::AtMost(1.5)),
        yardstick: format!(
            "{:.1} MB after {} ledgers, of which 1,000 stay",
            few / 1e6,
            LEDGERS / 10
        ),
        unit: "ratio",
    });
}

/// Writes a store with a long past.
struct Builder {
    log: SqliteLog,
    ledger: Ledger,
    stamp: Stamp,
    retain: Retain,
    now: Timestamp,
    entries: Vec<Entry>,
}

impl Builder {
    fn new(path: &Path) -> Builder {
        let ann = Session::rest("ann", "job", "127.0.0.1");
        let retain = Retain::new("0007".parse().unwrap(), SessionId::new("job").unwrap(), ann);
        let server = Arc::new(ServerName::new(SERVER).unwrap());
        Builder {
            log: SqliteLog::open(path, true, Duration::from_secs(10)).unwrap(),
            ledger: Ledger::new(),
            stamp: Stamp { server, epoch: 1, ..Stamp::local() },
            retain: Retain { lease_seconds: LeaseSeconds::new(90).ok(), ..retain },
            now: "2025-01-05T10:00:00Z".parse().unwrap(),
            entries: Vec::with_capacity(BULK),
        }
    }

    fn build(mut self) {
        let license = License::parse(SAMPLE_LICENSE.as_bytes()).unwrap();
        let number = license.number().into();
        self.execute(&Asks::Install(Install::new(license)));
        self.flush(Append { ledger: None, number: Some(number), ..Append::default() });
        for place in 0..HELD {
            self.retain(place);
        }
        // Everybody comes and goes, in turn, but for who holds in the end.
        for place in (0..HELD).cycle().take((PAST - HELD - SINCE) / 2) {
            self.exchange(place);
        }
        self.flush(Append { ledger: Some(LedgerId(1)), ..Append::default() });
        let sequence = self.ledger.head().sequence;
        for (number, chunk) in (0..).zip(self.ledger.snapshot()) {
            self.log.keep(LedgerId(1), sequence, number, &chunk).unwrap();
        }
        for place in 0..SINCE / 2 {
            self.exchange(place);
        }
        self.flush(Append { ledger: Some(LedgerId(1)), ..Append::default() });
    }

    fn exchange(&mut self, place: usize) {
        let session = Arc::new(session(place));
        let product = Some(self.retain.product);
        let target = Target::Session { session, product, token: None };
        self.execute(&Asks::Release(Release::new(target)));
        self.retain(place);
    }

    fn retain(&mut self, place: usize) {
        let retain = Retain { session: Arc::new(session(place)), ..self.retain.clone() };
        self.execute(&Asks::Retain(retain));
        if self.entries.len() >= BULK {
            self.flush(Append { ledger: Some(LedgerId(1)), ..Append::default() });
        }
    }

    fn execute(&mut self, command: &Asks) {
        self.now += SignedDuration::from_secs(3);
        let verdict = decide(&self.ledger, command, &self.stamp, self.now).unwrap();
        for event in verdict.events {
            let entry = self.ledger.seal(event, &self.stamp, self.now);
            self.ledger.apply(&entry).unwrap();
            self.entries.push(entry);
        }
    }

    fn flush(&mut self, append: Append) {
        let entries = std::mem::take(&mut self.entries);
        let serves = (ServerName::new(SERVER).unwrap(), true);
        let figures = self.ledger.take_figures();
        let append = Append { entries, serving: vec![serves], figures, ..append };
        let mut turn = Some(Turn { appends: vec![append], ends: Vec::new() });
        self.log.turn(&[], &mut |_| turn.take().unwrap_or_default()).unwrap();
    }
}

fn session(place: usize) -> SessionId {
    SessionId::new(format!("job-{place:06}")).unwrap()
}
