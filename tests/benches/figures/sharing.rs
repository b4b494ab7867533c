//! Two processes on one SQLite file: what sharing costs, and whether each gets its share.
//!
//! Each process has as many callers of its own, and all of them are measured in the same windows: one
//! process alone, then both at once.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::figure::{Bound, Figure, median};
use crate::pool::{MEASURED, folder, open};

const ROUNDS: usize = 7;
const CALLERS: usize = 64;
const MILLISECONDS: u64 = 1000;

pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    drop(open(folder.path()));
    let [mut east, mut west] =
        ["east", "west"].map(|name| Process::start(&folder.path().join("license.db"), name));
    let (mut sum, mut share, mut wait, mut lone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let alone = if round % 2 == 0 { &mut east } else { &mut west };
        alone.go();
        let (alone, _) = alone.met();
        east.go();
        west.go();
        let [(one, one_wait), (other, other_wait)] = [east.met(), west.met()];
        sum.push((one + other) / alone);
        share.push(one.min(other) / one.max(other));
        wait.push(one_wait.max(other_wait));
        lone.push(alone);
    }
    let lone = median(lone);
    let yardstick = format!("one process, {CALLERS} callers: {lone:.0} operations/s");
    report(Figure {
        goal: "P5",
        part: format!("two processes on one file, {CALLERS} callers each ÷ one process"),
        value: median(sum),
        bound: Some(Bound::AtLeast(0.85)),
        yardstick,
        unit: "ratio",
    });
    report(Figure {
        goal: "P5",
        part: "two processes on one file: smaller share ÷ larger".to_owned(),
        value: median(share),
        bound: Some(Bound::AtLeast(0.8)),
        yardstick: "the other process, same window".to_owned(),
        unit: "ratio",
    });
    report(Figure {
        goal: "P5",
        part: "two processes on one file: longest wait of a caller".to_owned(),
        value: median(wait),
        bound: Some(Bound::AtMost(50.0)),
        yardstick: "none: absolute, the worst of a window, the median window".to_owned(),
        unit: "ms",
    });
}

struct Process {
    child: Child,
    input: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(store: &Path, name: &str) -> Process {
        let mut child = Command::new(MEASURED)
            .args(["share", name, &CALLERS.to_string(), &MILLISECONDS.to_string()])
            .arg(store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Process { input: child.stdin.take().unwrap(), child, told };
        assert_eq!(process.next(), "ready");
        process
    }

    /// Lets it work for one window.
    fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }

    /// Operations a second, and the longest wait in milliseconds.
    fn met(&mut self) -> (f64, f64) {
        let line = self.next();
        let (rate, wait) = line.split_once(' ').unwrap();
        (rate.parse().unwrap(), wait.parse().unwrap())
    }

    fn next(&mut self) -> String {
        self.told.next().unwrap().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
