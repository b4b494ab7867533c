//! `license store check`: reads the whole store and recomputes what can be.

use license_types::{LedgerCheck, StoreCheck};

use crate::arguments::{Store, StoreCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Rows;
use crate::output::text::escaped;

pub(super) fn run(arguments: &Store, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    match arguments.command {
        StoreCommand::Check => check(context),
    }
}

fn check(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let check = context.licenses()?.check()?;
    if context.json() {
        context.value(&check)?;
    } else {
        let text = text(&check, context.width());
        context.data(&text)?;
    }
    let sound = check.faults.is_empty() && check.ledgers.iter().all(|ledger| ledger.sound);
    if !sound {
        context
            .say("the store is damaged: keep a copy as it is, then restore the last sound backup");
    }
    Ok(if sound { Exit::Done } else { Exit::Refused })
}

fn text(check: &StoreCheck, width: Option<u16>) -> String {
    let mut text = format!("{}, format {}\n", escaped(&check.store), check.format);
    for fault in &check.faults {
        text += &format!("damaged: {}\n", escaped(fault));
    }
    if check.ledgers.is_empty() {
        return text + "no license is installed\n";
    }
    let mut rows = Rows::new(&["license", "entries", "held", "found"], width).right_aligned(1..3);
    for LedgerCheck { license_numbers, entries, held, sound, fault } in &check.ledgers {
        let found = match (sound, fault) {
            (true, _) => "sound",
            (false, Some(fault)) => fault,
            (false, None) => "damaged",
        };
        let numbers = license_numbers.join(", ");
        rows.row([&*numbers, &entries.to_string(), &held.to_string(), found]);
    }
    text += &rows.text();
    text
}
