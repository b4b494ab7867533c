//! Guides for running the server: how to run, monitor and secure it, and what it promises. See
//! `license_client::guide` for how programs call it, and `license_pool::guide` for how to do without a
//! server.

/// # Run it
///
/// A license document, such as the sample, is installed into a store, and the store is served:
///
/// ```sh
/// license demo --print license > license.json
/// license serve --license license.json
/// ```
///
/// The first line on stdout is the base URL, `http://127.0.0.1:7427` unless `--listen` says
/// otherwise; open it in a browser to see who holds what. The store is one file, `license.db` in the
/// current folder, unless `--store` names another one or a PostgreSQL database. Settings may also be
/// given in environment variables, such as `LICENSE_STORE`; `license serve --help` names them.
///
/// Commands act on the store, or through the server from anywhere:
///
/// ```sh
/// license retain --product 0009 --session job-7
/// license usage --server http://127.0.0.1:7427
/// license release --session job-7 --server http://127.0.0.1:7427
/// ```
///
/// **Backup.** The store is all there is. It can be copied while it is in use; to restore it, stop the
/// servers, put the copy in its place and start them again. A copy that is served beside the original is
/// a second store, which grants all its licenses once more.
///
/// ```sh
/// license store copy sqlite:backup.db
/// license store check --store sqlite:backup.db
/// ```
///
/// **Several servers.** On one store they behave as one: each renews and releases what another granted,
/// and takes over what another served when that one dies. Give each server a name and keep it. On one
/// machine they share the file; on several, a PostgreSQL database.
///
/// ```sh
/// license serve --listen 127.0.0.1:7428 --server-name east
/// license servers
/// ```
///
/// A PostgreSQL database is named as its own tools name it. Name every host that may be the primary,
/// as in `postgres://license@db1,db2/license?sslrootcert=ca.pem`, and a failover is followed without
/// a restart; unless a standby confirms every commit (`synchronous_standby_names`), it loses what the
/// standby had not received. The password stands in `LICENSE_STORE_PASSWORD`, or in a file that
/// `LICENSE_STORE_PASSWORD_FILE` names. `connections=N` says over how many connections a server
/// spreads its licenses, four unless set: what one license waits for does not hold up those of other
/// connections. What else it relies on is listed at `license_pool::log::PostgresLog`.
///
/// **Stopping.** On `SIGTERM` the server drains: nothing new is granted, requests that were sent are
/// answered, sessions keep what they hold, and the exit code is 0. A server whose name another process
/// took, or that stood still until another adopted what it served, may no longer answer: it says so and
/// ends with exit code 4, so that a service manager starts it again. An upgrade is a restart: clients
/// that renew across the pause notice nothing.
///
/// **Packaging.** Beside the command line's crate lie a hardened systemd unit
/// ([how it is installed](service)), a Containerfile for a static binary ([how it starts](container)),
/// alert rules and a Grafana dashboard (`crates/license-cli/packaging`). Manual pages and completions
/// come from the program itself:
///
/// ```sh
/// license man share/man/man1
/// license completions bash > license.bash
/// ```
pub mod run {}

/// # Run it as a service of systemd
///
/// The unit runs `/usr/bin/license` as a user of its own, which may write the store and nothing else.
/// As root, from the checkout:
///
/// ```text
/// cargo build --release -p license-cli
/// install -m 755 target/release/license /usr/bin/license
/// install -m 644 crates/license-cli/packaging/license.service /etc/systemd/system/
/// systemctl daemon-reload
/// systemctl enable --now license
/// license install license.json --store sqlite:/var/lib/license/license.db
/// license usage --server http://127.0.0.1:7427
/// ```
///
/// Other machines are served only if the store has a credential of an administrator and the server has
/// TLS. `systemctl edit` opens a file for your settings, and systemd passes on a key that only root can
/// read:
///
/// ```text
/// license credential create --role admin --store sqlite:/var/lib/license/license.db > admin.credential
/// systemctl edit license
/// systemctl restart license
/// ```
///
/// ```ini
/// [Service]
/// LoadCredential=server.key:/etc/license/server.key
/// Environment=LICENSE_TLS_CERTIFICATE=/etc/license/server.pem LICENSE_TLS_KEY=%d/server.key
/// Environment=LICENSE_LISTEN=0.0.0.0:7427 LICENSE_ALLOWED_HOST=licenses.example.com
/// ```
///
/// When the key changes, restart the service; what is held stays held.
pub mod service {}

/// # Run it in a container
///
/// The image holds the program and nothing else; the store lies in the volume `/data`. From the
/// checkout, with podman or docker:
///
/// ```sh
/// podman build -f crates/license-cli/packaging/Containerfile -t license .
/// license demo --print license > license.json
/// podman run --rm -i -v license:/data license install - < license.json
/// podman run --rm -v license:/data license credential create --role admin > admin.credential
/// ```
///
/// Requests to a published port do not come in over loopback, so the server starts only if the store has
/// a credential of an administrator, and with TLS or `--plain-http`. If the port is published to this
/// machine alone, nobody on a network can listen in:
///
/// ```sh
/// podman run -d -p 127.0.0.1:7427:7427 -v license:/data license serve --plain-http
/// license usage --server http://127.0.0.1:7427 --credential-file admin.credential
/// ```
///
/// For other machines put the certificate and its key into the volume, readable for the user 65532,
/// and run `serve --tls-certificate /data/server.pem --tls-key /data/server.key --allowed-host NAME`
/// instead; [how to make them](secure). The first credential is shown once: keep the file.
pub mod container {}

/// # Monitor it
///
/// The page at `/` shows who holds what, what expires and who was refused, as it happens. With an
/// admin credential it takes a license back, with a note that the history keeps. For programs:
///
/// ```sh
/// license demo --print license > license.json
/// license serve --license license.json --log json
/// curl -sS --fail-with-body http://127.0.0.1:7427/healthz
/// curl -sS --fail-with-body http://127.0.0.1:7427/readyz
/// curl -sS --fail-with-body http://127.0.0.1:7427/metrics
/// ```
///
/// `/healthz` shows that the process answers, `/readyz` that its store can be read and written: 200,
/// even if no license is installed, or 503 with a `code` if it cannot serve. `/metrics` is for
/// Prometheus: what is allowed, used and left of each product, today's peak, seconds until rights
/// expire, refusals by reason, waiting requests, requests by operation, and how often the store went
/// back in time. No label names a user, a session or an address, and neither does the
/// log at its usual level.
///
/// Once the store has a credential, `/metrics` requires one of a `viewer`. Kept in a file, it does not
/// show in the list of processes:
///
/// ```sh
/// license credential create --role viewer > viewer.credential
/// (umask 077; printf 'Authorization: Bearer %s\n' "$(cat viewer.credential)" > viewer.header)
/// curl -sS --fail-with-body -H @viewer.header http://127.0.0.1:7427/metrics
/// ```
///
/// Prometheus reads the same file; the alert rules rely on the name of the job:
///
/// ```yaml
/// scrape_configs:
///   - job_name: license
///     authorization: { credentials_file: viewer.credential }
///     static_configs: [{ targets: ["127.0.0.1:7427"] }]
/// ```
///
/// The alert rules warn when the server is down, when more than 95 % of a product is used, when
/// rights expire within 14 days, when refusals rise and when the store went back in time, as where a
/// backup was put in its place while servers ran: sessions that the backup does not know lose what
/// they hold when they renew next. The Grafana dashboard draws the same figures.
/// Both lie in `crates/license-cli/packaging`.
///
/// For the record and for planning there are the history, and a report of daily figures. The events are
/// the history as it goes on: server-sent events, where what happens within 10 ms comes together. A
/// client that connects again and sends the last `id` it has seen misses nothing:
///
/// ```sh
/// curl -sSN -H @viewer.header 'http://127.0.0.1:7427/v1/licenses/active/events?after=0' > events.log &
/// curl -sS --fail-with-body -H @viewer.header http://127.0.0.1:7427/v1/licenses/active/history
/// curl -sS --fail-with-body -H @viewer.header http://127.0.0.1:7427/v1/licenses/active/report
/// license history --verify
/// license report --by month
/// ```
///
/// A history that cannot be sent to its end breaks off, so that nobody takes a part for the whole. Ask
/// again, and it begins with the oldest entry that is still there.
pub mod monitor {}

/// # Secure it
///
/// While its store has no credential, the server lets callers on its own machine retain and read, and
/// lets nobody administer it. The first credential is made on the store:
///
/// ```sh
/// license demo --print license > license.json
/// license install license.json
/// license credential create --role admin > admin.credential
/// license credential create --role client --max-seats 5 --expires 2099-12-31 > job.credential
/// chmod 600 admin.credential job.credential
/// license credential list
/// ```
///
/// From then on every request needs one, as `Authorization: Bearer …`: a `client` retains and sees
/// its own sessions, a `viewer` reads, an `admin` does all. `--max-seats` bounds what the sessions of
/// a credential hold at once of each license that is installed, all its products together. The secret
/// is shown once and kept as a hash. A session belongs to the credential that first retained with it;
/// others are answered 403.
///
/// Other machines are served only if the store has an admin credential and the server has TLS, or runs
/// with `--plain-http`: then anybody on the way can read secrets and answer in the server's place. If
/// you have no certificate, make an authority and a certificate of your own:
///
/// ```sh
/// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj '/CN=Licenses' -keyout authority.key -out authority.pem
/// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj '/CN=localhost' -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -CA authority.pem -CAkey authority.key -keyout server.key -out server.pem
/// license serve --listen 0.0.0.0:7427 --tls-certificate server.pem --tls-key server.key
/// ```
///
/// Certificates that change are read again without a restart. Names beside `localhost` by which clients
/// call the server are given as `--allowed-host`, and a proxy in front of it as `--trusted-proxy`.
/// Commands take the credential from a file, or from `LICENSE_CREDENTIAL`; never from an argument, which
/// every user of the machine can read:
///
/// ```sh
/// license usage --server https://localhost:7427 --ca-file authority.pem --credential-file admin.credential
/// license run --server https://localhost:7427 --ca-file authority.pem --credential-file job.credential --product 0009 -- echo working
/// (umask 077; printf 'Authorization: Bearer %s\n' "$(cat job.credential)" > job.header)
/// curl -sS --fail-with-body --cacert authority.pem -H @job.header https://localhost:7427/v1/licenses
/// license credential revoke "$(cut -d_ -f1,2 job.credential)"
/// ```
///
/// A page of another site cannot ask: `Host`, `Origin` and `Sec-Fetch-Site` are judged first and no
/// CORS header is sent. The page runs no script but its own, keeps a credential no longer than its
/// tab, and shows what sessions call themselves as text alone. The [crate](crate#what-it-refuses) lists
/// what else is refused, and every limit.
pub mod secure {}

/// # What it promises when things fail
///
/// | what fails | what happens |
/// |---|---|
/// | an answer is lost | ask again: the same token comes, and no second license is taken |
/// | a client dies | its license is free when its lease is over, 90 s by default; under `license run` on the same machine's store, at once |
/// | a server dies | its sessions keep their licenses and renew through another server of the store, or through the same one once it is back; without either, nothing new is granted |
/// | the machine loses power | what was acknowledged is there: an answer is sent after it is durable |
/// | the store is away | 503, never an answer from memory; leases do not run out meanwhile |
/// | a commit got no answer | 503 `outcome_unknown`: it was done, or not, and to ask again is safe |
/// | a server is frozen, then wakes | it finds itself replaced before it can answer anything |
/// | clocks jump | leases are counted by time that elapsed; dates of rights by a clock that is not believed when it leaps |
/// | a store is restored from a backup | what was granted since is not known to it: who holds that learns it when it renews; for all others leases begin afresh |
/// | a store was moved with `license store copy --seal` | its servers answer 503 `store_unavailable` and name the other store to whoever would change something, and at `/readyz`; what they show is as it was then |
/// | an entry of the log is damaged | that license alone is answered 503 `ledger_faulted`; its history stays readable |
///
/// Never more than was bought: every grant is decided and made durable in one order of all servers
/// of a store. What happened is the log itself, chained by hashes; counts and reports are made of it.
///
/// # What it cannot promise
///
/// - It counts honestly for whoever owns it. It cannot force the owner of the machine, who can change
///   the program or the file; the chain of hashes shows that history was changed, not by whom.
/// - Two unsealed copies of a store are two stores, each with all its licenses. `license store copy
///   --seal` moves a store for good.
/// - A session that goes on without renewing is not stopped: it is just no longer counted, and
///   somebody else may get its license. The same holds for a server that is cut off from its store.
/// - What a session says about itself, such as its user and address, is believed as it is.
/// - A disk that acknowledges what it did not keep is not noticed until the power is lost.
pub mod promises {}
