//! What a server says while it runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use super::{LICENSE, PATIENCE, Serve, World, be_somebody, done, exchange};

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
fn whom_a_server_turns_away_when_it_stops_is_no_failure_in_its_log() {
    let world = World::new();
    let mut server = world.serve("--license license.json");
    done(&world, &server, "retain --product 0025 --session first");
    let body =
        r#"{"session": {"userName": "", "sessionID": "", "IPAddress": "", "isDatastore": false}}"#;
    let request = format!(
        "PUT /v1/licenses/active/sessions/second/products/0025?wait=60s HTTP/1.1\r\n\
         host: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut waits = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    waits.set_read_timeout(Some(PATIENCE)).unwrap();
    waits.write_all(request.as_bytes()).unwrap();
    let metrics = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let since = Instant::now();
    while !exchange(&server, metrics).contains("\nlicense_waiting 1\n") {
        assert!(since.elapsed() < PATIENCE, "nobody waits");
    }
    assert_eq!(server.end(Signal::TERM), Some(0));
    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("draining"), "{answer}");
    let said = server.all_said().join("\n");
    assert!(said.contains("stopping") && !said.contains("ERROR"), "{said}");
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
    assert_eq!((later(&log), log.lines().count()), (2, 5), "{log}");
    // What was written before is not written again.
    let mut again = world.serve("--usage-log usage.log");
    let words = "retain --product 0009 --session again --license-number DEMO-2002";
    done(&world, &again, words);
    while later(&log) < 3 {
        assert!(Instant::now() < until, "{log}");
        log = fs::read_to_string(world.path("usage.log")).unwrap();
    }
    again.end(Signal::TERM);
    log = fs::read_to_string(world.path("usage.log")).unwrap();
    assert_eq!(log.lines().count(), 6, "{log}");
    assert!(log.lines().last().unwrap().contains("retained (current use 2)"), "{log}");
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
