//! Installs and uninstalls licenses, each in a turn of its own: which ledger an installation concerns
//! shows only then.

use std::sync::Arc;

use license_core::{Command, Ledger, Outcome, Stamp, decide};

use super::step::{Gathered, Step};
use super::{Moment, Turns};
use crate::Error;
use crate::log::{Append, Found, Turn, Which};
use crate::request::{Installation, Uninstallation};

impl Turns {
    /// Installs a license or says why not.
    pub(crate) fn install(&mut self, installation: Installation) {
        let Installation { principal, install, dry_run, reply } = installation;
        let number: Arc<str> = install.license.number().into();
        let mut licenses = vec![Which::Number(number.clone())];
        licenses.extend(install.replaces.as_deref().map(|number| Which::Number(number.into())));
        let replaces = install.replaces.is_some();
        let command = Command::Install(install);
        let receipt = self.turn(&licenses, |Moment { ledgers, found, stamp, clock, .. }| {
            let now = clock.now;
            let mut fresh = Ledger::new();
            let continued = match continued(&licenses, found) {
                Ok(continued) => continued,
                Err(error) => return Ok((Turn::default(), Err(error))),
            };
            let (id, ledger) = match continued.map(|at| ledgers.get(&licenses[at], &found[at])) {
                Some(Ok((id, ledger))) => (Some(id), ledger),
                Some(Err(error)) => return Ok((Turn::default(), Err(error))),
                None => (None, &mut fresh),
            };
            if !replaces && let Some(error) = replaced(ledger, &number) {
                return Ok((Turn::default(), Err(error)));
            }
            let verdict = match decide(ledger, &command, stamp, now) {
                Ok(verdict) => verdict,
                Err(refusal) => return Ok((Turn::default(), Err(Error::Refused(refusal)))),
            };
            let mut gathered = Gathered::new(ledger);
            if !dry_run {
                let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
                let mut step = Step { ledger, stamp: &stamp, clock, gathered: &mut gathered };
                verdict.events.into_iter().try_for_each(|event| step.append(event))?;
            }
            let append = gathered.into_append(id, ledger);
            let append = append.map(|append| Append { number: Some(number.clone()), ..append });
            let turn = Turn { appends: append.into_iter().collect(), ends: Vec::new() };
            match verdict.outcome {
                Outcome::Installed(receipt) => Ok((turn, Ok(*receipt))),
                Outcome::Uninstalled(_)
                | Outcome::Granted { .. }
                | Outcome::Renewed
                | Outcome::Released => unreachable!("an install command installs"),
            }
        });
        reply(receipt.flatten());
    }

    /// Uninstalls a license or says why not.
    pub(crate) fn uninstall(&mut self, uninstallation: Uninstallation) {
        let Uninstallation { license, principal, reply } = uninstallation;
        let licenses = [license];
        let receipt = self.turn(&licenses, |Moment { ledgers, found, stamp, clock, .. }| {
            let (id, ledger) = match ledgers.get(&licenses[0], &found[0]) {
                Ok(found) => found,
                Err(error) => return Ok((Turn::default(), Err(error))),
            };
            let verdict = match decide(ledger, &Command::Uninstall, stamp, clock.now) {
                Ok(verdict) => verdict,
                Err(refusal) => return Ok((Turn::default(), Err(Error::Refused(refusal)))),
            };
            let mut gathered = Gathered::new(ledger);
            let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
            let mut step = Step { ledger, stamp: &stamp, clock, gathered: &mut gathered };
            verdict.events.into_iter().try_for_each(|event| step.append(event))?;
            let append = gathered.into_append(Some(id), ledger);
            let turn = Turn { appends: append.into_iter().collect(), ends: Vec::new() };
            match verdict.outcome {
                Outcome::Uninstalled(receipt) => Ok((turn, Ok(*receipt))),
                Outcome::Installed(_)
                | Outcome::Granted { .. }
                | Outcome::Renewed
                | Outcome::Released => unreachable!("an uninstall command uninstalls"),
            }
        });
        reply(receipt.flatten());
    }
}

/// Why a license of this number is not put back: another that replaced it is in force.
fn replaced(ledger: &Ledger, number: &str) -> Option<Error> {
    let by = ledger.license()?.number();
    (by != number).then(|| Error::NumberReplaced { number: number.to_owned(), by: by.to_owned() })
}

/// The license of the two that an installation continues, by its place; none where it is new.
fn continued(licenses: &[Which], found: &[Found]) -> Result<Option<usize>, Error> {
    match (licenses, found) {
        (_, [Found::Ledger(_)]) => Ok(Some(0)),
        (
            [Which::Number(number), Which::Number(replaces)],
            [Found::Ledger(own), Found::Ledger(other)],
        ) if own != other => {
            Err(Error::NumberTaken { number: number.to_string(), replaces: replaces.to_string() })
        }
        (_, [_, _]) => Ok(Some(1)),
        _ => Ok(None),
    }
}
