//! `license store`: copies the whole store; checks it, by reading all of it and recomputing everything
//! that can be; or says that its clock is right.

use license_pool::CopyOptions;
use license_types::{LedgerCheck, StoreCheck, StoreCopy};

use crate::arguments::{Copy, Store, StoreCommand};
use crate::context::{Context, answered};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::progress::Progress;
use crate::output::table::Rows;
use crate::output::text::escaped;
use crate::store;

pub(super) fn run(arguments: &Store, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    match &arguments.command {
        StoreCommand::Check => check(context),
        StoreCommand::Copy(arguments) => copy(arguments, context),
        StoreCommand::CorrectClock => correct_clock(context),
    }
}

fn check(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let check = context.licenses()?.check()?;
    let written = if context.json() {
        context.value(&check)
    } else {
        let text = text(&check, context.width());
        context.data(&text)
    };
    let sound = check.faults.is_empty() && check.ledgers.iter().all(|ledger| ledger.sound);
    if !sound {
        context
            .say("the store is damaged: keep a copy as it is, then restore the last sound backup");
    }
    answered(written, if sound { Exit::Done } else { Exit::Refused })
}

fn copy(arguments: &Copy, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let from = context.store_url()?;
    let (to, target_password) = context.copy_url(&arguments.to)?;
    let password = context.password(&from)?;
    let options = CopyOptions { seal: arguments.seal, password, target_password };
    let mut progress = Progress::of_entries("copy", context.env.stderr_is_terminal);
    let copied = store::copy(&from, &to, &options, |reached, total| {
        progress.total(total);
        progress.advance(reached, context.env.stderr);
    });
    progress.wipe(context.env.stderr);
    let copied = copied?;
    if context.json() {
        context.value(&copied)?;
    } else {
        let StoreCopy { from, to, entries, ledgers, .. } = &copied;
        let licenses = if ledgers.get() == 1 { "license" } else { "licenses" };
        let text = format!("copied {entries} entries of {ledgers} {licenses} from {from} to {to}");
        context.data(&(escaped(&text).into_owned() + "\n"))?;
    }
    for fault in &copied.faults {
        context.say(&format!("warning: {fault}: it is so in the store that was copied too"));
    }
    if copied.sealed {
        context.say("the store that was copied is sealed: start its servers on the copy");
    } else if let Some(target) = &copied.successor {
        context.say(&format!(
            "the store that was copied is sealed: {target} took its place, and knows what happened since"
        ));
    } else {
        context.say(
            "the store that was copied goes on: keep the copy as a backup; --seal would move it",
        );
    }
    Ok(if copied.faults.is_empty() { Exit::Done } else { Exit::Refused })
}

fn correct_clock(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let pool = context.store()?;
    let corrected = store::correct_clock(&pool)?;
    if context.json() {
        context.value(&corrected)?;
    } else if corrected.license_numbers.is_empty() {
        context.say("no license is installed, so there is no history whose clock could be wrong");
    } else {
        let numbers = corrected.license_numbers.join(", ");
        let text = format!("{}: the clock is right, says the history of {numbers}", corrected.time);
        context.data(&(escaped(&text).into_owned() + "\n"))?;
    }
    Ok(Exit::Done)
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
