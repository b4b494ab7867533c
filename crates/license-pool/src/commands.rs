//! Takes the turn of everything that waits to be written, and answers what asks to be read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use license_core::{Ledger, Stamp};

use crate::Error;
use crate::log::{Found, LedgerId, Turn, Which};
use crate::request::{Done, Read, Write};
use crate::step::{Gathering, Step};
use crate::turn::{Moment, Role, Turns, distinct, place};

/// What a turn did.
#[derive(Default)]
pub(crate) struct Written {
    /// One for each command.
    pub(crate) outcomes: Vec<Result<Done, Error>>,
    /// The ledgers in which sessions of another server are served here now.
    pub(crate) adopted: Vec<LedgerId>,
}

impl Turns {
    /// Takes one turn for all of `writes`; one outcome each, once they are durable.
    pub(crate) fn write(&mut self, writes: &[Write]) -> Result<Written, Error> {
        let licenses = distinct(writes.iter().map(|write| &write.license));
        let serving = self.actor.role == Role::Serving;
        self.turn(&licenses, |Moment { ledgers, found, stamp, clock }| {
            let now = clock.now;
            let mut gathering = Gathering::default();
            let mut written = Written::default();
            for write in writes {
                let found = &found[place(&licenses, &write.license)];
                written.outcomes.push(match ledgers.get(&write.license, found) {
                    Ok((id, ledger)) => {
                        let (gathered, first) = gathering.of(id, ledger);
                        let stamp = Stamp { principal: write.principal.clone(), ..stamp.clone() };
                        let mut step = Step { ledger, stamp: &stamp, now, gathered };
                        if serving && first && step.adopt_local()? {
                            written.adopted.push(id);
                        }
                        step.write(id, &write.command)?
                    }
                    Err(error) => Err(error),
                });
            }
            Ok((Turn { appends: gathering.into_appends(ledgers), ..Turn::default() }, written))
        })
    }

    /// Answers reports from ledgers brought up to date after the requests came in.
    pub(crate) fn read(&mut self, reads: Vec<Read>) {
        let licenses = distinct(reads.iter().map(|read| &read.license));
        let caught_up = self.catch_up(&licenses);
        // Where nothing is installed, and none was named, the reports are empty.
        let nothing = Ledger::new();
        for Read { license, run } in reads {
            let found = caught_up
                .as_ref()
                .map(|(found, clock)| (&found[place(&licenses, &license)], clock));
            let ledger = match (found, &license) {
                (Ok((Found::Unknown, clock)), Which::Only) => Ok((&nothing, clock.now)),
                (Ok((found, clock)), _) => {
                    self.ledgers.get(&license, found).map(|(_, ledger)| (&*ledger, clock.now))
                }
                (Err(error), _) => Err(error.clone()),
            };
            // Who asked for a report that panics gets no answer; the others do.
            let _ = catch_unwind(AssertUnwindSafe(|| run(ledger)));
        }
    }
}
