//! Where a server listens, and what it takes to listen where others can reach it.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use license_http::Certificate;
use license_pool::{KeptCredential, StoreUrl, explained};
use license_types::{CredentialRole, ProblemCode};

use crate::arguments::Serve;
use crate::context::Context;
use crate::failure::Failure;

const LISTEN: &str = "127.0.0.1:7427";

/// Where a server listens, and what it speaks.
pub(super) struct Listening {
    pub listener: TcpListener,
    pub address: SocketAddr,
    pub certificate: Option<Certificate>,
}

/// Binds the address. Connections are not answered yet.
pub(super) fn open(arguments: &Serve, context: &Context<'_, '_>) -> Result<Listening, Failure> {
    let certificate = certificate(arguments, context)?;
    let text = arguments.listen.as_deref().unwrap_or(LISTEN);
    let addresses: Vec<SocketAddr> = match text.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Err(Failure::usage(format!("`{text}` is no address to listen on: {error}"))
                .hint(format!("write HOST:PORT, such as {LISTEN}")));
        }
    };
    let is_open = addresses.iter().any(|address| !address.ip().is_loopback());
    if is_open && certificate.is_none() && !arguments.plain_http {
        return Err(Failure::usage(format!("others can reach {text}, so it needs TLS"))
            .hint("give --tls-certificate and --tls-key, or listen on a loopback address")
            .hint("behind a network that only you use, --plain-http goes without"));
    }
    let listener = TcpListener::bind(&*addresses).map_err(|error| not_listening(text, &error))?;
    let address = listener.local_addr().map_err(|error| not_listening(text, &error))?;
    Ok(Listening { listener, address, certificate })
}

/// Refuses to serve other machines as long as the store has no credential of an administrator: nobody
/// could be told from anybody. The store is only read.
pub(super) fn only_safely(
    arguments: &Serve,
    address: SocketAddr,
    encrypted: bool,
    url: &StoreUrl,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let now = context.env.clock.now();
    let administers =
        |kept: &KeptCredential| kept.credential.role == CredentialRole::Admin && kept.holds(now);
    if !context.credentials(url)?.iter().any(administers) {
        return Err(Failure::usage(format!(
            "others can reach {address}, and the store has no credential of an administrator"
        ))
        .hint("`license credential create --role admin` makes one"));
    }
    if arguments.plain_http && !encrypted {
        context.say(
            "warning: --plain-http: who can listen in reads credentials and users, and can answer \
             in this server's place",
        );
    }
    Ok(())
}

fn certificate(
    arguments: &Serve,
    context: &Context<'_, '_>,
) -> Result<Option<Certificate>, Failure> {
    match (&arguments.tls_certificate, &arguments.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let directory = &context.env.directory;
            Certificate::read(directory.join(certificate), directory.join(key))
                .map(Some)
                .map_err(|error| Failure::usage(explained(&error)))
        }
        (Some(_), None) => Err(Failure::usage("--tls-certificate needs --tls-key")),
        (None, Some(_)) => Err(Failure::usage("--tls-key needs --tls-certificate")),
    }
}

fn not_listening(address: &str, error: &std::io::Error) -> Failure {
    Failure::new(ProblemCode::StoreUnavailable, format!("cannot listen on {address}: {error}"))
        .hint("--listen names another address")
}
