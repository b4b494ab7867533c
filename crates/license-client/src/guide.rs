//! Guide: how programs call the license server.

/// # Call it
///
/// A session retains a product under a name of its own, renews while it works, and releases. Asking
/// twice is no error and takes no second license: after a lost answer, ask again. The examples use a
/// server that was started by `license serve --license license.json` and listens on `127.0.0.1:7427`.
/// One that requires credentials takes them as `Authorization: Bearer …`.
///
/// | what you have | how it holds a license |
/// |---|---|
/// | any program | `license run --product 0009 -- PROGRAM`: held while it runs |
/// | a Rust program | this crate: a [`Seat`](crate::Seat) that renews itself and releases when it is dropped |
/// | anything else | three HTTP requests, and `/openapi.json` to make a client of |
///
/// # From a shell
///
/// Any program can run under a license; its exit code is passed on. If no license is left, nothing is
/// started and the exit code is 3.
///
/// ```sh
/// license run --server http://127.0.0.1:7427 --product 0009 --session nightly --wait 5m -- echo working
/// ```
///
/// The requests behind it:
///
/// ```sh
/// curl -sS --fail-with-body -X PUT http://127.0.0.1:7427/v1/licenses/active/sessions/job-7/products/0009 \
///   -H 'Content-Type: application/json' \
///   -d '{"session": {"userName": "ann", "sessionID": "job-7", "IPAddress": "127.0.0.1", "isDatastore": false}}'
/// curl -sS --fail-with-body -X POST http://127.0.0.1:7427/v1/licenses/active/sessions/job-7/renew
/// curl -sS --fail-with-body http://127.0.0.1:7427/v1/licenses/active/usage
/// curl -sS --fail-with-body -X DELETE http://127.0.0.1:7427/v1/licenses/active/sessions/job-7
/// ```
///
/// 201 (new) and 200 (held already) answer with the record and its lease: renew `renewAfterSeconds`
/// after the request was *sent*. Every refusal is `application/problem+json` with a stable `code`: 409
/// `no_license_left` says in `Retry-After` when to ask again; with `?wait=30s` the request waits in
/// line instead. 503 means that the server cannot decide now; sending the same request again is always
/// safe.
///
/// # From Rust
///
/// ```
/// use std::time::Duration;
///
/// use license_client::{Client, Notice, ProblemCode, Retain, Session};
///
/// # let pool = license_pool::Pool::open("memory:")?;
/// # pool.install(license_pool::SAMPLE_LICENSE.as_bytes())?;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let server = license_http::start(listener, pool, license_http::Options::new())?;
/// # let (url, _running) = (server.url(), &server); /*
/// let url = "http://127.0.0.1:7427";
/// # */
/// let client = Client::connect(&url)?;
///
/// let ann = Session::rest("ann", "job-7", "127.0.0.1");
/// let retain = Retain::new("0009".parse()?, "job-7".parse()?, ann).wait(Duration::from_secs(30));
/// match client.retain_with(retain) {
///     Ok(seat) => {
///         // … the work; now and then, or in a thread of its own:
///         if let Some(Notice::Lost) = seat.notices().try_next() {
///             // Somebody took the license back.
///         }
///         seat.release()?; // or drop it
///     }
///     Err(error) if error.code() == Some(ProblemCode::NoLicenseLeft) => { /* go without */ }
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # From Python, with its standard library
///
/// ```python
/// import json
/// import urllib.error
/// import urllib.request
///
/// LICENSE = "http://127.0.0.1:7427/v1/licenses/active"
///
///
/// def ask(method, path, value=None):
///     body = None if value is None else json.dumps(value).encode()
///     headers = {"Content-Type": "application/json"}  # "Authorization": "Bearer …"
///     request = urllib.request.Request(LICENSE + path, body, headers, method=method)
///     with urllib.request.urlopen(request, timeout=40) as answer:
///         return json.load(answer)
///
///
/// session = {"userName": "ann", "sessionID": "job-8", "IPAddress": "127.0.0.1", "isDatastore": False}
/// try:
///     held = ask("PUT", "/sessions/job-8/products/0009?wait=30s", {"session": session})
/// except urllib.error.HTTPError as refused:
///     raise SystemExit(json.load(refused)["detail"])
/// print("token", held["retention"]["token"], "renew after", held["lease"]["renewAfterSeconds"], "s")
/// ask("POST", "/sessions/job-8/renew")
/// ask("DELETE", "/sessions/job-8")
/// ```
///
/// # What a caller must do
///
/// - Give the session a name that nobody else uses, and keep that name across a restart if it is to get
///   its license back.
/// - Renew in time. A session that does not is released when its lease is over, and somebody else may
///   then get its license. A session that sleeps says so (`{"state": "sleeping"}` with a renewal) and
///   keeps its license for two days.
/// - Believe 404 `not_retained`: what was held is gone. Whether to retain again is up to the caller.
pub mod call {}
