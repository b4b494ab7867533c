//! What the figures measure of pools in a process of its own.
//!
//! `measured hold COUNT STORE` retains so many licenses, and prints the bytes of memory that one of
//! them takes, and those of its record. `measured share NAME CALLERS MILLISECONDS STORE` works with so
//! many callers for so long whenever it reads a line, and prints the operations a second and the
//! longest wait in milliseconds.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement talks to its caller")]

use std::{fs, io, time::Duration};

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

/// A line of this process's status.
fn kilobytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
