//! `license history`: the log, entry by entry, as it is read.

mod columns;
mod follow;
mod line;

use license_pool::{Error, HistoryPage, Selection, explained};
use license_types::Entry;

use self::follow::Follower;
use self::line::Lines;
use crate::anonymize::Pseudonyms;
use crate::arguments::History;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::span;
use crate::licenses::Licenses;
use crate::output::json_line;
use crate::output::progress::Progress;
use crate::retold;

pub(super) fn run(arguments: &History, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let wanted = wanted(arguments)?;
    let pseudonyms = Pseudonyms::asked(&arguments.anonymized, context)?;
    let mut licenses = context.licenses()?;
    if arguments.verify {
        verify(licenses.as_mut(), context)?;
    }
    let mut form = Form::new(arguments, context.json());
    if let Form::Csv = form {
        context.data(&columns::headings())?;
    }
    let mut follower = arguments.user.clone().map(Follower::new);
    let read = match follower {
        // The follower needs earlier entries and other kinds too, to know what the user holds.
        Some(_) => Selection { from: None, kinds: Vec::new(), ..wanted.clone() },
        None => wanted.clone(),
    };
    let mut progress = Progress::of_entries("history", context.env.stderr_is_terminal);
    let mut anything = false;
    let first = retold::begins_at(licenses.as_mut());
    let shown = licenses.history(read, &mut |HistoryPage { entries, reached, end, .. }| {
        anything |= end > 0;
        for entry in entries {
            if follower.as_mut().is_some_and(|follower| !follower.concerns(&entry))
                || !takes(&wanted, arguments, &entry)
            {
                continue;
            }
            let entry = match &pseudonyms {
                Some(pseudonyms) => pseudonyms.entry(entry),
                None => entry,
            };
            if context.env.stdout_is_terminal {
                progress.wipe(context.env.stderr);
            }
            context.data(&form.text(&entry, arguments))?;
        }
        progress.total(end);
        progress.advance(reached, context.env.stderr);
        Ok(())
    });
    progress.wipe(context.env.stderr);
    shown?;
    say_deleted(first, retold::begins_at(licenses.as_mut()), context);
    if !anything {
        context.nothing_installed();
    }
    Ok(Exit::Done)
}

/// Which entries to show, as far as a log can select them.
fn wanted(arguments: &History) -> Result<Selection, Failure> {
    let (from, to) = span(arguments.from, arguments.to, &arguments.time_zone.0)?;
    Ok(Selection {
        from,
        to,
        product: arguments.product,
        session: arguments.session.clone(),
        kinds: arguments.kind.clone(),
    })
}

/// Says so if the log began with entry `first` before it was read, and with a later one afterwards.
fn say_deleted(first: u64, now: u64, context: &mut Context<'_, '_>) {
    if 0 < first && first < now {
        let last = now - 1;
        context.say(&format!(
            "entries {first} to {last} were deleted while the log was read: some may be missing here"
        ));
    }
}

/// How entries are written.
enum Form {
    Json,
    Csv,
    Lines(Lines),
}

impl Form {
    fn new(arguments: &History, json: bool) -> Form {
        match (arguments.csv, json) {
            (true, _) => Form::Csv,
            (false, true) => Form::Json,
            (false, false) => Form::Lines(Lines::new(arguments.time_zone.0.clone())),
        }
    }

    fn text(&mut self, entry: &Entry, arguments: &History) -> String {
        match self {
            Form::Json => json_line(entry),
            Form::Csv => columns::line(entry, &arguments.time_zone.0),
            Form::Lines(lines) => lines.line(entry),
        }
    }
}

/// Whether to show an entry. The log selects most; this adds the server, by which it cannot, and what
/// was only read for the follower.
fn takes(wanted: &Selection, arguments: &History, entry: &Entry) -> bool {
    let kinds = &wanted.kinds;
    arguments.server_name.as_ref().is_none_or(|server| *server == entry.server)
        && wanted.from.is_none_or(|from| from <= entry.time.timestamp())
        && (kinds.is_empty() || kinds.contains(&entry.event.kind()))
}

fn verify(licenses: &mut dyn Licenses, context: &mut Context<'_, '_>) -> Result<(), Failure> {
    let mut progress = Progress::of_entries("verify", context.env.stderr_is_terminal);
    let check =
        retold::verify(licenses, &mut |reached| progress.advance(reached, context.env.stderr));
    progress.wipe(context.env.stderr);
    let check = check?;
    let mut said = match (check.first, check.last) {
        (_, 0) => "the log is empty".to_owned(),
        (first, last) => {
            format!("the chain holds from entry {first} to entry {last}, {}", check.chain)
        }
    };
    match check.fault {
        None => context.say(&said),
        Some(error) => {
            if check.last == 0 {
                "the chain does not hold".clone_into(&mut said);
            }
            let why = match &error {
                Error::LedgerFaulted { sequence, source } => {
                    format!("entry {sequence}: {}", explained(source))
                }
                error => explained(error),
            };
            return Err(Failure::damaged(format!("{said}: {why}")));
        }
    }
    if check.first > 1 {
        context.say("the entries before are deleted");
    }
    Ok(())
}
