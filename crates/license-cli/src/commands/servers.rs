//! `license servers`: who shares the store.

use license_types::ServerStatus;

use crate::arguments::Servers;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Rows;

pub(super) fn run(arguments: &Servers, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut servers = context.licenses()?.servers()?;
    servers.retain(|server| arguments.server_name.as_ref().is_none_or(|it| *it == server.name));
    if context.json() {
        context.value(&servers)?;
    } else {
        let text = table(&servers, context.width());
        context.data(&text)?;
    }
    Ok(Exit::Done)
}

fn table(servers: &[ServerStatus], width: Option<u16>) -> String {
    if servers.is_empty() {
        return "no server shares the store\n".to_owned();
    }
    let headings = ["server", "state", "epoch", "lease", "grace", "licenses", "format", "ends"];
    let mut rows = Rows::new(&headings, width).right_aligned(2..7);
    for server in servers {
        rows.row([
            server.name.as_str(),
            server.state.as_str(),
            &server.epoch.to_string(),
            &format!("{} s", server.lease_seconds),
            &format!("{} s", server.grace_seconds),
            &server.ledgers.to_string(),
            &server.format.to_string(),
            if server.transient { "with its process" } else { "" },
        ]);
    }
    rows.text()
}
