//! What the figures measure of pools in a process of its own.
//!
//! `measured hold COUNT STORE` retains so many licenses, and prints the bytes of memory that one of
//! them takes, and those of its record. `measured share NAME CALLERS MILLISECONDS STORE` works with so
//! many callers for so long whenever it reads a line, and prints the operations a second and the
//! longest wait in milliseconds. `measured ledgers COUNT STORE` asks a pool of that many ledgers for each
//! of them, and prints the bytes of memory that it took after a tenth of them, and after all.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement talks to its caller")]

use std::{fs, io, ops::Range, path::Path, sync::Arc, time::Duration};

use license_core::{Event, Installed, Ledger, License, Stamp};
use license_pool::log::{Append, Log as _, SqliteLog, Turn};
use license_pool::{Pool, SAMPLE_LICENSE, ServerName};
use license_tests::load::{self, many_callers};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["hold", count, store] => hold(count.parse().unwrap(), store),
        ["share", name, callers, milliseconds, store] => {
            let time = Duration::from_millis(milliseconds.parse().unwrap());
            share(name, callers.parse().unwrap(), time, store);
        }
        ["ledgers", count, store] => ledgers(count.parse().unwrap(), store),
        _ => panic!("see the documentation of this program"),
    }
}

fn hold(count: usize, store: &str) {
    let pool = Pool::open(&format!("sqlite:{store}")).unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    // What is there once, and grows no more: threads, caches, the allocator's own.
    load::hold(&pool, count / 100);
    let before = kilobytes("VmRSS:");
    load::hold(&pool, count);
    let memory = kilobytes("VmRSS:").saturating_sub(before) * 1024;
    let records = count - count / 100;
    let sample = pool.usage(None).unwrap();
    let rendered: usize =
        sample.iter().map(|record| serde_json::to_string(record).unwrap().len()).sum();
    println!("{} {}", memory / records as u64, rendered / sample.len());
}

fn share(name: &str, callers: usize, time: Duration, store: &str) {
    let server = ServerName::new(name).unwrap();
    let pool = Pool::options().server(server).open(&format!("sqlite:{store}")).unwrap();
    println!("ready");
    while io::stdin().read_line(&mut String::new()).unwrap() > 0 {
        let met = many_callers(&pool, name, callers, time);
        println!("{} {}", met.rate(), met.percentile(100).as_secs_f64() * 1e3);
    }
}

fn ledgers(count: usize, store: &str) {
    let number = |place: usize| format!("L-{place}");
    let mut log = SqliteLog::open(Path::new(store), true, Duration::from_secs(10)).unwrap();
    for places in (0..count).collect::<Vec<_>>().chunks(5_000) {
        let appends = places.iter().map(|place| installed(&number(*place))).collect();
        let mut turn = Some(Turn { appends, ends: Vec::new() });
        log.turn(&[], &mut |_| turn.take().unwrap_or_default()).unwrap();
    }
    drop(log);
    let pool = Pool::options().loaded_max(1_000).open(&format!("sqlite:{store}")).unwrap();
    let before = kilobytes("VmRSS:");
    let ask = |places: Range<usize>| {
        for places in places.collect::<Vec<_>>().chunks(256) {
            let asked =
                places.iter().map(|it| pool.license(number(*it)).availability_async("0009"));
            for answer in asked.collect::<Vec<_>>() {
                assert!(answer.wait().unwrap().available);
            }
        }
        kilobytes("VmRSS:").saturating_sub(before) * 1024
    };
    let tenth = ask(0..count / 10);
    println!("{tenth} {}", ask(count / 10..count));
}

/// A new ledger in which the sample license was installed under this number.
fn installed(number: &str) -> Append {
    let license = License::parse(SAMPLE_LICENSE.replace("SAMPLE-0001", number).as_bytes()).unwrap();
    let installed = Installed { license: Arc::new(license), replaced_number: None, signed: false };
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    let entry = Ledger::new().seal(Event::Installed(installed), &Stamp::local(), now);
    Append { number: Some(number.into()), entries: vec![entry], ..Append::default() }
}

/// A line of this process's status.
fn kilobytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
