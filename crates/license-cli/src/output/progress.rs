//! Shows how far a long reading got, on a terminal only.

use std::io::Write;

use super::text::escaped;

/// A line that is painted over and over on the terminal while bytes are read.
///
/// It is painted once per [`STEP`] bytes, so short inputs show none and no clock is needed.
pub(crate) struct Progress {
    label: String,
    total_bytes: Option<u64>,
    painted_bytes: u64,
    shown: bool,
    on: bool,
}

/// At the speed of reading and checking, this paints some ten to thirty times a second.
const STEP: u64 = 4 << 20;

/// Returns to the start of the line and erases it.
const WIPE: &str = "\r\x1b[2K";

impl Progress {
    /// Progress of reading `label`, silent unless `on`.
    pub(crate) fn new(label: &str, total_bytes: Option<u64>, on: bool) -> Progress {
        Progress {
            label: escaped(label).into_owned(),
            total_bytes,
            painted_bytes: 0,
            shown: false,
            on,
        }
    }

    /// Tells that `read_bytes` were read in all.
    pub(crate) fn advance(&mut self, read_bytes: u64, out: &mut dyn Write) {
        if !self.on || read_bytes < self.painted_bytes + STEP {
            return;
        }
        self.painted_bytes = read_bytes;
        let megabytes = read_bytes >> 20;
        let share = match self.total_bytes.filter(|&total| total >= read_bytes) {
            Some(total) => format!("{} % ({megabytes} MiB)", read_bytes * 100 / total),
            None => format!("{megabytes} MiB"),
        };
        // That nobody looks is no reason to fail.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(total_bytes: Option<u64>, on: bool, steps: &[u64]) -> String {
        let mut out = Vec::new();
        let mut progress = Progress::new("usage.json", total_bytes, on);
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
    fn a_short_input_and_a_pipe_show_nothing() {
        assert_eq!(painted(Some(1000), true, &[500, 1000]), "");
        assert_eq!(painted(Some(16 << 20), false, &[8 << 20, 16 << 20]), "");
    }
}
