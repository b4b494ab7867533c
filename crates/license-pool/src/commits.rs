//! Statistics on the commits of a pool: how much each made durable, and how long it took. For
//! monitoring; nothing is decided by them.

use std::sync::PoisonError;
use std::time::Duration;

use crate::{Pending, Pool};

/// Statistics on the commits of a pool since it was opened.
#[derive(Clone, Debug)]
pub struct Commits {
    /// How many entries each made durable.
    pub entries: Histogram,
    /// Microseconds from the moment when what to append was decided until it was durable.
    pub microseconds: Histogram,
}

/// How many values fell into each of some buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The greatest value of each bucket but the last, which has no end.
    ends: &'static [u64],
    /// How many values each bucket has.
    counts: Vec<u64>,
    sum: u64,
}

const ENTRIES: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const MICROSECONDS: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000];

impl Commits {
    pub(crate) fn new() -> Commits {
        Commits { entries: Histogram::new(ENTRIES), microseconds: Histogram::new(MICROSECONDS) }
    }

    pub(crate) fn note(&mut self, entries: u64, time: Duration) {
        self.entries.note(entries);
        self.microseconds.note(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

impl Histogram {
    fn new(ends: &'static [u64]) -> Histogram {
        Histogram { ends, counts: vec![0; ends.len() + 1], sum: 0 }
    }

    fn note(&mut self, value: u64) {
        let at = self.ends.partition_point(|end| *end < value);
        self.counts[at] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Each end, and how many values did not go beyond it.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ends.iter().zip(&self.counts).scan(0, |sum, (end, count)| {
            *sum += count;
            Some((*end, *sum))
        })
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All values together.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

impl Pool {
    /// Statistics on the commits of this pool since it was opened.
    ///
    /// ```
    /// use license_pool::{Pool, SAMPLE_LICENSE};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let commits = pool.commits().wait()?;
    /// assert_eq!((commits.entries.count(), commits.entries.sum()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) once the pool is.
    pub fn commits(&self) -> Pending<Commits> {
        self.aside(|writer| {
            let commits = writer.turns.commits.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(commits.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_at_its_end_and_at_every_greater_one() {
        let mut histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, u64::MAX] {
            histogram.note(value);
        }
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(1, 2), (10, 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (6, u64::MAX));
    }
}
