//! Screens requests: whether they are for this server at all, and may come from where they do.
//!
//! A malicious page in a browser can make its user send requests here. But it cannot choose `Host`,
//! `Origin` and `Sec-Fetch-Site`, which the browser fills in, and cannot send JSON to another site
//! without a preflight, which this server never answers.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, FORWARDED, HOST, ORIGIN, VIA};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use license_types::ProblemCode;

use crate::answer::JSON;
use crate::failure::Failure;
use crate::options::Options;

// Made once, since they are looked up in every request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The two ends of the connection that a request came through.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The address of the other end: a client or a proxy.
    pub peer: SocketAddr,
    /// The address of this server that it was made to.
    pub own: SocketAddr,
}

/// Where a request comes from, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address of the client; none if an unknown proxy may stand between.
    pub(crate) address: Option<IpAddr>,
}

impl Origin {
    /// Whether it comes from this machine for certain.
    pub(crate) fn is_loopback(self) -> bool {
        self.address.is_some_and(|address| address.to_canonical().is_loopback())
    }
}

/// Refuses a request that is not for this server, or was sent by a page of another site. Gives where any
/// other comes from.
pub(crate) fn screened(
    parts: &Parts,
    ends: Option<Ends>,
    options: &Options,
) -> Result<Origin, Failure> {
    let host = host(&parts.uri, &parts.headers)?;
    if !is_ours(host, ends, options) {
        let detail = "the request is for another host; --allowed-host names the names of this one";
        return Err(Failure::new(ProblemCode::NotPermitted, detail));
    }
    from_our_page(&parts.headers, host)?;
    Ok(origin(&parts.headers, ends, options))
}

/// The authority that the request is for.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, Failure> {
    let missing = || Failure::bad_request("the request names no host");
    let mut named = headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().map_err(|_| missing())?,
        (Some(_), Some(_)) => return Err(Failure::bad_request("the request names two hosts")),
        (None, _) => return uri.authority().map(|it| it.as_str()).ok_or_else(missing),
    };
    match uri.authority() {
        Some(authority) if authority.as_str() != host => {
            Err(Failure::bad_request("the request names two hosts"))
        }
        Some(_) | None => Ok(host),
    }
}

/// The name in an authority, without the port and the brackets of an address.
fn name(authority: &str) -> &str {
    let without_port = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let address = without_port.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.unwrap_or(without_port)
}

fn is_ours(host: &str, ends: Option<Ends>, options: &Options) -> bool {
    let name = name(host);
    if let Ok(address) = name.parse::<IpAddr>() {
        let own = [ends.map(|ends| ends.own), options.listen];
        let is_own = |own: SocketAddr| own.ip().to_canonical() == address.to_canonical();
        if address.to_canonical().is_loopback() || own.into_iter().flatten().any(is_own) {
            return true;
        }
    }
    let is_allowed =
        |allowed: &String| allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(host);
    name.eq_ignore_ascii_case("localhost") || options.allowed_hosts.iter().any(is_allowed)
}

fn from_our_page(headers: &HeaderMap, host: &str) -> Result<(), Failure> {
    let foreign = || {
        let detail = "pages of other sites may not ask this server";
        Err(Failure::new(ProblemCode::NotPermitted, detail))
    };
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return foreign();
        }
    }
    match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => foreign(),
    }
}

fn origin(headers: &HeaderMap, ends: Option<Ends>, options: &Options) -> Origin {
    let Some(Ends { peer, .. }) = ends else { return Origin { address: None } };
    let peer = peer.ip().to_canonical();
    let was_forwarded =
        [FORWARDED, VIA, FORWARDED_FOR, REAL_IP].iter().any(|name| headers.contains_key(name));
    if !was_forwarded {
        return Origin { address: Some(peer) };
    }
    // Any client may stand behind a proxy that is not trusted, so that is never taken for loopback.
    if !options.trusted_proxies.contains(&peer) {
        let address = Some(peer).filter(|peer| !peer.is_loopback());
        return Origin { address };
    }
    // `Forwarded` is not read. A proxy that writes it may pass on an `X-Forwarded-For` that the client
    // made up.
    if headers.contains_key(FORWARDED) {
        return Origin { address: None };
    }
    // Each proxy appends the address it was called from; the last one that is no proxy of ours is the
    // client.
    let heard: Option<Vec<IpAddr>> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(|address| Some(address.trim().parse::<IpAddr>().ok()?.to_canonical()))
        .collect();
    let client = heard.and_then(|heard| {
        heard.into_iter().rev().find(|address| !options.trusted_proxies.contains(address))
    });
    Origin { address: client }
}

/// Refuses a body that is not declared as JSON: a page of another site cannot send one that is without
/// a preflight.
pub(crate) fn body_is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let kind = media.split(';').next().unwrap_or_default().trim();
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    let detail = match kind.eq_ignore_ascii_case(JSON) {
        false => "the body must be JSON and say so: Content-Type: application/json",
        true if !headers.get_all(CONTENT_ENCODING).iter().all(plain) => {
            "the body must be sent as it is, without Content-Encoding"
        }
        true => return Ok(()),
    };
    Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
}
