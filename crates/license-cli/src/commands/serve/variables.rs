//! Takes flags of `license serve` that are not given from the environment. Flags win over variables.

use std::fmt::Display;
use std::str::FromStr;

use crate::arguments::Serve;
use crate::context::Context;
use crate::environment::variables;
use crate::failure::Failure;

/// The arguments, with what is missing taken from the environment.
pub(super) fn filled(arguments: &Serve, context: &Context<'_, '_>) -> Result<Serve, Failure> {
    let Serve {
        listen,
        license,
        lease,
        grace,
        history,
        identities,
        server_name,
        allowed_host,
        trusted_proxy,
        tls_certificate,
        tls_key,
        plain_http,
        usage_log,
        log,
        demo,
    } = arguments.clone();
    let (tls_certificate, tls_key) = match plain_http {
        true => (None, None),
        false => (
            one(tls_certificate, variables::LICENSE_TLS_CERTIFICATE, context)?,
            one(tls_key, variables::LICENSE_TLS_KEY, context)?,
        ),
    };
    let is_encrypted = tls_certificate.is_some() || tls_key.is_some();
    let plain = one(plain_http.then_some(true), variables::LICENSE_PLAIN_HTTP, context)?;
    let demo = one(demo.then_some(true), variables::LICENSE_DEMO, context)?.unwrap_or(false)
        && license.is_empty();
    Ok(Serve {
        listen: one(listen, variables::LICENSE_LISTEN, context)?,
        // The demo has a license of its own.
        license: if demo { license } else { list(license, variables::LICENSE_FILE, context)? },
        lease: one(lease, variables::LICENSE_LEASE, context)?,
        grace: one(grace, variables::LICENSE_GRACE, context)?,
        history: one(history, variables::LICENSE_HISTORY, context)?,
        identities: one(identities, variables::LICENSE_IDENTITIES, context)?,
        server_name: one(server_name, variables::LICENSE_SERVER_NAME, context)?,
        allowed_host: list(allowed_host, variables::LICENSE_ALLOWED_HOST, context)?,
        trusted_proxy: list(trusted_proxy, variables::LICENSE_TRUSTED_PROXY, context)?,
        tls_certificate,
        tls_key,
        plain_http: plain.unwrap_or(false) && !is_encrypted,
        usage_log: one(usage_log, variables::LICENSE_USAGE_LOG, context)?,
        log: one(log, variables::LICENSE_LOG, context)?,
        demo,
    })
}

/// The value of a flag, or of its variable.
fn one<T: FromStr<Err: Display>>(
    flag: Option<T>,
    variable: &str,
    context: &Context<'_, '_>,
) -> Result<Option<T>, Failure> {
    match flag {
        Some(value) => Ok(Some(value)),
        None => {
            let text = context.env.variable(variable)?;
            text.map(|text| read(&text, variable)).transpose()
        }
    }
}

/// The values of a flag that may be repeated, or of its variable, separated by commas.
fn list<T: FromStr<Err: Display>>(
    flags: Vec<T>,
    variable: &str,
    context: &Context<'_, '_>,
) -> Result<Vec<T>, Failure> {
    match context.env.variable(variable)? {
        Some(text) if flags.is_empty() => {
            text.split(',').map(|part| read(part.trim(), variable)).collect()
        }
        Some(_) | None => Ok(flags),
    }
}

fn read<T: FromStr<Err: Display>>(text: &str, variable: &str) -> Result<T, Failure> {
    let wrong = |error| Failure::usage(format!("`{text}` in {variable} cannot be read: {error}"));
    text.parse().map_err(wrong)
}
