//! What the tests of this theme share: a server without a network, and short ways to ask it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use license_http::{Ends, Options};
use license_pool::{Clock as _, Count, CredentialRole, KeptCredential, Pool, SAMPLE_LICENSE};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::pool::world::{clock, options, sample};

/// A server that answers without a network.
pub(crate) struct World {
    router: Router,
    runtime: Runtime,
    pool: Pool,
    /// What requests show unless they say otherwise.
    secret: Option<String>,
}

/// One request, as it is put together.
pub(crate) struct Ask<'a> {
    world: &'a World,
    request: Request<Body>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked: the method and the path with its query.
    pub(crate) line: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl World {
    /// A server of its own, with a clock that stands still; nothing is installed.
    pub(crate) fn new() -> World {
        World::over(options().open("memory:").unwrap(), Options::new()).administered()
    }

    /// The same with the sample license: 15 clients (0009), one SQL connection (0025), REST (0007)
    /// without limit.
    pub(crate) fn sample() -> World {
        World::over(sample(), Options::new()).administered()
    }

    pub(crate) fn over(pool: Pool, options: Options) -> World {
        World::on(tokio::runtime::Builder::new_current_thread(), pool, options)
    }

    /// A server for which what it would wait for comes at once.
    pub(crate) fn hurried(pool: Pool) -> World {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.start_paused(true);
        World::on(runtime, pool, Options::new())
    }

    fn on(mut runtime: tokio::runtime::Builder, pool: Pool, options: Options) -> World {
        let runtime = runtime.enable_all().build().unwrap();
        let router = license_http::app(pool.clone(), options.clock(clock()));
        World { router, runtime, pool, secret: None }
    }

    /// Makes a credential and gives its secret.
    pub(crate) fn make(&self, role: CredentialRole) -> String {
        self.make_with(role, None, None)
    }

    pub(crate) fn make_with(
        &self,
        role: CredentialRole,
        max_seats: Option<u64>,
        expires: Option<Timestamp>,
    ) -> String {
        let max_seats = max_seats.map(|count| Count::new(count).unwrap());
        let now = clock().now();
        let (kept, secret) = KeptCredential::make(role, max_seats, now, expires).unwrap();
        self.pool.keep_credential(kept).wait().unwrap();
        secret.reveal().to_owned()
    }

    /// Ends a credential.
    pub(crate) fn revoke(&self, secret: &str) {
        let kept = self.pool.credentials().wait().unwrap();
        let mut kept =
            kept.into_iter().find(|kept| secret.starts_with(kept.credential.id.as_str())).unwrap();
        kept.credential.revoked_at = Some(clock().now().into());
        self.pool.keep_credential(kept).wait().unwrap();
    }

    /// From now on, requests show the credential of an administrator.
    pub(crate) fn administered(mut self) -> World {
        self.secret = Some(self.make(CredentialRole::Admin));
        self
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send()
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path).send()
    }

    pub(crate) fn install(&self, document: &str) -> Answer {
        self.ask("POST", "/v1/licenses").body(document).send()
    }

    pub(crate) fn retain(&self, product: &str, session: &str) -> Answer {
        self.retain_by(product, session, "")
    }

    /// The same with a query.
    pub(crate) fn retain_by(&self, product: &str, session: &str, query: &str) -> Answer {
        let path = format!("/v1/licenses/active/sessions/{session}/products/{product}{query}");
        self.ask("PUT", &path).json(&json!({ "session": described(session) })).send()
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let request = Request::builder().uri(path).header("host", "localhost");
        let request = request.method(Method::from_bytes(method.as_bytes()).unwrap());
        let here = "127.0.0.1:7427".parse().unwrap();
        let request = request.extension(Ends { peer: here, own: here });
        let ask = Ask { world: self, request: request.body(Body::empty()).unwrap() };
        match &self.secret {
            Some(secret) => ask.credential(secret),
            None => ask,
        }
    }
}

impl<'a> Ask<'a> {
    /// Shows another credential than usual.
    pub(crate) fn credential(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    /// Shows no credential.
    pub(crate) fn nobody(mut self) -> Self {
        self.request.headers_mut().remove("authorization");
        self
    }

    /// Comes from elsewhere.
    pub(crate) fn from(self, peer: &str) -> Self {
        self.between(&format!("{peer}:1000"), "192.0.2.1:7427")
    }

    /// Comes over a connection with these ends: the client's and the server's.
    pub(crate) fn between(mut self, peer: &str, own: &str) -> Self {
        let (peer, own) = (peer.parse().unwrap(), own.parse().unwrap());
        self.request.extensions_mut().insert(Ends { peer, own });
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    /// A header beside another of that name.
    pub(crate) fn also(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.body(&value.to_string())
    }

    /// A body of JSON.
    pub(crate) fn body(mut self, text: &str) -> Self {
        *self.request.body_mut() = Body::from(text.to_owned());
        self.header("content-type", "application/json")
    }

    fn line(&self) -> String {
        format!("{} {}", self.request.method(), self.request.uri())
    }

    pub(crate) fn send(self) -> Answer {
        let (router, line) = (self.world.router.clone(), self.line());
        self.world.runtime.block_on(async move {
            let (parts, body) = router.oneshot(self.request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            Answer { line, status: parts.status, headers: parts.headers, text }
        })
    }

    /// The answer, of which only the beginning where it does not end.
    pub(crate) fn begun(self) -> Answer {
        let (router, line) = (self.world.router.clone(), self.line());
        self.world.runtime.block_on(async move {
            let (parts, mut body) = router.oneshot(self.request).await.unwrap().into_parts();
            let endless = parts.headers["content-type"] == "text/event-stream";
            let bytes = if endless {
                body.frame().await.unwrap().unwrap().into_data().unwrap()
            } else {
                body.collect().await.unwrap().to_bytes()
            };
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            Answer { line, status: parts.status, headers: parts.headers, text }
        })
    }

    /// An answer that does not end.
    pub(crate) fn follow(self) -> Following<'a> {
        let (world, router) = (self.world, self.world.router.clone());
        let response = world.runtime.block_on(router.oneshot(self.request)).unwrap();
        assert_eq!(response.status(), 200);
        Following { world, body: response.into_body() }
    }

    /// What comes first of an answer that does not end.
    pub(crate) fn first(self) -> Answer {
        let (router, line) = (self.world.router.clone(), self.line());
        self.world.runtime.block_on(async move {
            let (parts, mut body) = router.oneshot(self.request).await.unwrap().into_parts();
            let mut text = String::new();
            while text.lines().count() < 3 {
                let frame = body.frame().await.unwrap().unwrap();
                text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
            }
            Answer { line, status: parts.status, headers: parts.headers, text }
        })
    }
}

/// An answer that does not end, as it comes.
pub(crate) struct Following<'a> {
    world: &'a World,
    body: Body,
}

impl Following<'_> {
    /// What comes next.
    pub(crate) fn next(&mut self) -> String {
        let frame = self.world.runtime.block_on(self.body.frame()).unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    }

    /// What comes next that says anything: where the clock runs ahead when nothing happens, a server is
    /// quiet before a slower thread has done what is to be told.
    pub(crate) fn told(&mut self) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match self.next() {
                heard if heard == ": quiet\n\n" => {
                    assert!(Instant::now() < until, "it stays quiet");
                }
                heard => return heard,
            }
        }
    }

    /// Whether what comes next is that it breaks off.
    pub(crate) fn breaks_off(&mut self) -> bool {
        matches!(self.world.runtime.block_on(self.body.frame()), Some(Err(_)))
    }

    /// Whether it ends, and does not only stay quiet.
    pub(crate) fn ends(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if self.world.runtime.block_on(self.body.frame()).is_none() {
                return true;
            }
        }
        false
    }

    /// Whether nothing comes at once; no time passes meanwhile.
    pub(crate) fn waits(&mut self) -> bool {
        let mut frame = pin!(self.body.frame());
        let asked = poll_fn(|context| Poll::Ready(frame.as_mut().poll(context).is_pending()));
        self.world.runtime.block_on(asked)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of a problem, with its status.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        let media = self.header("content-type");
        assert_eq!(media, "application/problem+json", "{}", self.text);
        let problem = self.value();
        assert_eq!(problem["status"], self.status.as_u16());
        format!("{} {}", self.status.as_u16(), problem["code"].as_str().unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What a caller says of a session.
pub(crate) fn described(session: &str) -> Value {
    json!({ "userName": "ann", "sessionID": session, "IPAddress": "192.0.2.1", "isDatastore": false })
}

/// The license that tests install.
pub(crate) const SAMPLE: &str = SAMPLE_LICENSE;
