//! `license serve`: the license server over a store, until a signal ends it.

mod simulated;
mod starting;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use license_http::Options;
use license_pool::StoreUrl;
use license_types::{ProblemCode, ServerName};

use crate::arguments::Serve;
use crate::context::Context;
use crate::environment::variables;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::span::Span;
use simulated::Clients;

const LISTEN: &str = "127.0.0.1:7427";

/// So often it is looked whether a signal came.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &Serve, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    // Understood before anything is touched.
    let _lease = span(arguments.lease, variables::LICENSE_LEASE, context)?;
    let _grace = span(arguments.grace, variables::LICENSE_GRACE, context)?;
    let url = store(arguments, context)?;
    let listener = listen(arguments, context)?;
    let address = listener.local_addr().map_err(|error| not_listening(LISTEN, &error))?;
    let stop = stop_signals()?;

    let name = server_name(arguments, address, context)?;
    let pool = context.serving(&url, name)?;
    let mut clients = None;
    if arguments.demo {
        clients = Some(Clients::of(&pool)?);
    }
    for file in &arguments.license {
        starting::install(file, &pool, context)?;
    }
    let running = license_http::start(listener, pool, Options::new())
        .map_err(|error| Failure::internal(format!("the server cannot be started: {error}")))?;
    context.data(&format!("{}\n", running.url()))?;
    while !stop.load(Ordering::Relaxed) && context.wait(LOOK)?.is_continue() {
        if let Some(clients) = &mut clients {
            clients.come_and_go(LOOK);
        }
    }
    drop(clients);
    running.stop();
    Ok(Exit::Done)
}

/// The store to serve: the demo has one in memory, so that it is never that of real licenses.
fn store(arguments: &Serve, context: &Context<'_, '_>) -> Result<StoreUrl, Failure> {
    if !arguments.demo {
        return context.store_url();
    }
    match &context.everywhere.store {
        Some(store) if store != "memory:" => {
            Err(Failure::usage("the demo keeps its licenses in memory").hint("leave --store out"))
        }
        Some(_) | None => Ok(StoreUrl::Memory),
    }
}

fn listen(arguments: &Serve, context: &Context<'_, '_>) -> Result<TcpListener, Failure> {
    let text = match &arguments.listen {
        Some(text) => text.clone(),
        None => context.env.variable(variables::LICENSE_LISTEN)?.unwrap_or(LISTEN.to_owned()),
    };
    let addresses: Vec<SocketAddr> = match text.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Err(Failure::usage(format!("`{text}` is no address to listen on: {error}"))
                .hint(format!("write HOST:PORT, such as {LISTEN}")));
        }
    };
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(Failure::usage(format!("{text} can be reached from other machines"))
            .hint("listen on a loopback address, such as 127.0.0.1"));
    }
    TcpListener::bind(&*addresses).map_err(|error| not_listening(&text, &error))
}

fn not_listening(address: &str, error: &std::io::Error) -> Failure {
    Failure::new(ProblemCode::StoreUnavailable, format!("cannot listen on {address}: {error}"))
        .hint("--listen names another address")
}

fn server_name(
    arguments: &Serve,
    address: SocketAddr,
    context: &Context<'_, '_>,
) -> Result<ServerName, Failure> {
    if let Some(name) = &arguments.server_name {
        return Ok(name.clone());
    }
    let name = context.env.variable(variables::LICENSE_SERVER_NAME)?;
    let name = name.unwrap_or_else(|| address.to_string());
    ServerName::new(name).map_err(|invalid| Failure::usage(invalid.to_string()))
}

/// A span that is given as a flag or as a variable.
fn span(
    flag: Option<Span>,
    variable: &str,
    context: &Context<'_, '_>,
) -> Result<Option<Duration>, Failure> {
    if let Some(Span(span)) = flag {
        return Ok(Some(span));
    }
    let Some(text) = context.env.variable(variable)? else { return Ok(None) };
    let span = Span::from_str(&text);
    let wrong = |error| Failure::usage(format!("`{text}` in {variable} is no time: {error}"));
    span.map(|Span(span)| Some(span)).map_err(wrong)
}

/// Becomes true when the process is told to end.
fn stop_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|error| Failure::internal(format!("signals cannot be heard: {error}")))?;
    }
    Ok(stop)
}
