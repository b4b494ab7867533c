//! A primary that dies under load and the standby that takes its place: every acknowledged retention
//! is there afterwards, none is held beyond what is allowed, and our servers go on by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use fastrand::Rng;
use license_pool::{Error, Pool};

use super::server::{DEADLINE, Server, address};
use crate::pool::world::{holders, license, options, retain};

/// Fewer than there are sessions, so that some are refused all the time.
const ALLOWED: u64 = 5;
const SESSIONS_EACH: usize = 4;
const WORKERS: usize = 4;
/// So much is acknowledged to each worker, before the primary dies and after.
const ENOUGH: u64 = 40;

#[test]
fn a_failover_loses_nothing_that_was_acknowledged() {
    let Some(primary) = Server::start(&SYNCHRONOUS).map(Arc::new) else { return };
    let standby = standby_of(&primary);
    let database = primary.clone().database();
    // Our servers know both hosts, in either order.
    let east = address(&[primary.host(), standby.host()], &database.name);
    let west = address(&[standby.host(), primary.host()], &database.name);
    // Whatever an address says, a store is written to.
    let east = format!("{east}?target_session_attrs=read-write&connections=2");
    let west = format!("{west}?target_session_attrs=any");
    let pools = [options().open(&east).unwrap(), options().open(&west).unwrap()];
    pools[0].install(license("A", ALLOWED).as_bytes()).unwrap();

    let load = Load::default();
    let (held, gap) = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|index| {
                let (pool, load) = (&pools[index % pools.len()], &load);
                scope.spawn(move || load.run(pool, index))
            })
            .collect();
        load.wait_for(ENOUGH);
        primary.kill();
        load.down.store(true, Ordering::SeqCst);
        standby.run(standby.command("pg_ctl").args(["promote", "-w", "-D"]).arg(standby.data()));
        let promoted = Instant::now();
        load.acknowledged.iter().for_each(|count| count.store(0, Ordering::SeqCst));
        load.wait_for(1);
        let gap = promoted.elapsed();
        load.wait_for(ENOUGH);
        load.enough.store(true, Ordering::SeqCst);
        let held: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        (held, gap)
    });

    let usage = holders(&pools[0]);
    assert_eq!(usage, holders(&pools[1]));
    for (session, is_held) in &held {
        assert_eq!(usage.contains(session), *is_held, "{session}");
    }
    assert!(usage.len() as u64 <= ALLOWED, "{usage:?}");
    let check = pools[1].check().unwrap();
    assert!(check.ledgers[0].sound, "{check:?}");
    println!(
        "failover: {} entries, {} refusals, {} answers withheld; every worker was served {} ms \
         after the promotion",
        check.ledgers[0].entries,
        load.refused.load(Ordering::SeqCst),
        load.failed.load(Ordering::SeqCst),
        gap.as_millis(),
    );
    // How many answers were withheld depends on how quickly the standby takes over: none, at best.
    assert!(load.refused.load(Ordering::SeqCst) > 0);
}

/// Every commit waits for a standby.
const SYNCHRONOUS: [(&str, &str); 1] = [("synchronous_standby_names", "*")];

fn standby_of(primary: &Server) -> Server {
    let standby = Server::stopped().expect("the primary runs from the same binaries");
    let mut copy = standby.command("pg_basebackup");
    copy.args(["-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync", "-R", "-D"]);
    copy.arg(standby.data()).arg("-h").arg(primary.folder());
    standby.run(&mut copy);
    // Once promoted, it waits for nobody.
    standby.launch(&[]);
    standby
}

/// What all workers know of each other.
#[derive(Default)]
struct Load {
    acknowledged: [AtomicU64; WORKERS],
    refused: AtomicU64,
    failed: AtomicU64,
    down: AtomicBool,
    enough: AtomicBool,
}

impl Load {
    /// Retains and releases at random, and gives what each session was last told to hold.
    fn run(&self, pool: &Pool, index: usize) -> Vec<(String, bool)> {
        let mut random = Rng::with_seed(index as u64);
        let names = (0..SESSIONS_EACH).map(|session| format!("{index}-{session}"));
        let mut sessions: Vec<(String, bool)> = names.map(|name| (name, false)).collect();
        while !self.enough.load(Ordering::SeqCst) {
            let (session, is_held) = random.choice(&mut sessions).expect("there are some");
            *is_held = self.flip(pool, session, *is_held);
            self.acknowledged[index].fetch_add(1, Ordering::SeqCst);
        }
        sessions
    }

    /// Retains or releases, again and again until the outcome is told; says what is held then.
    fn flip(&self, pool: &Pool, session: &str, is_held: bool) -> bool {
        let begun = Instant::now();
        loop {
            let told = match is_held {
                false => retain(pool, "0009", session).map(|seat| seat.keep()),
                true => pool.release(session, None).map(drop),
            };
            match told {
                Ok(()) => return !is_held,
                Err(Error::Refused(refusal)) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    // A release whose answer was lost finds nothing to release any more.
                    assert!(!is_held || self.down.load(Ordering::SeqCst), "{refusal:?}");
                    return false;
                }
                Err(error) => {
                    assert!(error.is_transient(), "{error:?}");
                    assert!(begun.elapsed() < DEADLINE, "{error:?}");
                    self.failed.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }

    fn wait_for(&self, count: u64) {
        super::server::until("every worker was served", || {
            self.acknowledged.iter().all(|counted| counted.load(Ordering::SeqCst) >= count)
        });
    }
}
