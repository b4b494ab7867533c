//! Keeps the commands of turns whose commit got no answer. Their callers are told nothing until the
//! store says what became of the turn: what was made is answered; what was not is decided again, as
//! if it had just been asked. Whoever has waited for as long as the pool's patience is told that the
//! outcome is unknown.
//!
//! Deciding again must not do more than the first time, or a release could end a retention that its
//! caller never meant: see [`keep_to_what_was_decided`].

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use license_core::Command;
use license_types::Token;

use super::Writer;
use crate::Error;
use crate::log::Which;
use crate::request::{Done, Write};
use crate::turn::commands::Written;
use crate::turn::{Turned, Unknown};

/// A turn of which nobody knows whether it was made.
pub(crate) struct Undecided {
    pub(crate) writes: Vec<Write>,
    pub(crate) unknown: Unknown<Written>,
    /// The elapsed time at which the callers are told that it is unknown.
    pub(crate) until: Duration,
}

impl Writer {
    /// Asks the store what became of the turns whose commit got no answer.
    pub(crate) fn decide_undecided(&mut self) {
        for Undecided { mut writes, unknown, until } in mem::take(&mut self.undecided) {
            match self.turns.decide(unknown) {
                Ok(Turned::Made(written)) => self.made(writes, written, Vec::new()),
                Ok(Turned::NotMade(written, _)) => {
                    keep_to_what_was_decided(&mut writes, &written.outcomes);
                    self.write(writes);
                }
                Ok(Turned::Unknown(unknown)) if self.turns.elapsed() < until => {
                    self.undecided.push(Undecided { writes, unknown, until });
                }
                Ok(Turned::Unknown(unknown)) => self.fail(writes, &unknown.error()),
                Err(error) => self.fail(writes, &error),
            }
        }
    }

    /// Asks once more, and tells whoever still waits that the outcome is unknown.
    pub(crate) fn give_up_undecided(&mut self) {
        self.decide_undecided();
        for Undecided { writes, unknown, .. } in mem::take(&mut self.undecided) {
            self.fail(writes, &unknown.error());
        }
    }
}

/// Restricts commands that are decided again to what they did the first time: a release ends only
/// the tokens that it would have ended then, and a command whose caller has gone is dropped.
pub(crate) fn keep_to_what_was_decided(writes: &mut Vec<Write>, outcomes: &[Result<Done, Error>]) {
    let mut ended: BTreeMap<Which, Vec<Token>> = BTreeMap::new();
    for (write, outcome) in writes.iter_mut().zip(outcomes) {
        let released = outcome.as_ref().map_or(&[][..], |done| &done.released);
        if let Command::Release(_) = write.command {
            // Tokens that earlier releases of this turn ended belong to it too: if the caller of such
            // a release has gone, this one finds them still held.
            let ended = ended.entry(write.license.clone()).or_default();
            ended.extend(released.iter().map(|released| released.token));
            write.only = Some(ended.clone());
        }
    }
    writes.retain(|write| !write.reply.is_gone() && !write.is_answered());
}
