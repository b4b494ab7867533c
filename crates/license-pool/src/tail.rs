//! The newest entries of the logs that somebody follows, kept in memory. What a turn appended reaches
//! all followers without being read back, without asking the writer, and rendered only once.
//!
//! A [`Tail`] *ends* whenever it may no longer be the end of its log: at a gap, when the log's history
//! changed, or when the writer ends. A follower then asks the writer for another one. A follower that
//! is too far behind reads the log itself until it has caught up.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use license_core::{self as core, Head};
use license_types::Entry;

use crate::chain;
use crate::log::{Append, LedgerId, Since};

/// How many entries of each log are kept.
const LINES_MAX: usize = 2048;

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

    /// Whether it is the entry that follows `before`. If the log's store went back in time, another
    /// entry may be in its place.
    pub fn follows(&self, before: &Line) -> bool {
        let Line { entry: core::Entry { sequence, chain, .. }, .. } = before;
        chain::follows(&self.entry, Head { sequence: *sequence, chain: *chain })
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

/// The end of one log, which the writer shares with all followers. Everything in it is durable.
pub(crate) struct Tail(Mutex<State>);

struct State {
    end: Head,
    /// The last entries up to there, without gaps; there may be none.
    lines: VecDeque<Arc<Line>>,
    /// Whether it gets no more entries.
    ended: bool,
    /// The followers that wait, by ticket.
    waiting: BTreeMap<u64, Waker>,
    last_ticket: u64,
    /// Whether there is anything for which those who wait were not woken yet.
    untold: bool,
    /// Whether any follower asked since the writer last looked.
    asked: bool,
}

/// What follows a sequence in a log.
#[derive(Debug)]
pub(crate) enum Next {
    /// These entries.
    Lines(Vec<Arc<Line>>),
    /// Entries that are no longer in memory: read the log.
    InLog,
    /// The tail has ended.
    Ended,
}

impl Tail {
    /// The end of a log that ends with `end`.
    pub(crate) fn new(end: Head) -> Tail {
        Tail(Mutex::new(State {
            end,
            lines: VecDeque::new(),
            ended: false,
            waiting: BTreeMap::new(),
            last_ticket: 0,
            untold: false,
            asked: true,
        }))
    }

    /// Up to `limit` entries after the sequence `after`, once there are any.
    pub(crate) fn after(&self, after: u64, limit: usize) -> After<'_> {
        After { tail: self, after, limit, ticket: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait, if there is anything to tell.
    fn tell(&self) {
        let mut state = self.state();
        if mem::take(&mut state.untold) {
            let waiting = mem::take(&mut state.waiting);
            drop(state);
            waiting.into_values().for_each(Waker::wake);
        }
    }
}

impl State {
    fn after(&self, after: u64, limit: usize) -> Option<Next> {
        if self.ended {
            return Some(Next::Ended);
        }
        let count = self.end.sequence.checked_sub(after).filter(|count| *count > 0)?;
        let skipped = usize::try_from(count).ok().and_then(|it| self.lines.len().checked_sub(it));
        Some(match skipped {
            Some(skipped) => {
                Next::Lines(self.lines.iter().skip(skipped).take(limit).cloned().collect())
            }
            None => Next::InLog,
        })
    }

    fn extend(&mut self, lines: Vec<Arc<Line>>) {
        let Some((first, last)) = lines.first().zip(lines.last()) else { return };
        // After a gap, only the log has everything.
        self.ended |= first.sequence() != self.end.sequence + 1;
        self.untold = true;
        self.end = Head { sequence: last.sequence(), chain: last.entry.chain };
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }
}

/// Waits for the entries after a sequence.
pub(crate) struct After<'t> {
    tail: &'t Tail,
    after: u64,
    limit: usize,
    /// Its place among those who wait, once it does.
    ticket: Option<u64>,
}

impl Future for After<'_> {
    type Output = Next;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next> {
        let mut state = self.tail.state();
        state.asked = true;
        if let Some(next) = state.after(self.after, self.limit) {
            return Poll::Ready(next);
        }
        let ticket = self.ticket.unwrap_or(state.last_ticket + 1);
        state.last_ticket = state.last_ticket.max(ticket);
        let before = state.waiting.insert(ticket, context.waker().clone());
        // Dropping a task's last waker may drop the task, whose own `After` locks the state again.
        drop(state);
        drop(before);
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl Drop for After<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = self.tail.state().waiting.remove(&ticket);
            drop(waker);
        }
    }
}

/// All tails of a writer.
#[derive(Default)]
pub(crate) struct Tails(BTreeMap<LedgerId, Arc<Tail>>);

/// New entries of one log, for its tail.
pub(crate) type News = (LedgerId, Vec<Arc<Line>>);

impl Tails {
    /// The end of a log that ends with `end`; from now on what is appended to it is kept.
    pub(crate) fn of(&mut self, id: LedgerId, end: Head) -> Arc<Tail> {
        if self.0.get(&id).is_some_and(|tail| tail.state().end != end) {
            self.end(id);
        }
        self.0.entry(id).or_insert_with(|| Arc::new(Tail::new(end))).clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The logs that are followed.
    pub(crate) fn ids(&self) -> impl Iterator<Item = LedgerId> {
        self.0.keys().copied()
    }

    /// The entries of a turn that followers are to see, once it is durable.
    pub(crate) fn news(&self, appends: &[Append]) -> Vec<News> {
        let followed = appends.iter().filter_map(|append| {
            let id = append.ledger.filter(|id| self.0.contains_key(id))?;
            Some((id, append.entries.iter().cloned().map(Line::new).collect()))
        });
        followed.collect()
    }

    /// Adds what was appended; nobody is woken for it yet.
    pub(crate) fn extend(&mut self, news: Vec<News>) {
        for (id, lines) in news {
            if let Some(tail) = self.0.get(&id) {
                tail.state().extend(lines);
            }
        }
    }

    /// Adds what others appended.
    pub(crate) fn hear(&mut self, news: &[(LedgerId, Since)]) {
        for (id, since) in news {
            match since {
                Since::Entries(entries) if self.0.contains_key(id) => {
                    let lines = entries.iter().cloned().map(Line::new).collect();
                    self.extend(vec![(*id, lines)]);
                }
                Since::Entries(_) => {}
                Since::Reload | Since::WentBack => self.end(*id),
            }
        }
    }

    /// Wakes those who follow a log that went on.
    pub(crate) fn tell(&mut self) {
        self.0.retain(|_, tail| {
            tail.tell();
            !tail.state().ended
        });
    }

    /// Ends the tail of a log whose history may have changed.
    pub(crate) fn end(&mut self, id: LedgerId) {
        if let Some(tail) = self.0.remove(&id) {
            let mut state = tail.state();
            (state.ended, state.untold) = (true, true);
            drop(state);
            tail.tell();
        }
    }

    /// Ends all tails but those of these logs.
    pub(crate) fn keep_only(&mut self, wanted: impl Fn(LedgerId) -> bool) {
        let others: Vec<LedgerId> = self.ids().filter(|id| !wanted(*id)).collect();
        others.into_iter().for_each(|id| self.end(id));
    }

    /// Ends the tails that nobody has asked for since this was last called.
    pub(crate) fn end_unasked(&mut self) {
        let unasked = |tail: &Tail| {
            let mut state = tail.state();
            !mem::take(&mut state.asked) && state.waiting.is_empty()
        };
        let gone: Vec<LedgerId> =
            self.0.iter().filter(|(_, tail)| unasked(tail)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.end(id));
    }
}

/// Followers are not left waiting when the writer ends.
impl Drop for Tails {
    fn drop(&mut self) {
        self.keep_only(|_| false);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::pin::pin;

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

    /// What is told at once.
    fn after(tail: &Tail, after: u64, limit: usize) -> Poll<Next> {
        pin!(tail.after(after, limit)).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn sequences(next: Poll<Next>) -> Vec<u64> {
        match next {
            Poll::Ready(Next::Lines(lines)) => lines.iter().map(|line| line.sequence()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_appended_is_told_to_who_follows() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        append(&mut ledger, 2);
        let tail = tails.of(ID, ledger.head());
        assert!(after(&tail, 2, 9).is_pending());
        tails.hear(&[(ID, append(&mut ledger, 3))]);
        assert_eq!(sequences(after(&tail, 2, 9)), [3, 4, 5]);
        assert_eq!(sequences(after(&tail, 3, 1)), [4]);
        assert!(after(&tail, 5, 9).is_pending());
        assert!(after(&tail, 6, 9).is_pending(), "nobody is that far");
        assert!(matches!(after(&tail, 1, 9), Poll::Ready(Next::InLog)));
        assert!(Arc::ptr_eq(&tail, &tails.of(ID, ledger.head())));
    }

    #[test]
    fn a_tail_ends_at_a_gap_and_with_its_history_and_its_writer() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        let ends = |tail: &Tail| matches!(after(tail, 9, 9), Poll::Ready(Next::Ended));
        let tail = tails.of(ID, ledger.head());
        append(&mut ledger, 1);
        tails.hear(&[(ID, append(&mut ledger, 1))]);
        assert!(ends(&tail));
        tails.tell();
        let tail = tails.of(ID, ledger.head());
        tails.hear(&[(ID, Since::Reload)]);
        assert!(ends(&tail));
        let tail = tails.of(ID, ledger.head());
        append(&mut ledger, 1);
        let another = tails.of(ID, ledger.head());
        assert!(ends(&tail) && !ends(&another));
        drop(tails);
        assert!(ends(&another));
    }

    #[test]
    fn who_is_too_far_behind_reads_the_log() {
        let (mut tails, mut ledger) = (Tails::default(), Ledger::new());
        let tail = tails.of(ID, ledger.head());
        tails.hear(&[(ID, append(&mut ledger, LINES_MAX + 1))]);
        assert!(matches!(after(&tail, 0, 9), Poll::Ready(Next::InLog)));
        assert_eq!(sequences(after(&tail, 1, 1)), [2]);
    }

    #[test]
    fn a_tail_for_which_nobody_asks_goes_and_one_with_a_follower_stays() {
        let (mut tails, ledger) = (Tails::default(), Ledger::new());
        let tail = tails.of(ID, ledger.head());
        let mut waits = Box::pin(tail.after(0, 9));
        assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        tails.end_unasked();
        tails.end_unasked();
        assert!(!tails.is_empty());
        drop(waits);
        tails.end_unasked();
        assert!(tails.is_empty());
    }
}
