//! Shows how far a long read has got, on a terminal only.

use std::io::Write;

use super::text::escaped;

/// A line that is painted over and over on the terminal while something long is read.
///
/// It is painted once per step, so short inputs show none and no clock is needed.
pub(crate) struct Progress {
    label: String,
    unit: Unit,
    total: Option<u64>,
    /// How much was read when it was last painted.
    painted: u64,
    /// Whether it is on the screen.
    shown: bool,
    on: bool,
}

/// What is counted.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Entries,
}

/// Returns to the start of the line and erases it.
const WIPE: &str = "\r\x1b[2K";

impl Progress {
    /// Progress of reading so many bytes of `label`, silent unless `on`.
    pub(crate) fn of_bytes(label: &str, total: Option<u64>, on: bool) -> Progress {
        Progress::new(label, Unit::Bytes, total, on)
    }

    /// Progress of reading the entries of a log, silent unless `on`.
    pub(crate) fn of_entries(label: &str, on: bool) -> Progress {
        Progress::new(label, Unit::Entries, None, on)
    }

    fn new(label: &str, unit: Unit, total: Option<u64>, on: bool) -> Progress {
        Progress { label: escaped(label).into_owned(), unit, total, painted: 0, shown: false, on }
    }

    /// Sets how much there is, when that shows only later.
    pub(crate) fn total(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// Takes in that `read` were read in all, and paints if that is a step further.
    pub(crate) fn advance(&mut self, read: u64, out: &mut dyn Write) {
        if !self.on || read < self.painted + self.unit.step() {
            return;
        }
        self.painted = read;
        let count = match self.unit {
            Unit::Bytes => format!("{} MiB", read >> 20),
            Unit::Entries => format!("{read} entries"),
        };
        let share = match self.total.filter(|&total| total >= read) {
            Some(total) => format!("{} % ({count})", read * 100 / total),
            None => count,
        };
        // A terminal that has gone is no reason to fail.
        let _ = write!(out, "{WIPE}{}: {share}", self.label);
        let _ = out.flush();
        self.shown = true;
    }

    /// Wipes the line away, until the next step.
    pub(crate) fn wipe(&mut self, out: &mut dyn Write) {
        if self.shown {
            let _ = write!(out, "{WIPE}");
            let _ = out.flush();
        }
        self.shown = false;
    }
}

impl Unit {
    /// How much is read between two paints: at usual speeds, ten to thirty of them a second.
    fn step(self) -> u64 {
        match self {
            Unit::Bytes => 4 << 20,
            Unit::Entries => 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(total_bytes: Option<u64>, on: bool, steps: &[u64]) -> String {
        let mut out = Vec::new();
        let mut progress = Progress::of_bytes("usage.json", total_bytes, on);
        for &read_bytes in steps {
            progress.advance(read_bytes, &mut out);
        }
        progress.wipe(&mut out);
        String::from_utf8(out).unwrap().replace(WIPE, "|")
    }

    #[test]
    fn a_long_input_shows_its_share_and_leaves_nothing_behind() {
        assert_eq!(
            painted(Some(16 << 20), true, &[1 << 20, 4 << 20, 5 << 20, 12 << 20]),
            "|usage.json: 25 % (4 MiB)|usage.json: 75 % (12 MiB)|"
        );
        assert_eq!(painted(None, true, &[9 << 20]), "|usage.json: 9 MiB|");
    }

    #[test]
    fn a_long_log_shows_how_many_entries_were_read() {
        let mut out = Vec::new();
        let mut progress = Progress::of_entries("history", true);
        progress.advance(9_999, &mut out);
        progress.total(40_000);
        progress.advance(10_000, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.replace(WIPE, "|"), "|history: 25 % (10000 entries)");
    }

    #[test]
    fn a_short_input_and_a_pipe_show_nothing() {
        assert_eq!(painted(Some(1000), true, &[500, 1000]), "");
        assert_eq!(painted(Some(16 << 20), false, &[8 << 20, 16 << 20]), "");
    }
}
