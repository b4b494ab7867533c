//! What it takes to start a server, what it is told, and how it ends.

use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_pool::log::{LedgerId, Log, SqliteLog, Turn};
use license_pool::{Event, ManualClock, Pool, Session};
use rustix::process::Signal;
use serde_json::Value;

use super::{
    LICENSE, PATIENCE, Serve, World, ask_as, be_somebody, curl, done, holders, refused, through,
};

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
fn no_server_takes_the_name_of_single_commands() {
    let world = World::new();
    let said = world.refused("--listen 127.0.0.1:0 --server-name local");
    assert!(said.contains("`local`") && said.contains("LICENSE_SERVER_NAME"), "{said}");
    assert!(!world.path("license.db").exists());
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
    // Replaced under another number.
    world.file("other.json", &LICENSE.replace("DEMO-2001", "DEMO-2002"));
    world.run("install other.json --replaces DEMO-2001");
    let said = start("renewed.json");
    assert!(said.contains("renewed.json was replaced by license DEMO-2002"), "{said}");
    assert_eq!(numbers(&world), "DEMO-2002");
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
    let mut server = Serve::started(&mut serve("--allowed-host typed.example"));
    let host = |name: &str| ask_as(&server, name).contains("200 OK");
    assert!(host("typed.example") && !host("other.example"));
    server.end(Signal::TERM);
    let mut tls = serve("--plain-http");
    tls.envs([("LICENSE_TLS_CERTIFICATE", "none.pem"), ("LICENSE_TLS_KEY", "none.key")]);
    let mut server = Serve::started(&mut tls);
    assert!(server.url.starts_with("http:"), "{}", server.url);
    server.end(Signal::TERM);
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

#[test]
fn how_long_something_is_kept_is_told_with_its_unit() {
    let world = World::new();
    for flag in ["--history", "--identities"] {
        let said = world.refused(&format!("{flag} 400"));
        assert!(said.contains(flag) && said.contains("a number and a unit"), "{said}");
    }
    let mut serve = world.license("serve");
    let said = refused(serve.env("LICENSE_HISTORY", "400"));
    assert!(said.contains("`400` in LICENSE_HISTORY") && said.contains("a unit"), "{said}");
    assert!(!world.path("license.db").exists());
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
        // The processor is for the server.
        thread::park_timeout(Duration::from_millis(1));
    };
    assert_eq!(described, ["now"]);
    assert_eq!(server.end(Signal::TERM), Some(0));
}
