//! `license usage`: who holds which license now.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use license_types::{LicenseUsage, ServerName, Token, observed};

use crate::arguments::Usage;
use crate::context::Context;
use crate::exit::Exit;
use crate::exports::{self, Described, Record};
use crate::failure::Failure;
use crate::licenses::{Held, Licenses};
use crate::output::table::Rows;
use crate::output::{instant, json, json_line, product};

/// Clears the terminal, and moves the cursor to its top.
const REPAINT: &str = "\x1b[H\x1b[2J";

/// The pause of `--watch` before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Usage, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    if !arguments.exports.from.is_empty() {
        return exported(arguments, context);
    }
    let mut licenses = context.licenses()?;
    let held = look(arguments, licenses.as_mut(), context)?;
    context.warn_if_sealed(licenses.as_mut())?;
    if held.is_empty() && licenses.info()?.is_none() {
        context.nothing_installed();
    }
    let mut shown = text(held, arguments, context);
    if arguments.watch && context.env.stdout_is_terminal {
        context.data(REPAINT)?;
    }
    context.data(&shown)?;
    while arguments.watch && context.wait(LOOK_AGAIN)?.is_continue() {
        // If nothing changes, nothing is written, and no write would show that the reader has gone.
        if !(context.env.stdout_is_read)() {
            return Err(Failure::ReaderGone);
        }
        let now = look(arguments, licenses.as_mut(), context)?;
        let now = text(now, arguments, context);
        if context.env.stdout_is_terminal {
            context.data(REPAINT)?;
            context.data(&now)?;
        } else if now != shown {
            context.data(&now)?;
        }
        shown = now;
    }
    Ok(Exit::Done)
}

fn look(
    arguments: &Usage,
    licenses: &mut dyn Licenses,
    context: &Context<'_, '_>,
) -> Result<Vec<Held>, Failure> {
    // JSON shows the records, which do not name the server; only the table needs it.
    let mut held = licenses.usage(arguments.server_name.as_ref(), !context.json())?;
    held.retain(|held| {
        arguments.product.is_none_or(|product| product == held.retention.product_id)
    });
    Ok(held)
}

fn text(held: Vec<Held>, arguments: &Usage, context: &Context<'_, '_>) -> String {
    if !context.json() {
        return table(held, context.width());
    }
    let usage: LicenseUsage = held.into_iter().map(|held| held.retention).collect();
    // With --watch, each report is one line.
    if arguments.watch { json_line(&usage) } else { json(&usage) }
}

fn table(held: Vec<Held>, width: Option<u16>) -> String {
    let name = |held: &Held| held.server.as_ref().map_or("", ServerName::as_str).into();
    let rows = held.into_iter().map(|held| (name(&held), held.retention.into()));
    rows_of("server", rows, width)
}

/// Shows what exported reports list, with the file in place of the server, which no record names.
fn exported(arguments: &Usage, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    if arguments.server_name.is_some() {
        let detail = "--server-name cannot narrow exported reports: no record tells its server";
        let cure = "give only the files that were exported from that server";
        return Err(Failure::usage(detail).hint(cure));
    }
    let mut listed: Vec<(Rc<str>, observed::Retention)> = Vec::new();
    // Indexes into `listed` by token, so that few records are compared with each other.
    let mut by_token: HashMap<Token, Vec<usize>> = HashMap::new();
    for export in exports::list(&arguments.exports, context)? {
        let file: Rc<str> = export.file.as_str().into();
        let mut count = 0;
        export.read(context, |record| {
            let Record::Retention(retention) = record else {
                let detail = format!("{file} is a License info and lists no retentions");
                let cure = "`license report` reads it beside usage reports";
                return Err(Failure::usage(detail).hint(cure));
            };
            count += 1;
            if arguments.product.is_some_and(|product| product != retention.product_id) {
                return Ok(());
            }
            let same_token = by_token.entry(retention.token).or_default();
            // The same record in another file is the same retention, seen twice.
            let is_told = |&index: &usize| listed[index].0 != file && listed[index].1 == *retention;
            if !same_token.iter().any(is_told) {
                same_token.push(listed.len());
                listed.push((file.clone(), *retention));
            }
            Ok(())
        })?;
        context.say(&format!("{file}: {} as of {}", counted(count), instant(export.at)));
    }
    match context.json() {
        true => {
            let usage: Vec<_> = listed.into_iter().map(|(_, retention)| retention).collect();
            context.value(&usage)?;
        }
        false => context.data(&rows_of("file", listed, context.width()))?,
    }
    Ok(Exit::Done)
}

/// A table of retentions, each with its source: a server or a file.
fn rows_of(
    source: &str,
    retentions: impl IntoIterator<Item = (Rc<str>, observed::Retention)>,
    width: Option<u16>,
) -> String {
    let mut retentions = retentions.into_iter().peekable();
    if retentions.peek().is_none() {
        return "nothing is retained\n".to_owned();
    }
    let headings = ["token", "product", source, "user", "host", "address", "since", "reason"];
    let mut rows = Rows::new(&headings, width).right_aligned(0..1);
    for (source, retention) in retentions {
        let time = &retention.time;
        rows.row([
            &*retention.token.to_string(),
            &product(&retention.product_name, retention.product_id),
            &source,
            retention.session.user(),
            retention.session.host(),
            retention.session.address(),
            &time.timestamp().map_or_else(|| time.to_string(), instant),
            retention.reason.as_str(),
        ]);
    }
    rows.text()
}

fn counted(retentions: usize) -> String {
    match retentions {
        1 => "1 retention".to_owned(),
        _ => format!("{retentions} retentions"),
    }
}
