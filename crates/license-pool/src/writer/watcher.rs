//! Watches the other servers of the store and says which of them are dead. Pure: it is told what the
//! register showed, and when.
//!
//! A server is dead when its epoch was ended, when the store shows that its process is gone (SQLite,
//! by a lock), or when its beat stood still for its lease plus its grace. Only time in which this
//! server watched and could use the store itself counts towards that.

use std::collections::BTreeMap;
use std::time::Duration;

use license_types::ServerName;

use crate::log::ServerRow;

/// What is known of the other servers.
#[derive(Default)]
pub(crate) struct Watcher {
    seen: BTreeMap<ServerName, Seen>,
    /// When the register was last read; none if that failed since.
    read: Option<Duration>,
    /// Whether the store shows at once who lives.
    shows: bool,
    /// This server's own beat, as the register last showed it.
    own: Option<u64>,
}

struct Seen {
    row: ServerRow,
    /// How long its beat has stood still while it was watched.
    still: Duration,
}

/// A server that is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) row: ServerRow,
    /// Whether only its silence says so: it may have died long before that was noticed.
    pub(crate) silent: bool,
}

impl Watcher {
    /// Whether the store went back in time: after another beat of this server, the register shows no
    /// more beats than before. Then what it shows of the others is old as well, however alive they
    /// are, so how long they stood still is counted anew.
    pub(crate) fn goes_back(&mut self, rows: &[ServerRow], own: &ServerName) -> bool {
        let shown = rows.iter().find(|row| row.name == *own).map(|row| row.beat);
        let before = std::mem::replace(&mut self.own, shown);
        let goes_back = shown.zip(before).is_some_and(|(shown, before)| shown <= before);
        if goes_back {
            self.seen.clear();
        }
        goes_back
    }

    /// Takes in what the register shows at `elapsed`, when it is read every `every`; gives who is
    /// dead.
    ///
    /// Of the time since the last reading at most `every` counts, and none if that failed or is more
    /// than twice as long ago: this process was stopped then, or could not use the store. After such a
    /// gap every other server gets the time for one more beat, since one that it made meanwhile may
    /// have been lost with a store that went back.
    pub(crate) fn see(
        &mut self,
        rows: &[ServerRow],
        own: &ServerName,
        elapsed: Duration,
        every: Duration,
    ) -> Vec<Dead> {
        let passed = self.read.map(|read| elapsed.saturating_sub(read));
        let passed = passed.filter(|passed| *passed <= every * 2).map(|passed| passed.min(every));
        self.read = Some(elapsed);
        self.shows = rows.iter().any(|row| row.alive.is_some());
        let others = rows.iter().filter(|row| row.name != *own);
        let seen = others.map(|row| {
            let before = self.seen.get(&row.name).filter(|seen| seen.row.is_unchanged(row));
            let still = before.map_or(Duration::ZERO, |seen| match passed {
                Some(passed) => seen.still + passed,
                None => seen.still.min(borne(row).saturating_sub(third(row))),
            });
            (row.name.clone(), Seen { row: row.clone(), still })
        });
        self.seen = seen.collect();
        self.seen.values().filter_map(Seen::dead).collect()
    }

    /// Notes that the register could not be read or written.
    pub(crate) fn missed(&mut self) {
        self.read = None;
    }

    /// How often to look at least, `own` or more often, so that every server's beats are seen.
    pub(crate) fn every(&self, own: Duration) -> Duration {
        self.seen.values().map(|seen| third(&seen.row)).fold(own, Duration::min)
    }

    /// After how long to look next: in time for every beat, and as soon as another server will have
    /// been silent for too long.
    pub(crate) fn next(&self, own: Duration) -> Duration {
        let left = self.seen.values().map(|seen| borne(&seen.row).saturating_sub(seen.still));
        left.filter(|left| !left.is_zero()).fold(self.every(own), Duration::min)
    }

    /// Whether the store shows at once who lives, so that a look finds the dead.
    pub(crate) fn shows_who_lives(&self) -> bool {
        self.shows
    }

    /// How long the beat of a server has stood still.
    pub(crate) fn still(&self, name: &ServerName) -> Duration {
        self.seen.get(name).map_or(Duration::ZERO, |seen| seen.still)
    }
}

impl Seen {
    fn dead(&self) -> Option<Dead> {
        let Seen { row, still } = self;
        if row.is_ended() || row.alive == Some(false) {
            Some(Dead { row: row.clone(), silent: false })
        } else if *still >= borne(row) {
            Some(Dead { row: row.clone(), silent: true })
        } else {
            None
        }
    }
}

/// For how long the silence of a server is borne.
fn borne(row: &ServerRow) -> Duration {
    Duration::from_secs(row.lease_seconds.saturating_add(row.grace_seconds))
}

/// How often a server beats.
fn third(row: &ServerRow) -> Duration {
    // Whatever the row says, nobody looks more often than every second.
    (Duration::from_secs(row.lease_seconds) / 3).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    fn row(name: &str) -> ServerRow {
        ServerRow {
            name: name.parse().unwrap(),
            epoch: 1,
            instance: "1".to_owned(),
            beat: 7,
            lease_seconds: 90,
            grace_seconds: 90,
            transient: false,
            format: 2,
            alive: None,
        }
    }

    /// For how long "east" has stood still after looks at these seconds.
    fn still(looks: &[u64]) -> (u64, bool) {
        let (mut watcher, rows) = (Watcher::default(), [row("east"), row("own")]);
        let own = row("own").name;
        let mut dead = Vec::new();
        for look in looks {
            dead = watcher.see(&rows, &own, Duration::from_secs(*look), EVERY);
        }
        (watcher.still(&rows[0].name).as_secs(), !dead.is_empty())
    }

    #[test]
    fn of_the_time_between_two_looks_no_more_counts_than_lies_between_two_beats() {
        assert_eq!(still(&[0, 30, 60]), (60, false));
        assert_eq!(still(&[0, 59, 118]), (60, false), "it was late, not blind");
        assert_eq!(still(&[0, 30, 91, 121]), (60, false), "it did not run");
        assert_eq!(still(&[0, 30, 60, 90, 120, 150, 179]), (179, false));
        assert_eq!(still(&[0, 30, 60, 90, 120, 150, 180]), (180, true));
        // Who did not look on gives everybody the time for a beat.
        assert_eq!(still(&[0, 30, 60, 90, 120, 150, 179, 999]), (150, false));
    }
}
