//! Guides: run the server, call it, watch it, secure it, and what it promises.

/// # Run it
///
/// ```sh
/// license serve --license license.json
/// ```
///
/// The first line on stdout is the base URL, `http://127.0.0.1:7427` unless `--listen` says
/// otherwise; a browser shows there who holds what. The store is one file, `license.db` in the
/// folder where it runs, unless `--store` names another or a PostgreSQL database. It is the only
/// thing to back up: `license store copy` does, while the server runs.
///
/// `SIGTERM` drains: requests that run are answered, sessions keep what they hold, and the exit code
/// is 0. Several servers on one store behave as one; give each a `--server-name` that it keeps.
///
/// Beside the command line's crate lie a hardened systemd unit, a Containerfile for a static
/// binary, a manual page, alert rules and a Grafana dashboard (`crates/license-cli/packaging`).
pub mod run {}

/// # Call it
///
/// A session asks for a product under a name of its own. Asking twice is no error and takes no
/// second license: after a lost answer, ask again.
///
/// ```sh
/// curl -X PUT http://127.0.0.1:7427/v1/licenses/active/sessions/job-7/products/0009 \
///   -H 'Content-Type: application/json' \
///   -d '{"session": {"userName": "ann", "sessionID": "job-7", "IPAddress": "127.0.0.1", "isDatastore": false}}'
/// curl -X POST http://127.0.0.1:7427/v1/licenses/active/sessions/job-7/renew
/// curl -X DELETE http://127.0.0.1:7427/v1/licenses/active/sessions/job-7
/// ```
///
/// 201 and 200 bring the record and its lease: renew after `renewAfterSeconds`, counted from when
/// the request was *sent*. 409 `no_license_left` says when to ask again (`Retry-After`); `?wait=30s`
/// waits in line instead. Every refusal is `application/problem+json` with a stable `code`.
///
/// The same from Python's standard library:
///
/// ```python
/// import json, urllib.request
///
/// def ask(method, path, value=None):
///     request = urllib.request.Request("http://127.0.0.1:7427/v1/licenses/active" + path, method=method,
///         data=None if value is None else json.dumps(value).encode(),
///         headers={"Content-Type": "application/json"})
///     with urllib.request.urlopen(request) as answer:
///         return json.load(answer)
///
/// session = {"userName": "ann", "sessionID": "job-7", "IPAddress": "127.0.0.1", "isDatastore": False}
/// held = ask("PUT", "/sessions/job-7/products/0009", {"session": session})
/// print(held["retention"]["token"], held["lease"]["renewAfterSeconds"])
/// ask("DELETE", "/sessions/job-7")
/// ```
///
/// From Rust, the crate `license-client` renews in the background and releases on drop; any other
/// program runs under `license run`. `/openapi.json` describes every operation.
pub mod call {}

/// # Watch it
///
/// - `/` shows who holds what, what expires and who was refused, as it happens. With an admin
///   credential it releases a license by force, with a note that the history keeps.
/// - `/healthz` tells that the process answers, `/readyz` that its store does.
/// - `/metrics` is for Prometheus: what is allowed, used and left of each product, today's peak,
///   seconds until rights expire, refusals, what waits, requests. No label names a user.
/// - `/v1/licenses/{n}/events` streams every entry of the log (server-sent events); a client that
///   shows the last `id` it saw misses nothing.
///
/// The alert rules warn when the server is down, when more than 95 % of a product is used, when
/// rights expire within 14 days and when refusals rise.
pub mod monitor {}

/// # Secure it
///
/// While its store has no credential, the server trusts callers on its own machine to retain and to
/// read, and nobody to administer. The first credential is made on the store:
///
/// ```sh
/// license credential create --role admin
/// ```
///
/// From then on every request needs one, as `Authorization: Bearer …`: a `client` retains and sees
/// its own sessions, a `viewer` reads, an `admin` does all. The secret is shown once and kept as a
/// hash. Other machines are only served with an admin credential and TLS, or with `--plain-http`,
/// which gives up that nobody on the way reads the secrets.
///
/// A page of another site cannot ask: `Host`, `Origin` and `Sec-Fetch-Site` are judged first and no
/// CORS header is sent. The page runs no script but its own, keeps a credential no longer than its
/// tab, and shows what sessions call themselves as text alone.
pub mod secure {}

/// # What it promises when things fail
///
/// - Never more than was bought: every grant is decided and made durable in one order of all
///   servers of the store.
/// - An answer is durable: what was acknowledged survives `kill -9` and a loss of power.
/// - A lost answer costs nothing: ask again, and the same token comes.
/// - A client that dies frees its license when its lease ends; a server that dies is followed by
///   another on the same store, which takes over its sessions with their tokens.
/// - A store that is away is said (503), never papered over from memory. Clocks that jump end no
///   lease: leases are counted by time that elapsed.
///
/// # What it cannot promise
///
/// It counts honestly for whoever owns it; it cannot force the owner of the machine, who can change
/// the program or the file. Two copies of a store are two stores, each with all its licenses. A
/// session that goes on without renewing is not stopped: the server only stops counting it. A chain
/// of hashes shows that history was changed, not who changed it.
pub mod promises {}
