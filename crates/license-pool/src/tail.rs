//! The newest entries of the logs that somebody follows, kept in memory: what a turn just appended
//! is told to all who follow without reading it back, and rendered once for all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use license_core::{self as core, Head};
use license_types::Entry;

use crate::log::{Append, LedgerId, Since};

/// So many entries are kept of each log; who is further behind reads the log itself.
const LINES_MAX: usize = 1024;

/// So many logs are followed from memory at once.
const TAILS_MAX: usize = 256;

/// One entry of a log that is followed; see [`Pool::follow`](crate::Pool::follow).
#[derive(Debug)]
pub struct Line {
    entry: core::Entry,
    json: OnceLock<String>,
}

impl Line {
    pub(crate) fn new(entry: core::Entry) -> Arc<Line> {
        Arc::new(Line { entry, json: OnceLock::new() })
    }

    /// Its place in the log.
    pub fn sequence(&self) -> u64 {
        self.entry.sequence
    }

    /// The entry as history shows it.
    pub fn entry(&self) -> Entry {
        self.entry.to_wire()
    }

    /// The JSON of [`entry`](Self::entry), rendered by whoever asks first.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| self.entry.to_json())
    }
}

/// The ends of the logs that are followed. All that stands here is durable.
#[derive(Default)]
pub(crate) struct Tails(BTreeMap<LedgerId, Tail>);

/// The end of one log, as far as it is known here.
struct Tail {
    end: Head,
    /// The entries up to there, without gaps; there may be none.
    lines: VecDeque<Arc<Line>>,
    /// How many came since anybody asked for them.
    unasked: usize,
}

/// What follows a sequence in a log.
#[derive(Default)]
pub(crate) struct Followed {
    /// Where the log ends.
    pub(crate) head: Head,
    /// The first entries of what follows, where they are known here.
    pub(crate) lines: Vec<Arc<Line>>,
}

impl Tails {
    /// Keeps from now on what is appended to a log that ends with `end`.
    pub(crate) fn begin(&mut self, id: LedgerId, end: Head) {
        if self.0.len() >= TAILS_MAX && !self.0.contains_key(&id) {
            // Whoever follows another reads on from its log.
            self.0.clear();
        }
        let begun = || Tail { end, lines: VecDeque::new(), unasked: 0 };
        let tail = self.0.entry(id).or_insert_with(begun);
        if tail.end != end {
            *tail = begun();
        }
    }

    /// What follows the sequence `after`, up to `limit` entries of it; nothing where only the log
    /// itself tells.
    pub(crate) fn after(&mut self, id: LedgerId, after: u64, limit: usize) -> Option<Followed> {
        let tail = self.0.get_mut(&id)?;
        let count = usize::try_from(tail.end.sequence.checked_sub(after)?).ok()?;
        let skipped = tail.lines.len().checked_sub(count)?;
        tail.unasked = 0;
        let lines = tail.lines.iter().skip(skipped).take(limit).cloned().collect();
        Some(Followed { head: tail.end, lines })
    }

    /// What is to be kept of a turn once that is durable.
    pub(crate) fn followed(&self, appends: &[Append]) -> Vec<(LedgerId, Vec<Arc<Line>>)> {
        let followed = appends.iter().filter_map(|append| {
            let id = append.ledger.filter(|id| self.0.contains_key(id))?;
            Some((id, append.entries.iter().cloned().map(Line::new).collect()))
        });
        followed.collect()
    }

    /// Keeps what was appended.
    pub(crate) fn extend(&mut self, appended: Vec<(LedgerId, Vec<Arc<Line>>)>) {
        for (id, lines) in appended {
            let Some(tail) = self.0.get_mut(&id) else { continue };
            tail.unasked += lines.len();
            // Nobody follows it any more, or something in between was never told here.
            if tail.unasked > LINES_MAX || !tail.extend(lines) {
                self.0.remove(&id);
            }
        }
    }

    /// Keeps what others appended.
    pub(crate) fn hear(&mut self, news: &[(LedgerId, Since)]) {
        for (id, since) in news {
            match since {
                Since::Entries(entries) if self.0.contains_key(id) => {
                    let lines = entries.iter().cloned().map(Line::new).collect();
                    self.extend(vec![(*id, lines)]);
                }
                Since::Entries(_) => {}
                Since::Reload | Since::WentBack => self.forget(*id),
            }
        }
    }

    /// Forgets a log that may be another than it was.
    pub(crate) fn forget(&mut self, id: LedgerId) {
        self.0.remove(&id);
    }

    /// Forgets all logs but these: somebody else may have appended to the others.
    pub(crate) fn keep_only(&mut self, ids: &[LedgerId]) {
        self.0.retain(|id, _| ids.contains(id));
    }
}

impl Tail {
    /// Says whether the lines follow.
    fn extend(&mut self, lines: Vec<Arc<Line>>) -> bool {
        let Some((first, last)) = lines.first().zip(lines.last()) else { return true };
        if first.sequence() != self.end.sequence + 1 {
            return false;
        }
        self.end = Head { sequence: last.sequence(), chain: last.entry.chain };
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use license_core::{Event, Ledger, Stamp};

    use super::*;

    const ID: LedgerId = LedgerId(1);

    /// Appends so many entries.
    fn append(ledger: &mut Ledger, count: usize) -> Since {
        let entries = (0..count).map(|_| {
            let now = "2026-01-05T10:00:00Z".parse().unwrap();
            let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), now);
            ledger.apply(&entry).unwrap();
            entry
        });
        Since::Entries(entries.collect())
    }

    fn after(tails: &mut Tails, after: u64, limit: usize) -> Option<Vec<u64>> {
        let followed = tails.after(ID, after, limit)?;
        Some(followed.lines.iter().map(|line| line.sequence()).collect())
    }

    #[test]
    fn only_what_is_followed_is_kept() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        tails.hear(&[(ID, append(&mut ledger, 2))]);
        assert_eq!(after(&mut tails, 2, 9), None);
        tails.begin(ID, ledger.head());
        assert_eq!(after(&mut tails, 2, 9), Some(vec![]));
        tails.hear(&[(ID, append(&mut ledger, 3))]);
        assert_eq!(after(&mut tails, 2, 9), Some(vec![3, 4, 5]));
        assert_eq!(after(&mut tails, 3, 1), Some(vec![4]));
        assert_eq!(after(&mut tails, 5, 9), Some(vec![]));
        assert_eq!(after(&mut tails, 1, 9), None, "entry 2 is not known here");
        assert_eq!(after(&mut tails, 6, 9), None, "nobody is that far");
        tails.keep_only(&[]);
        assert_eq!(after(&mut tails, 5, 9), None);
    }

    #[test]
    fn nothing_is_told_across_a_gap_or_of_another_history() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        tails.begin(ID, ledger.head());
        append(&mut ledger, 1);
        tails.hear(&[(ID, append(&mut ledger, 1))]);
        assert_eq!(after(&mut tails, 2, 9), None);
        tails.begin(ID, ledger.head());
        tails.hear(&[(ID, append(&mut ledger, 1))]);
        tails.begin(ID, ledger.head());
        assert_eq!(after(&mut tails, 2, 9), Some(vec![3]), "what is known stays known");
        tails.hear(&[(ID, Since::Reload)]);
        assert_eq!(after(&mut tails, 2, 9), None);
    }

    #[test]
    fn the_oldest_go_and_so_does_what_nobody_asks_for() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        tails.begin(ID, ledger.head());
        for end in [1024, 2048] {
            tails.hear(&[(ID, append(&mut ledger, LINES_MAX))]);
            assert_eq!(after(&mut tails, end, 9), Some(vec![]));
        }
        assert_eq!(after(&mut tails, 1023, 1), None);
        assert_eq!(after(&mut tails, 1024, 1), Some(vec![1025]));
        tails.hear(&[(ID, append(&mut ledger, LINES_MAX + 1))]);
        assert_eq!(after(&mut tails, ledger.head().sequence, 1), None);
    }
}
