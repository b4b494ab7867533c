//! One of several processes that share a store, for the tests that kill, freeze and starve them. It
//! tells on standard output what it did, a line each, and only after it was acknowledged.
//!
//! - `worker load STORE NAME SEED` retains and releases from several threads, as server NAME, until
//!   standard input ends. Tells `retained TOKEN SESSION`, `again TOKEN SESSION` of what was held
//!   before, `refused`, `releasing TOKEN` before it asks and `released TOKEN` after.
//! - `worker turn STORE`, a file or an address, takes a turn, tells `turn` and keeps it until standard
//!   input ends. Tells `failed ERROR` where it lost the turn meanwhile.
//! - `worker fill STORE FILLER` retains until that fails, tells `failed ERROR`, asks for one more
//!   license and tells `held COUNT`. Then removes FILLER and goes on: `recovered`, `held COUNT`,
//!   `sound`.
//! - `worker read STORE` tells `held COUNT`, and how retaining failed: `failed ERROR`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test's process talks to the test")]

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;
use std::{env, fs, process, thread};

use fastrand::Rng;
use license_pool::log::{Asked, Log, PostgresLog, SqliteLog, Which};
use license_pool::{Error, Pool, Seat, ServerName, Session, StoreUrl};

const PRODUCT: &str = "0009";
const THREADS: u64 = 4;
/// More than there are licenses, so that some are refused.
const SESSIONS: u64 = 6;
/// Long enough to tell that a store is in the way of nobody.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["load", store, name, seed] => load(store, name, seed.parse().unwrap()),
        ["turn", store] => turn(store),
        ["fill", store, filler] => fill(store, filler),
        ["read", store] => read(store),
        _ => panic!("see the documentation of this program"),
    }
}

fn load(store: &str, name: &str, seed: u64) {
    let server = ServerName::new(name).unwrap();
    let pool = Pool::options().server(server).patience(PATIENCE).open(&url(store)).unwrap();
    for thread in 0..THREADS {
        let (pool, name) = (pool.clone(), name.to_owned());
        thread::spawn(move || {
            let mut random = Rng::with_seed(seed * THREADS + thread);
            let mut held: Vec<Seat> = Vec::new();
            loop {
                if random.u8(..3) == 0 && !held.is_empty() {
                    let seat = held.swap_remove(random.usize(..held.len()));
                    let token = seat.token();
                    println!("releasing {token}");
                    seat.release().unwrap();
                    println!("released {token}");
                    continue;
                }
                // Those of the process that had the name before.
                let session = format!("{name}-{thread}-{}", random.u64(..SESSIONS));
                match retain(&pool, &session) {
                    Ok(seat) if held.iter().any(|held| held.token() == seat.token()) => seat.keep(),
                    Ok(seat) => {
                        let told = if seat.is_new() { "retained" } else { "again" };
                        println!("{told} {} {session}", seat.token());
                        held.push(seat);
                    }
                    Err(Error::Refused(_)) => {
                        println!("refused");
                        held.drain(..).for_each(|seat| {
                            println!("releasing {}", seat.token());
                            drop(seat);
                        });
                    }
                    Err(error) => {
                        println!("failed {error:?}");
                        process::exit(1);
                    }
                }
            }
        });
    }
    until_input_ends();
    // As a process ends that nobody kills and that does not care.
    process::exit(0);
}

fn turn(store: &str) {
    let mut log: Box<dyn Log> = match store.parse() {
        Ok(StoreUrl::Postgres(url)) => Box::new(PostgresLog::open(&url, None, false).unwrap()),
        _ => Box::new(SqliteLog::open(Path::new(store), false, PATIENCE).unwrap()),
    };
    let asked = [Asked { license: Which::Only, known: None }];
    let turn = log.turn(&asked, &mut |_| {
        println!("turn");
        until_input_ends();
        Default::default()
    });
    if let Err(error) = turn {
        println!("failed {error:?}");
    }
}

fn fill(store: &str, filler: &str) {
    let pool = Pool::options().local().open(&url(store)).unwrap();
    let mut number = 0;
    let mut until_it_fails = || {
        loop {
            number += 1;
            let session = format!("fill-{number}");
            match retain(&pool, &session) {
                Ok(seat) => {
                    println!("retained {} {session}", seat.token());
                    seat.keep();
                }
                Err(error) => break told(error),
            }
        }
    };
    until_it_fails();
    until_it_fails();
    println!("held {}", pool.usage(None).unwrap().len());
    fs::remove_file(filler).unwrap();
    let seat = retain(&pool, "after").unwrap();
    println!("retained {} after", seat.token());
    seat.keep();
    println!("recovered");
    println!("held {}", pool.usage(None).unwrap().len());
    assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
    println!("sound");
}

fn read(store: &str) {
    let pool = Pool::options().local().must_exist().open(&url(store)).unwrap();
    println!("held {}", pool.usage(None).unwrap().len());
    told(retain(&pool, "one").unwrap_err());
}

fn retain(pool: &Pool, session: &str) -> Result<Seat, Error> {
    pool.retain(PRODUCT, session, Session::rest("ann", session, "127.0.0.1"))
}

fn told(error: Error) {
    println!("failed {error:?}");
}

fn url(store: &str) -> String {
    format!("sqlite:{store}")
}

fn until_input_ends() {
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
