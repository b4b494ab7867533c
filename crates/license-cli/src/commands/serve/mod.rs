//! `license serve`: the license server over a store, until a signal ends it.

mod listening;
mod simulated;
mod starting;
mod telling;
mod variables;

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use license_http::{Certificate, Ended, Options};
use license_pool::{LOCAL, Pool, StoreUrl};
use license_types::{LeaseSeconds, ProblemCode, ServerName};

use crate::arguments::{LogFormat, Serve};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::span::{Age, Span};
use listening::Listening;
use simulated::Clients;

const LEASE: Duration = Duration::from_secs(90);
const GRACE: Duration = Duration::from_secs(90);

/// How often to look whether a signal came.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &Serve, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    // Everything is parsed before anything is touched.
    let arguments = &variables::filled(arguments, context)?;
    let span = |span: Option<Span>| span.map(|Span(span)| span);
    let (lease, grace) = (span(arguments.lease), span(arguments.grace));
    let (lease, grace) = (lease.unwrap_or(LEASE), grace.unwrap_or(GRACE));
    let lease_seconds = LeaseSeconds::new(lease.as_secs())
        .map_err(|_| Failure::usage("a lease has from 15 seconds to 24 hours"))?;
    let url = store(arguments, context)?;
    let Listening { listener, address, certificate } = listening::open(arguments, context)?;
    let stop = stop_signals()?;

    let name = server_name(arguments, address)?;
    listening::only_safely(arguments, address, certificate.is_some(), &url, context)?;
    let pool = Pool::options().server(name).serving().lease(lease).grace(grace);
    let pool = context.serving(&url, keeping(arguments, pool))?;
    let mut clients = None;
    if arguments.demo {
        clients = Some(Clients::of(&pool)?);
    }
    for file in &arguments.license {
        starting::install(file, &pool, context)?;
    }
    let options = http_options(arguments, certificate, context)?.lease(lease_seconds);
    telling::begin(arguments.log.unwrap_or(LogFormat::Text));
    let running = license_http::start(listener, pool, options)
        .map_err(|error| Failure::internal(format!("the server cannot be started: {error}")))?;
    context.data(&format!("{}\n", running.url()))?;
    let ends = || stop.load(Ordering::Relaxed) || running.has_ended();
    while !ends() && context.wait(LOOK)?.is_continue() {
        if let Some(clients) = &mut clients {
            clients.come_and_go(LOOK);
        }
    }
    drop(clients);
    ended(running.stop())
}

/// The options of a pool, with how long it keeps the past.
fn keeping(arguments: &Serve, mut options: license_pool::Options) -> license_pool::Options {
    if let Some(Age(history)) = arguments.history {
        options = options.history(history);
    }
    if let Some(Age(identities)) = arguments.identities {
        options = options.identities(identities);
    }
    options
}

/// How the server is to answer requests, and what it logs of them.
fn http_options(
    arguments: &Serve,
    certificate: Option<Certificate>,
    context: &Context<'_, '_>,
) -> Result<Options, Failure> {
    let mut options = Options::new();
    for host in &arguments.allowed_host {
        options = options.allowed_host(host);
    }
    for proxy in &arguments.trusted_proxy {
        options = options.trusted_proxy(*proxy);
    }
    if let Some(path) = &arguments.usage_log {
        options = options.usage_log(appended(path, context)?);
    }
    if let Some(certificate) = certificate {
        options = options.certificate(certificate);
    }
    Ok(options)
}

fn ended(ended: Ended) -> Result<Exit, Failure> {
    match ended {
        Ended::Stopped => Ok(Exit::Done),
        Ended::Replaced => {
            let detail = "another process took the name of this server, or took it for dead and \
                          adopted what it served";
            let cure = "start it again; two servers that run at once need two names";
            Err(Failure::new(ProblemCode::StoreUnavailable, detail).hint(cure).in_one_line())
        }
    }
}

fn appended(path: &Path, context: &Context<'_, '_>) -> Result<File, Failure> {
    let mut file = OpenOptions::new();
    file.append(true).create(true).open(context.env.directory.join(path)).map_err(|error| {
        Failure::usage(format!("{} cannot be written: {error}", crate::output::name_of(path)))
    })
}

/// The store to serve. The demo always has one in memory, so that it never touches real licenses.
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

fn server_name(arguments: &Serve, address: SocketAddr) -> Result<ServerName, Failure> {
    match &arguments.server_name {
        // `local` has no beat and judges no leases, so a server of that name could not serve.
        Some(name) if name.as_str() == LOCAL => {
            Err(Failure::usage("`local` is what all single commands are called")
                .hint("give the server a name of its own by --server-name or LICENSE_SERVER_NAME"))
        }
        Some(name) => Ok(name.clone()),
        None => ServerName::new(address.to_string())
            .map_err(|invalid| Failure::usage(invalid.to_string())),
    }
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
