//! `license serve`: the license server over a store, until a signal ends it.

mod listening;
mod simulated;
mod starting;
mod telling;

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use license_http::Options;
use license_pool::{Pool, StoreUrl};
use license_types::{LeaseSeconds, ServerName};

use crate::arguments::Serve;
use crate::context::Context;
use crate::environment::variables;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::span::Span;
use listening::Listening;
use simulated::Clients;

const LEASE: Duration = Duration::from_secs(90);
const GRACE: Duration = Duration::from_secs(90);

/// So often it is looked whether a signal came.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &Serve, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    // Understood before anything is touched.
    let lease = span(arguments.lease, variables::LICENSE_LEASE, LEASE, context)?;
    let grace = span(arguments.grace, variables::LICENSE_GRACE, GRACE, context)?;
    let history = optional(arguments.history, variables::LICENSE_HISTORY, context)?;
    let identities = optional(arguments.identities, variables::LICENSE_IDENTITIES, context)?;
    let lease_seconds = LeaseSeconds::new(lease.as_secs())
        .map_err(|_| Failure::usage("a lease has from 15 seconds to 24 hours"))?;
    let url = store(arguments, context)?;
    let Listening { listener, address, certificate } = listening::open(arguments, context)?;
    let stop = stop_signals()?;

    let name = server_name(arguments, address, context)?;
    let mut pool = Pool::options().server(name).serving().lease(lease).grace(grace);
    if let Some(history) = history {
        pool = pool.history(history);
    }
    if let Some(identities) = identities {
        pool = pool.identities(identities);
    }
    listening::only_safely(arguments, address, certificate.is_some(), &url, context)?;
    let pool = context.serving(&url, pool)?;
    let mut clients = None;
    if arguments.demo {
        clients = Some(Clients::of(&pool)?);
    }
    for file in &arguments.license {
        starting::install(file, &pool, context)?;
    }
    let mut options = Options::new().lease(lease_seconds);
    for host in &arguments.allowed_host {
        options = options.allowed_host(host);
    }
    for proxy in &arguments.trusted_proxy {
        options = options.trusted_proxy(*proxy);
    }
    if let Some(path) = &arguments.usage_log {
        options = options.usage_log(appended(path, context)?);
    }
    telling::begin(arguments.log);
    if let Some(certificate) = certificate {
        options = options.certificate(certificate);
    }
    let running = license_http::start(listener, pool, options)
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

fn appended(path: &Path, context: &Context<'_, '_>) -> Result<File, Failure> {
    let mut file = OpenOptions::new();
    file.append(true).create(true).open(context.env.directory.join(path)).map_err(|error| {
        Failure::usage(format!("{} cannot be written: {error}", crate::output::name_of(path)))
    })
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
    default: Duration,
    context: &Context<'_, '_>,
) -> Result<Duration, Failure> {
    Ok(optional(flag, variable, context)?.unwrap_or(default))
}

fn optional(
    flag: Option<Span>,
    variable: &str,
    context: &Context<'_, '_>,
) -> Result<Option<Duration>, Failure> {
    if let Some(Span(span)) = flag {
        return Ok(Some(span));
    }
    let Some(text) = context.env.variable(variable)? else { return Ok(None) };
    let wrong = |error| Failure::usage(format!("`{text}` in {variable} is no time: {error}"));
    Span::from_str(&text).map(|Span(span)| Some(span)).map_err(wrong)
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
