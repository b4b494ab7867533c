//! One request to one server over HTTP, bounded in time and size. It follows no redirect and uses no
//! proxy.

use std::fmt;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody};

use crate::moment::Moment;
use crate::{Error, Secret, ServerUrl};

/// The longest answer that is read whole; streams may be longer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A stream that is silent for this long is taken for dead. One of events carries a comment every 15
/// seconds.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// The longest line of a stream; a longer one does not come from a license server.
pub(crate) const LINE_BYTES_MAX: u64 = 4 << 20;

/// Time to connect. It is short, since all known servers are tried one after the other.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);

/// What is escaped in a part of a path or query: all but letters, digits and `-._~:@`.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// A text escaped for a part of a path or query.
pub(crate) fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, PLAIN)
}

/// A request to a server, whichever that is.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// What follows the base URL, escaped.
    pub(crate) path: String,
    /// The body, in JSON, if there is one.
    pub(crate) body: Option<Vec<u8>>,
    /// The media type to ask for, if the answer is to be read as it arrives.
    pub(crate) stream: Option<&'static str>,
    /// How long the answer may take; if none, what the client is set to.
    pub(crate) timeout: Option<Duration>,
}

/// What a server answered.
pub(crate) struct Answer {
    /// When the request was sent.
    pub(crate) sent: Moment,
    pub(crate) status: u16,
    /// How long the server asks to wait before the next request.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Body,
}

/// The body of an answer.
pub(crate) enum Body {
    Whole(Vec<u8>),
    Stream(Box<dyn Read + Send>),
}

impl Body {
    /// The body, to be read line by line.
    pub(crate) fn into_reader(self) -> Box<dyn BufRead + Send> {
        match self {
            Body::Whole(body) => Box::new(Cursor::new(body)),
            Body::Stream(reader) => Box::new(BufReader::new(reader)),
        }
    }
}

/// Sends requests.
pub(crate) struct Transport {
    agent: Agent,
    credential: Option<Secret>,
    pub(crate) timeout: Duration,
}

impl Transport {
    pub(crate) fn new(
        servers: &[ServerUrl],
        credential: Option<Secret>,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<Transport, Error> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would show the credential to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .user_agent(concat!("license-client/", env!("CARGO_PKG_VERSION")));
        if servers.iter().any(ServerUrl::is_encrypted) {
            let roots = match authorities {
                Some(file) => from_file(file)?,
                None => of_the_system()?,
            };
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::from(roots))
                .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
            config = config.tls_config(tls.build());
        }
        Ok(Transport { agent: config.build().new_agent(), credential, timeout })
    }

    /// Asks one server once.
    pub(crate) fn ask(
        &self,
        server: &ServerUrl,
        question: &Question,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(server.at(&question.path))
            .header("accept", question.stream.unwrap_or("application/json"));
        if let Some(credential) = &self.credential {
            request = request.header("authorization", credential.header());
        }
        let sent = Moment::now();
        let mut response = match &question.body {
            None => self.run(question, request.body(())?)?,
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.run(question, request.body(&body[..])?)?
            }
        };
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = match question.stream.is_some() && status == 200 {
            true => {
                let body = response.into_body().into_with_config().limit(u64::MAX).reader();
                Body::Stream(Box::new(body))
            }
            false => {
                let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
                Body::Whole(body.read_to_vec()?)
            }
        };
        Ok(Answer { sent, status, retry_after: retry_after.map(Duration::from_secs), body })
    }

    fn run(
        &self,
        question: &Question,
        request: Request<impl AsSendBody>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let timeout = question.timeout.unwrap_or(self.timeout);
        let request = self.agent.configure_request(request);
        let request = match question.stream.is_some() {
            true => {
                request.timeout_recv_response(Some(timeout)).timeout_per_read(Some(SILENCE_MAX))
            }
            false => request.timeout_global(Some(timeout)),
        };
        self.agent.run(request.build())
    }
}

/// The certificate authorities in a PEM file.
fn from_file(file: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let unreadable = |error| {
        Error::setup_because(format!("cannot read certificates from {}", file.display()), error)
    };
    let listed = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let listed: Vec<CertificateDer<'static>> =
        listed.collect::<Result<_, _>>().map_err(unreadable)?;
    match listed.is_empty() {
        true => Err(Error::setup(format!("{} holds no certificate in PEM", file.display()))),
        false => Ok(listed.iter().map(owned).collect()),
    }
}

/// The certificate authorities that the machine trusts.
fn of_the_system() -> Result<Vec<Certificate<'static>>, Error> {
    let loaded = rustls_native_certs::load_native_certs();
    match (loaded.certs.is_empty(), loaded.errors.into_iter().next()) {
        (false, _) => Ok(loaded.certs.iter().map(owned).collect()),
        (true, Some(error)) => {
            Err(Error::setup_because("cannot read the authorities that the machine trusts", error))
        }
        (true, None) => {
            Err(Error::setup("the machine trusts no authority: name a file of certificates in PEM"))
        }
    }
}

fn owned(certificate: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(certificate.as_ref()).to_owned()
}
