//! `license serve` as a process: what it takes to start it, how it is told to end, and what it says.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_pool::log::{LedgerId, Log, SqliteLog, Turn};
use license_pool::{Event, ManualClock, Pool, Session};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const LICENSE: &str = include_str!("../demo/license.json");

/// Much longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which commands are run.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A folder with a license in a file and no store.
    fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        world.file("license.json", LICENSE);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn license(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_license"));
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("LICENSE_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command that succeeds, and gives what it printed.
    #[track_caller]
    fn run(&self, words: &str) -> String {
        let Output { status, stdout, stderr } = self.license(words).output().unwrap();
        assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// Makes a credential and puts its secret into a file.
    fn credential(&self, flags: &str, file: &str) -> String {
        let secret = self.run(&format!("credential create {flags}"));
        self.file(file, &secret);
        secret.trim_end().to_owned()
    }

    /// A certificate for this machine, as `NAME.pem` with its key `NAME.key`.
    fn certificate(&self, name: &str) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        self.file(&format!("{name}.pem"), &made.cert.pem());
        self.file(&format!("{name}.key"), &made.signing_key.serialize_pem());
    }

    /// Puts a certificate where another is served from.
    fn replace(&self, name: &str, by: &str) {
        for extension in ["pem", "key"] {
            let from = self.path(&format!("{by}.{extension}"));
            fs::copy(from, self.path(&format!("{name}.{extension}"))).unwrap();
        }
    }

    /// `license serve` on a free port of this machine, once it answers.
    fn serve(&self, flags: &str) -> Serve {
        self.serve_on("127.0.0.1:0", flags)
    }

    fn serve_on(&self, listen: &str, flags: &str) -> Serve {
        Serve::started(&mut self.license(&format!("serve --listen {listen} {flags}")))
    }

    /// `license serve` that does not start: what it says.
    #[track_caller]
    fn refused(&self, words: &str) -> String {
        refused(&mut self.license(&format!("serve {words}")))
    }
}

/// A server that does not start: what it says.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut stdout).unwrap();
    if !stdout.is_empty() {
        // It would go on for ever.
        child.kill().unwrap();
        panic!("it started: {stdout}");
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{stderr}");
    stderr
}

/// A server that runs.
struct Serve {
    child: Child,
    url: String,
    /// What it says, line by line.
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Serve {
    fn started(command: &mut Command) -> Serve {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (say, said) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| say.send(line))
        });
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        let mut serve = Serve { child, url: url.trim_end().to_owned(), said, heard: Vec::new() };
        assert!(serve.url.starts_with("http"), "{:?}", serve.all_said());
        serve
    }

    /// The URL by which a client on this machine reaches it.
    fn near(&self) -> String {
        self.url.replace("0.0.0.0", "localhost").replace("127.0.0.1", "localhost")
    }

    /// Waits until it says this.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.heard.iter().any(|line| line.contains(text)) {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("`{text}` is never said: {:?}", self.heard),
            }
        }
    }

    /// Tells it to end, and gives its exit code.
    fn end(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    /// All that it said until its end.
    fn all_said(&mut self) -> Vec<String> {
        let _ = self.child.wait();
        self.heard.extend(self.said.iter());
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command says on the server of this URL.
fn through(world: &World, server: &Serve, words: &str) -> Output {
    world.license(words).env("LICENSE_SERVER", server.near()).output().unwrap()
}

#[track_caller]
fn done(world: &World, server: &Serve, words: &str) -> String {
    let Output { status, stdout, stderr } = through(world, server, words);
    assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The sessions that hold something in the store.
fn holders(world: &World) -> Vec<String> {
    let usage: Value = serde_json::from_str(&world.run("usage --json")).unwrap();
    let held = usage.as_array().unwrap().iter();
    held.map(|held| held["session"]["sessionID"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_signal_ends_it_in_order_and_what_is_held_stays_held() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::new();
        let mut server = world.serve("--license license.json");
        done(&world, &server, "retain --product 0009 --session job-7");
        assert_eq!(server.end(signal), Some(0));
        assert_eq!(holders(&world), ["job-7"]);
        let said = server.all_said().join("\n");
        assert!(said.contains("stopping"), "{said}");
        // The name is free again, and what is held goes on.
        let again = world.serve_on(server.url.trim_start_matches("http://"), "");
        done(&world, &again, "renew --session job-7");
        assert_eq!(holders(&world), ["job-7"]);
    }
}

#[test]
fn a_server_that_was_replaced_says_so_and_ends_and_serves_when_it_is_started_again() {
    let world = World::new();
    let mut server = world.serve("--license license.json --server-name east");
    done(&world, &server, "retain --product 0009 --session job-7");
    // It stood still for so long that another took it for dead.
    let mut log = SqliteLog::open(&world.path("license.db"), false, PATIENCE).unwrap();
    let ends = log.beat(&[]).unwrap();
    assert_eq!(ends.len(), 1);
    log.turn(&[], &mut |_| Turn { ends: ends.clone(), ..Turn::default() }).unwrap();
    assert_eq!(through(&world, &server, "info").status.code(), Some(4), "it answers nobody");
    assert_eq!(server.child.wait().unwrap().code(), Some(4));
    let said = server.all_said();
    let last = said.last().unwrap();
    assert!(last.starts_with("license: another process took the name of this server"), "{said:?}");
    let again = world.serve("--server-name east");
    done(&world, &again, "renew --session job-7");
}

#[test]
fn others_reach_it_only_with_an_administrator_and_tls() {
    let world = World::new();
    world.certificate("server");
    let tls = "--tls-certificate server.pem --tls-key server.key";
    let open = "--listen 0.0.0.0:0";

    assert!(world.refused(open).contains("TLS"));
    assert!(world.refused(&format!("{open} {tls}")).contains("credential create --role admin"));
    assert!(!world.path("license.db").exists(), "what does not start creates nothing");
    world.run("install license.json");
    for flags in ["--role viewer", "--role client"] {
        world.credential(flags, "other");
    }
    let revoked = world.credential("--role admin", "revoked");
    world.run(&format!("credential revoke {}", revoked.rsplit_once('_').unwrap().0));
    for flags in [tls, "--plain-http"] {
        let said = world.refused(&format!("{open} {flags}"));
        assert!(said.contains("credential create --role admin"), "{said}");
    }
    assert_eq!(world.run("servers"), "no server shares the store\n");

    world.credential("--role admin", "admin");
    assert!(world.refused(open).contains("--plain-http"));
    for half in ["--tls-certificate server.pem", "--tls-key server.key"] {
        assert!(world.refused(&format!("{open} {half}")).contains("needs --tls-"));
    }
    let mut server = world.serve_on("0.0.0.0:0", tls);
    assert!(server.url.starts_with("https://0.0.0.0:"), "{}", server.url);
    let info = "info --ca-file server.pem --credential-file";
    assert!(done(&world, &server, &format!("{info} admin")).contains("DEMO-2001"));
    // Nobody without a credential, and no other certificate.
    assert_eq!(through(&world, &server, "info --ca-file server.pem").status.code(), Some(3));
    world.certificate("stranger");
    let stranger = through(&world, &server, "info --ca-file stranger.pem --credential-file admin");
    assert_eq!(stranger.status.code(), Some(4));
    assert_eq!(server.end(Signal::TERM), Some(0));
}

#[test]
fn who_goes_without_tls_is_told_what_that_gives_up() {
    let world = World::new();
    world.run("install license.json");
    world.credential("--role admin", "admin");
    let mut server = world.serve_on("0.0.0.0:0", "--plain-http");
    assert!(server.url.starts_with("http://0.0.0.0:"), "{}", server.url);
    server.says("warning: --plain-http: who can listen in reads credentials and users");
    assert!(done(&world, &server, "info --credential-file admin").contains("DEMO-2001"));
    // On this machine alone there is nobody to be warned of.
    let mut near = world.serve("--plain-http --server-name near");
    near.end(Signal::TERM);
    let said = near.all_said().join("\n");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_certificate_is_read_again_when_it_changes_and_never_by_halves() {
    let world = World::new();
    for name in ["server", "first", "second"] {
        world.certificate(name);
    }
    world.replace("server", "first");
    let flags = "--license license.json --tls-certificate server.pem --tls-key server.key";
    let mut server = world.serve(flags);
    let reaches = |server: &Serve, name: &str| {
        let words = format!("info --ca-file {name}.pem");
        through(&world, server, &words).status.code() == Some(0)
    };
    assert!(reaches(&server, "first") && !reaches(&server, "second"));

    // The certificate is there before its key is.
    fs::copy(world.path("second.pem"), world.path("server.pem")).unwrap();
    let until = Instant::now() + PATIENCE;
    while !server.heard.iter().any(|line| line.contains("the new certificate cannot be used")) {
        assert!(Instant::now() < until, "nobody looks: {:?}", server.heard);
        assert!(reaches(&server, "first"), "the old one goes on");
        server.heard.extend(server.said.try_iter());
    }
    world.replace("server", "second");
    let until = Instant::now() + PATIENCE;
    while !reaches(&server, "second") {
        assert!(Instant::now() < until, "the new certificate is never served");
    }
    assert!(!reaches(&server, "first"));
    server.says("read the certificate again");
}

#[test]
fn a_license_is_installed_at_the_start_but_never_put_back() {
    let world = World::new();
    let numbers = |world: &World| -> Value {
        let info: Value = serde_json::from_str(&world.run("info --json")).unwrap();
        info["licenseNumber"].clone()
    };
    let start = |license: &str| {
        let mut server = world.serve(&format!("--license {license}"));
        assert_eq!(server.end(Signal::TERM), Some(0));
        server.all_said().join("\n")
    };
    let warning = "so it is left out";
    assert!(!start("license.json").contains(warning));
    assert_eq!(numbers(&world), "DEMO-2001");
    assert!(!start("license.json").contains(warning));
    assert_eq!(world.run("history --kind installed --json").lines().count(), 1);

    // Replaced under the same number.
    world.file("renewed.json", &LICENSE.replace("\"count\": 10", "\"count\": 11"));
    world.run("install renewed.json");
    let said = start("license.json");
    assert!(said.contains("license.json was installed before and replaced since"), "{said}");
    assert_eq!(world.run("history --kind installed --json").lines().count(), 2);

    // Uninstalled by an administrator.
    world.credential("--role admin", "admin");
    let mut server = world.serve("");
    let delete = curl(&server, "DELETE", "/v1/licenses/active", &world.path("admin"));
    assert!(delete.contains("200 OK") && delete.contains("DEMO-2001"), "{delete}");
    server.end(Signal::TERM);
    let said = start("renewed.json");
    assert!(said.contains("renewed.json was installed before and uninstalled since"), "{said}");
    assert_eq!(world.run("info --json"), "null\n");
    // By hand it comes back.
    world.run("install renewed.json");
    assert_eq!(numbers(&world), "DEMO-2001");
    assert!(world.run("history --verify --kind uninstalled").contains("uninstalled license"));
}

#[test]
fn all_that_a_server_needs_may_stand_in_variables_and_what_is_typed_counts_more() {
    let world = World::new();
    let variables = [
        ("LICENSE_LISTEN", "127.0.0.1:0"),
        ("LICENSE_FILE", "license.json"),
        ("LICENSE_ALLOWED_HOST", "licenses.example, other.example"),
        ("LICENSE_TRUSTED_PROXY", "192.0.2.1"),
        ("LICENSE_USAGE_LOG", "usage.log"),
        ("LICENSE_LOG", "json"),
        ("LICENSE_SERVER_NAME", "here"),
        ("LICENSE_PLAIN_HTTP", "false"),
    ];
    let serve = |flags: &str| {
        let mut command = world.license(&format!("serve {flags}"));
        command.envs(variables);
        command
    };
    for (flags, first) in [("", "{"), ("--log text", "20")] {
        let mut server = Serve::started(&mut serve(flags));
        let host = |name: &str| ask_as(&server, name).contains("200 OK");
        assert!(host("other.example") && !host("foreign.example"));
        assert!(world.run("servers").contains("here"));
        be_somebody(&world, &server);
        server.end(Signal::TERM);
        let said = server.all_said();
        assert!(said.iter().all(|line| line.starts_with(first)), "{said:?}");
        assert!(world.path("usage.log").exists());
    }
    for (name, value) in [
        ("LICENSE_LOG", "xml"),
        ("LICENSE_TRUSTED_PROXY", "somewhere"),
        ("LICENSE_PLAIN_HTTP", "yes"),
        ("LICENSE_LEASE", "long"),
    ] {
        let stderr = refused(serve("").env(name, value));
        assert!(stderr.contains(&format!("`{value}` in {name} cannot be read")), "{stderr}");
    }
}

#[test]
fn the_demo_serves_a_sample_license_with_clients_and_leaves_nothing_behind() {
    let world = World::new();
    let by_variable = || {
        let mut command = world.license("serve --listen 127.0.0.1:0");
        // The license of real clients has no place in it.
        command.env("LICENSE_DEMO", "true").env("LICENSE_FILE", "license.json");
        Serve::started(&mut command)
    };
    for mut server in [world.serve("--demo"), by_variable()] {
        assert!(done(&world, &server, "info").contains("SAMPLE-0001"));
        let tokens = || -> Vec<u64> {
            let usage = done(&world, &server, "usage --json");
            let usage: Value = serde_json::from_str(&usage).unwrap();
            let held = usage.as_array().unwrap().iter();
            held.map(|held| held["token"].as_u64().unwrap()).collect()
        };
        let before = tokens();
        assert!(!before.is_empty(), "somebody is there at once");
        let until = Instant::now() + PATIENCE;
        while tokens() == before {
            assert!(Instant::now() < until, "nobody comes or goes");
        }
        assert_eq!(server.end(Signal::TERM), Some(0));
    }
    assert!(!world.path("license.db").exists());
    let real = world.refused("--demo --store sqlite:license.db");
    assert!(real.contains("the demo keeps its licenses in memory"), "{real}");
    assert!(world.refused("--demo --license license.json").contains("--license"));
}

/// What is answered to who calls the server by a name.
fn ask_as(server: &Serve, host: &str) -> String {
    exchange(server, &format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
}

/// One request as bytes, and the whole answer.
fn curl(server: &Serve, method: &str, path: &str, credential: &Path) -> String {
    let secret = fs::read_to_string(credential).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer {}\r\n\r\n",
        secret.trim_end()
    );
    exchange(server, &request)
}

fn exchange(server: &Serve, request: &str) -> String {
    use std::io::Write as _;
    let address = server.url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Does what a log should say nothing of: sessions of a person come and go, requests fail.
fn be_somebody(world: &World, server: &Serve) {
    world.file(
        "eve.json",
        r#"{"userName": "Eve", "sessionID": "e", "IPAddress": "198.51.100.7", "isDatastore": false}"#,
    );
    done(world, server, "retain --product 0025 --session of-eve --describe eve.json");
    let refused = through(world, server, "retain --product 0025 --session of-ann");
    assert_eq!(refused.status.code(), Some(3));
    done(world, server, "release --session of-eve");
    world.file("wrong", "lk_00000000dead_00");
    let wrong = through(world, server, "info --credential-file wrong");
    assert_eq!(wrong.status.code(), Some(3));
    curl(server, "GET", "/of-eve?user=Eve", &world.path("wrong"));
}

#[test]
fn a_log_is_text_or_json_and_tells_of_nobody() {
    let world = World::new();
    for format in ["text", "json"] {
        let mut server = world.serve(&format!("--license license.json --log {format}"));
        be_somebody(&world, &server);
        assert_eq!(server.end(Signal::TERM), Some(0));
        let said = server.all_said();
        let log = said.iter().filter(|line| !line.starts_with("license: "));
        let log: Vec<&String> = log.collect();
        assert!(log.iter().any(|line| line.contains("serving")), "{said:?}");
        for line in &log {
            match format {
                "json" => {
                    let line: Value = serde_json::from_str(line).unwrap();
                    assert!(line["timestamp"].is_string() && line["level"] == "INFO", "{line}");
                }
                _ => assert!(line.contains(" INFO "), "{line}"),
            }
        }
        let said = said.join("\n");
        for secret in ["Eve", "of-", "198.51", "dead"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[test]
fn no_line_of_a_log_is_anothers_whatever_a_name_is_made_of() {
    let world = World::new();
    for format in ["text", "json"] {
        let name = format!("\u{202e}a\n2026-01-05 ERROR forged\u{1b}[2J\u{85}\u{2028}{format}.db");
        let mut command = world
            .license(&format!("serve --listen 127.0.0.1:0 --license license.json --log {format}"));
        let mut server = Serve::started(command.env("LICENSE_STORE", format!("sqlite:{name}")));
        server.says("serving");
        assert_eq!(server.end(Signal::TERM), Some(0));
        let said = server.all_said();
        assert!(said.iter().any(|line| line.contains("forged")), "{said:?}");
        for line in &said {
            assert!(!line.starts_with("2026-01-05 ERROR"), "{said:?}");
            match format {
                // Programs get the name as it is, in one line.
                "json" => {
                    assert!(!line.contains(|c: char| c.is_ascii_control()), "{said:?}");
                    let line: Value = serde_json::from_str(line).unwrap();
                    let store = line["store"].as_str().unwrap_or(&name);
                    assert!(store.ends_with(&name), "{said:?}");
                }
                _ => assert_eq!(line, &license_types::escaped(line), "{said:?}"),
            }
        }
    }
}

#[test]
fn the_lines_of_the_reference_system_are_written_for_whom_asks() {
    let world = World::new();
    world.file("usage.log", "what was there stays\n");
    let mut server = world.serve("--license license.json --usage-log usage.log");
    be_somebody(&world, &server);
    let until = Instant::now() + PATIENCE;
    let mut log = String::new();
    while log.lines().count() < 3 {
        assert!(Instant::now() < until, "{log}");
        log = fs::read_to_string(world.path("usage.log")).unwrap();
    }
    // Under another number it is the same license, and one that comes is followed too.
    world.file("renewed.json", &LICENSE.replace("DEMO-2001", "DEMO-2002"));
    world.run("install renewed.json --replaces DEMO-2001");
    world.file("other.json", &LICENSE.replace("DEMO-2001", "OTHER-1"));
    world.run("install other.json");
    for number in ["DEMO-2002", "OTHER-1"] {
        let words = format!("retain --product 0009 --session later --license-number {number}");
        done(&world, &server, &words);
    }
    let later = |log: &str| log.lines().filter(|line| line.contains("4D Client")).count();
    while later(&log) < 2 {
        assert!(Instant::now() < until, "{log}");
        log = fs::read_to_string(world.path("usage.log")).unwrap();
    }
    server.end(Signal::TERM);
    log = fs::read_to_string(world.path("usage.log")).unwrap();
    assert_eq!(later(&log), 2, "{log}");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], "what was there stays");
    let rest = "by user Eve with IP 198.51.100.7 with token 1: CLIENT";
    let [retained, released] = ["retained (current use 1)", "released (current use 0)"]
        .map(|done| format!(" [LICUSAGE] INFO - License 4D SQL Server {done} {rest}"));
    assert!(lines[1].contains(&retained), "{log}");
    assert!(lines[2].contains(&released), "{log}");
    let (sequence, time) = lines[1].split_once(' ').unwrap();
    assert_eq!(sequence, "2");
    assert_eq!(time.find(" [").unwrap(), "2026-01-05T10:00:00.000".len());
}

#[test]
fn a_server_keeps_history_and_identities_as_long_as_it_is_told() {
    let world = World::new();
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let clock = Arc::new(ManualClock::new(Timestamp::now() - days(60)));
    let options = Pool::options().local().clock(clock.clone()).snapshots(u64::MAX);
    let pool = options.open(&format!("sqlite:{}", world.path("license.db").display())).unwrap();
    pool.install(LICENSE.as_bytes()).unwrap();
    let hold_and_release = |sessions: Range<u32>| {
        let retain = |session: u32| {
            let session = format!("job-{session}");
            pool.retain_async("0007", &session, Session::rest("ann", &*session, "127.0.0.1"))
        };
        let seats: Vec<_> = sessions.map(retain).collect();
        let seats = seats.into_iter().map(|seat| seat.wait().unwrap().release_async());
        seats.collect::<Vec<_>>().into_iter().for_each(|released| drop(released.wait().unwrap()));
    };
    // More than what a snapshot is due after.
    hold_and_release(0..10_000);
    clock.advance(days(55));
    hold_and_release(10_000..10_010);
    pool.close().wait().unwrap();
    let mut server = world.serve("--history 30d --identities 2d");
    world.run(&format!("retain --product 0009 --session now --server {}", server.url));
    let mut log = SqliteLog::open(&world.path("license.db"), false, PATIENCE).unwrap();
    let until = Instant::now() + PATIENCE;
    let described = loop {
        let left = log.page(LedgerId(1), 0, 100).unwrap();
        let described = left.iter().filter_map(|entry| match entry.to_wire().event {
            Event::Retained(it) => it.description.is_some().then_some(it.session_id),
            _ => None,
        });
        let described: Vec<_> = described.map(|session| session.to_string()).collect();
        if left[0].sequence > 20_000 && described.len() < 11 {
            break described;
        }
        assert!(Instant::now() < until, "{:?}, {described:?}", left[0]);
        thread::yield_now();
    };
    assert_eq!(described, ["now"]);
    assert_eq!(server.end(Signal::TERM), Some(0));
}
