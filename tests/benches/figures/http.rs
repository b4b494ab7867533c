//! The license server: durable retain and release over HTTP, against a server of the same kind that
//! does nothing, and against one that commits each operation on its own.
//!
//! Everything that a server does by default is on: a credential is shown and checked with every
//! request, and the events are followed. Clients and server share the machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use license_http::{Limits, Options, Running};
use license_pool::{Clock as _, CredentialRole, KeptCredential, Pool, Retention};
use license_pool::{SAMPLE_LICENSE, ServerName, Session, SystemClock};

use crate::figure::{Bound, Figure, median};
use crate::noop::Yardsticks;
use crate::{clients, pool};

const ROUNDS: usize = 5;
/// How long one side of a round is measured.
const SIDE: Duration = Duration::from_millis(700);

/// A server over a store of its own, and what its administrator shows.
struct Server {
    _folder: tempfile::TempDir,
    running: Running,
    pool: Pool,
    secret: String,
}

impl Server {
    fn new() -> Server {
        let folder = pool::folder();
        let url = format!("sqlite:{}", folder.path().join("license.db").display());
        let name = ServerName::new("bench").unwrap();
        let pool = Pool::options().server(name).serving().open(&url).unwrap();
        pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
        let now = SystemClock.now();
        let (kept, secret) = KeptCredential::make(CredentialRole::Admin, None, now, None).unwrap();
        pool.keep_credential(kept).wait().unwrap();
        let limits = Limits { requests_per_second: u32::MAX, ..Limits::default() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = Options::new().limits(limits);
        let running = license_http::start(listener, pool.clone(), options).unwrap();
        let server = Server { _folder: folder, running, pool, secret: secret.reveal().to_owned() };
        server.follow_events();
        server
    }

    /// Reads the events for as long as the server lives.
    fn follow_events(&self) {
        let mut stream = TcpStream::connect(self.running.address()).unwrap();
        let secret = &self.secret;
        write!(
            stream,
            "GET /v1/licenses/active/events HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {secret}\r\n\r\n"
        )
        .unwrap();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
        });
    }

    /// A retain and a release, again and again, of one session.
    fn requests(&self, connection: usize) -> Vec<Vec<u8>> {
        let path = format!("/v1/licenses/active/sessions/load-{connection}/products/0007");
        let head =
            format!("HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n", self.secret);
        let body = clients::BODY;
        let length = body.len();
        vec![
            format!(
                "PUT {path} {head}content-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            )
            .into_bytes(),
            format!("DELETE {path} {head}\r\n").into_bytes(),
        ]
    }

    fn load(&self, connections: usize) -> clients::Measured {
        let address = self.running.address();
        clients::measure(address, connections, SIDE, |connection| self.requests(connection))
    }
}

fn noop(address: SocketAddr, connections: usize) -> clients::Measured {
    clients::measure(address, connections, SIDE, |_| vec![clients::post("/noop")])
}

fn naive(address: SocketAddr, connections: usize) -> clients::Measured {
    clients::measure(address, connections, SIDE, |_| vec![clients::post("/one")])
}

pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let server = Server::new();
    let folder = pool::folder();
    let yardsticks = Yardsticks::new(folder.path());
    for (connections, bound) in [(1, 0.10), (64, 0.50), (256, 0.65)] {
        let (mut ours, mut nothing) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            nothing.push(noop(yardsticks.address, connections));
            ours.push(server.load(connections));
        }
        let rate = |sides: &[clients::Measured]| median(sides.iter().map(|it| it.rate).collect());
        report(Figure {
            goal: "P1",
            part: format!("retain + release over HTTP, {connections} connections ÷ no-op"),
            value: ratio(&ours, &nothing, |side| side.rate),
            bound: Some(Bound::AtLeast(bound)),
            yardstick: format!(
                "no-op JSON POST: {:.0}/s (ours: {:.0}/s)",
                rate(&nothing),
                rate(&ours)
            ),
            unit: "ratio",
        });
        if connections == 1 {
            latency_of_one(&ours, &nothing, folder.path(), report);
        }
        if connections == 64 {
            report(Figure {
                goal: "P3",
                part: "p99 over HTTP at 64 connections ÷ no-op p99".to_owned(),
                value: ratio(&ours, &nothing, |side| side.p99),
                bound: Some(Bound::AtMost(3.0)),
                yardstick: format!(
                    "no-op p99: {:.2} ms",
                    median(nothing.iter().map(|it| it.p99).collect()) * 1e3
                ),
                unit: "ratio",
            });
        }
    }
    for (connections, bound) in [(1, 0.9), (32, 6.0), (256, 8.0)] {
        let (mut ours, mut single) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            single.push(naive(yardsticks.address, connections));
            ours.push(server.load(connections));
        }
        let single_rate = median(single.iter().map(|it| it.rate).collect());
        report(Figure {
            goal: "P2",
            part: format!("the same, {connections} connections ÷ one operation a transaction"),
            value: ratio(&ours, &single, |side| side.rate),
            bound: Some(Bound::AtLeast(bound)),
            yardstick: format!("insert and counter, one transaction each: {single_rate:.0}/s"),
            unit: "ratio",
        });
    }
}

fn latency_of_one(
    ours: &[clients::Measured],
    nothing: &[clients::Measured],
    folder: &Path,
    report: &mut dyn FnMut(Figure),
) {
    let sync = pool::sync_p50(folder);
    let p50 = |sides: &[clients::Measured]| median(sides.iter().map(|it| it.p50).collect());
    report(Figure {
        goal: "P3",
        part: "p50 over HTTP at 1 connection ÷ (fdatasync p50 + no-op p50)".to_owned(),
        value: p50(ours) / (sync + p50(nothing)),
        bound: Some(Bound::AtMost(2.0)),
        yardstick: format!(
            "fdatasync p50 {:.3} ms, no-op p50 {:.3} ms",
            sync * 1e3,
            p50(nothing) * 1e3
        ),
        unit: "ratio",
    });
}

const HELD: usize = 1_000_000;

pub(crate) fn measure_held(report: &mut dyn FnMut(Figure)) {
    let [empty, full] = [Server::new(), Server::new()];
    hold(&full.pool, HELD);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(empty.load(256));
        with.push(full.load(256));
    }
    report(Figure {
        goal: "P6",
        part: "HTTP, 256 connections: throughput with 1 M held ÷ with none".to_owned(),
        value: ratio(&with, &without, |side| side.rate),
        bound: Some(Bound::AtLeast(0.9)),
        yardstick: format!(
            "none held: {:.0}/s",
            median(without.iter().map(|it| it.rate).collect())
        ),
        unit: "ratio",
    });
}

pub(crate) fn measure_usage(report: &mut dyn FnMut(Figure)) {
    const RECORDS: usize = 100_000;
    let server = Server::new();
    hold(&server.pool, RECORDS);
    let plain: Vec<Retention> = server.pool.usage(None).unwrap();
    let (mut ours, mut serde) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let text = serde_json::to_vec(&plain).unwrap();
        serde.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let held = server.pool.held(None).unwrap();
        let mut written = Vec::new();
        for record in &held {
            written.push(if written.is_empty() { b'[' } else { b',' });
            record.write_json(&mut written);
        }
        written.push(b']');
        ours.push(start.elapsed().as_secs_f64());
        assert!(written == text, "both write the same report");
    }
    let (ours, serde) = (median(ours), median(serde));
    report(Figure {
        goal: "P9",
        part: "usage of 100 k records through the library ÷ serde_json of plain structs".to_owned(),
        value: serde / ours,
        bound: Some(Bound::AtLeast(0.8)),
        yardstick: format!("serde_json: {:.1} ms (ours: {:.1} ms)", serde * 1e3, ours * 1e3),
        unit: "ratio",
    });
    hold_more(&server.pool, RECORDS, HELD);
    drop(plain);
    let before = clients::resident_bytes();
    let (mut bytes, mut most) = (0, before);
    let address = server.running.address();
    clients::read(address, "/v1/licenses/active/usage?server=all", &server.secret, |chunk| {
        bytes += chunk;
        most = most.max(clients::resident_bytes());
    });
    report(Figure {
        goal: "P9",
        part: "extra memory while 1 M records are streamed over HTTP".to_owned(),
        value: (most.saturating_sub(before)) as f64 / f64::from(1 << 20),
        bound: Some(Bound::AtMost(16.0)),
        yardstick: format!("{:.0} MB of JSON read", f64::from(bytes) / 1e6),
        unit: "MiB",
    });
}

fn hold(pool: &Pool, count: usize) {
    hold_more(pool, 0, count);
}

fn hold_more(pool: &Pool, from: usize, to: usize) {
    let mut pending = std::collections::VecDeque::new();
    for index in from..to {
        let id = format!("held-{index}");
        pending.push_back(pool.retain_async("0007", &id, Session::rest("ann", &id, "192.0.2.12")));
        if pending.len() > 2000
            && let Some(first) = pending.pop_front()
        {
            first.wait().unwrap().keep();
        }
    }
    pending.into_iter().for_each(|seat| seat.wait().unwrap().keep());
}

fn ratio(
    ours: &[clients::Measured],
    theirs: &[clients::Measured],
    of: impl Fn(&clients::Measured) -> f64,
) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| of(ours) / of(theirs)).collect())
}
