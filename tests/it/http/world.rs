//! What the tests of this theme share: a server without a network, and short ways to ask it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use license_http::Options;
use license_pool::{Pool, SAMPLE_LICENSE};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// A server that answers without a network.
pub(crate) struct World {
    router: Router,
    runtime: Runtime,
}

/// One request, as it is put together.
pub(crate) struct Ask<'a> {
    world: &'a World,
    request: Request<Body>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl World {
    /// A server of its own, with a clock that stands still; nothing is installed.
    pub(crate) fn new() -> World {
        World::over(crate::pool::world::options().open("memory:").unwrap(), Options::new())
    }

    /// The same with the sample license: 15 clients (0009), one SQL connection (0025), REST (0007)
    /// without limit.
    pub(crate) fn sample() -> World {
        World::over(crate::pool::world::sample(), Options::new())
    }

    pub(crate) fn over(pool: Pool, options: Options) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        World { router: license_http::app(pool, options), runtime }
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
        let path = format!("/v1/licenses/active/sessions/{session}/products/{product}");
        self.ask("PUT", &path).json(&json!({ "session": described(session) })).send()
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let request = Request::builder().uri(path).header("host", "localhost");
        let request = request.method(Method::from_bytes(method.as_bytes()).unwrap());
        Ask { world: self, request: request.body(Body::empty()).unwrap() }
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().unwrap());
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

    pub(crate) fn send(self) -> Answer {
        let router = self.world.router.clone();
        self.world.runtime.block_on(async move {
            let (parts, body) = router.oneshot(self.request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            Answer { status: parts.status, headers: parts.headers, text }
        })
    }

    /// What comes first of an answer that does not end.
    pub(crate) fn first(self) -> Answer {
        let router = self.world.router.clone();
        self.world.runtime.block_on(async move {
            let (parts, mut body) = router.oneshot(self.request).await.unwrap().into_parts();
            let mut text = String::new();
            while text.lines().count() < 3 {
                let frame = body.frame().await.unwrap().unwrap();
                text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
            }
            Answer { status: parts.status, headers: parts.headers, text }
        })
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
