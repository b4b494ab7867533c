//! `license usage`: who holds which license now.

use std::time::Duration;

use license_types::{LicenseUsage, Session};

use crate::arguments::Usage;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::{Held, Licenses};
use crate::output::table::Rows;
use crate::output::{json, json_line, product, time};

/// Clears the terminal and puts the cursor at its top.
const REPAINT: &str = "\x1b[H\x1b[2J";

/// Between two looks at what is held.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Usage, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut licenses = context.licenses()?;
    let held = look(arguments, licenses.as_mut())?;
    if held.is_empty() && licenses.info()?.is_none() {
        context.nothing_installed();
    }
    let mut shown = text(held, arguments, context);
    if arguments.watch && context.env.stdout_is_terminal {
        context.data(REPAINT)?;
    }
    context.data(&shown)?;
    while arguments.watch && context.wait(LOOK_AGAIN)?.is_continue() {
        let now = text(look(arguments, licenses.as_mut())?, arguments, context);
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

fn look(arguments: &Usage, licenses: &mut dyn Licenses) -> Result<Vec<Held>, Failure> {
    let mut held = licenses.usage()?;
    held.retain(|held| {
        arguments.product.is_none_or(|product| product == held.retention.product_id)
            && arguments.server_name.as_ref().is_none_or(|name| *name == held.server)
    });
    Ok(held)
}

fn text(held: Vec<Held>, arguments: &Usage, context: &Context<'_, '_>) -> String {
    if !context.json() {
        return table(&held, context.width());
    }
    let usage: LicenseUsage = held.into_iter().map(|held| held.retention).collect();
    // Whoever watches reads one report a line.
    if arguments.watch { json_line(&usage) } else { json(&usage) }
}

fn table(held: &[Held], width: Option<u16>) -> String {
    if held.is_empty() {
        return "nothing is retained\n".to_owned();
    }
    let headings = ["token", "product", "server", "user", "host", "address", "since", "reason"];
    let mut rows = Rows::new(&headings, width).right_aligned(0..1);
    for Held { server, retention } in held {
        rows.row([
            &*retention.token.to_string(),
            &product(&retention.product_name, retention.product_id),
            server.as_str(),
            retention.session.user_name(),
            host(&retention.session),
            retention.session.ip_address(),
            &time(&retention.time),
            &retention.reason,
        ]);
    }
    rows.text()
}

/// Only a client's session tells its machine.
fn host(session: &Session) -> &str {
    match session {
        Session::Client(client) => &client.machine_name,
        Session::Sql(_) | Session::Rest(_) => "",
    }
}
