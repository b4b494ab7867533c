//! What an administrator asks of a pool: which servers share the store, and what is believed of its
//! clock.

use license_core::{Event, Stamp};
use license_types::{Count, Seconds, ServerState, ServerStatus};

use crate::log::{ServerRow, Turn};
use crate::turn::Moment;
use crate::turn::step::{Gathering, Step};
use crate::writer::Writer;
use crate::writer::watcher::Watcher;
use crate::{ClockState, Error, Pending, Pool};

impl Pool {
    /// The servers that share the store, in the order of their names.
    ///
    /// ```
    /// use license_pool::Pool;
    ///
    /// let pool = Pool::options().server("db1:7427".parse()?).open("memory:")?;
    /// let servers = pool.servers().wait()?;
    /// assert_eq!((servers.len(), servers[0].name.as_str()), (1, "db1:7427"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn servers(&self) -> Pending<Vec<ServerStatus>> {
        self.aside(|writer| {
            let rows = writer.register()?;
            let status = |row: &ServerRow| {
                let ledgers = writer.turns.log.serving(&row.name).map_err(Error::store)?;
                Ok(status(row, &writer.upkeep.watcher, ledgers.len()))
            };
            rows.iter().map(status).collect()
        })
    }

    /// The store that took the place of this one, if this one was sealed when it was copied. What is
    /// read here is then as it was at that moment: only the other knows what happened since.
    ///
    /// ```
    /// use license_pool::Pool;
    ///
    /// assert_eq!(Pool::open("memory:")?.successor().wait()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the store said.
    pub fn successor(&self) -> Pending<Option<String>> {
        self.aside(|writer| writer.turns.successor())
    }

    /// The time that entries bear, and whether the store's clock is believed.
    ///
    /// # Errors
    /// What the store said.
    pub fn clock_state(&self) -> Pending<ClockState> {
        self.aside(|writer| writer.turns.clock_state())
    }

    /// The same as [`clock_state`](Self::clock_state), but it fails as well if the store can be read
    /// and takes no writes, as on a full disk. That is known by the server's beats, which come every
    /// third of its lease, and every second after one that failed.
    ///
    /// ```
    /// use license_pool::Pool;
    ///
    /// let pool = Pool::open("memory:")?;
    /// assert!(pool.readiness().wait()?.skew.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the store said.
    pub fn readiness(&self) -> Pending<ClockState> {
        self.aside(Writer::readiness)
    }

    /// Believes the store's clock from now on, whatever it showed before, and records that in the
    /// history of the license: an administrator put it right. Only this lets time step back; it also
    /// takes back the figures of days that are now still to come.
    ///
    /// # Errors
    /// [`Refusal::UnknownLicense`](crate::Refusal::UnknownLicense) when the license is not installed; or what the store said.
    pub fn correct_clock(&self) -> Pending<ClockState> {
        let (licenses, principal) = ([self.license.clone()], self.principal.clone());
        self.aside(move |writer| {
            let before = writer.turns.doubt_clock();
            let corrected = writer.turns.turn(&licenses, |moment| {
                let Moment { ledgers, found, stamp, clock, .. } = moment;
                let (id, ledger) = match ledgers.get(&licenses[0], &found[0]) {
                    Ok(found) => found,
                    Err(error) => return Ok((Turn::default(), Err(error))),
                };
                let mut gathering = Gathering::default();
                let (gathered, _) = gathering.of(id, ledger);
                let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
                let mut step = Step { ledger, stamp: &stamp, clock, gathered };
                step.append(Event::ClockCorrected)?;
                let appends = gathering.into_appends(ledgers);
                Ok((Turn { appends, ..Turn::default() }, Ok(clock)))
            });
            let corrected = corrected.flatten();
            match (&corrected, &writer.router) {
                (Err(_), _) => writer.turns.trust_clock(before),
                (Ok(_), Some(router)) => {
                    router.tell_others(|writer| {
                        writer.turns.doubt_clock();
                    });
                }
                (Ok(_), None) => {}
            }
            corrected
        })
    }
}

fn status(row: &ServerRow, watcher: &Watcher, ledgers: usize) -> ServerStatus {
    let still = watcher.still(&row.name);
    let state = if row.is_ended() || row.alive == Some(false) {
        ServerState::Dead
    } else if still.as_secs() > row.lease_seconds {
        ServerState::Silent
    } else {
        ServerState::Live
    };
    let count = |count: u64| Count::new(count).unwrap_or(Count::MAX);
    let seconds = |seconds: u64| Seconds::new(seconds).unwrap_or(Seconds::MAX);
    ServerStatus {
        name: row.name.clone(),
        state,
        epoch: count(row.epoch),
        transient: row.transient,
        lease_seconds: seconds(row.lease_seconds),
        grace_seconds: seconds(row.grace_seconds),
        silent_seconds: seconds(still.as_secs()),
        ledgers: count(u64::try_from(ledgers).unwrap_or(u64::MAX)),
        format: count(row.format),
    }
}
