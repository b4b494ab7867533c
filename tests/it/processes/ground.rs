//! A disk that is full, and a medium that can only be read: a clear error, nothing sold that is not
//! durable, nothing acknowledged lost.

use std::env;
use std::process::Command;

use super::worker::{PROGRAM, Worker};
use crate::pool::world::{Store, holders, license, options, retain};

const ALLOWED: u64 = 1000;

#[test]
fn a_full_disk_sells_nothing_and_recovers_when_there_is_room() {
    let store = Store::new();
    let folder = store.path().with_file_name("small");
    // The file system is gone with the process.
    let script = r#"mkdir "$1" && mount -t tmpfs -o size=1m none "$1" && cp "$2" "$1/license.db" &&
        head -c 600k /dev/zero >"$1/filler" && exec "$0" fill "$1/license.db" "$1/filler""#;
    drop(installed(&store));
    let Some(mut command) = in_a_namespace(script) else { return };
    let worker = Worker::run(command.arg(PROGRAM).arg(&folder).arg(store.path()));
    let told = worker.end();
    let retained = told.iter().filter(|line| line.starts_with("retained ")).count();
    let failed: Vec<_> = told.iter().filter(|line| line.starts_with("failed ")).collect();
    assert_eq!(failed.len(), 2);
    for failure in failed {
        assert!(failure.starts_with("failed StoreUnavailable("), "{failure}");
        assert!(failure.contains("disk is full"), "{failure}");
    }
    let rest = &told[told.len() - 5..];
    let held = [format!("held {}", retained - 1), format!("held {retained}")];
    assert_eq!(*rest[0], *held[0], "{told:?}");
    assert!(rest[1].ends_with(" after"));
    assert_eq!(rest[2..], ["recovered", &*held[1], "sound"]);
}

#[test]
fn a_file_that_may_not_grow_sells_nothing_that_is_not_in_it() {
    let store = Store::new();
    let pool = installed(&store);
    drop(pool);
    let filler = store.path().with_file_name("filler");
    std::fs::write(&filler, "").unwrap();
    // In units of 512 bytes; a signal would kill the process otherwise.
    let script = r#"trap '' XFSZ; ulimit -f 600; exec "$0" fill "$1" "$2""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]).arg(store.path()).arg(filler);
    let worker = Worker::run(&mut command);
    let mut sessions = Vec::new();
    let mut failed = 0;
    while failed < 2 {
        let line = worker.next();
        if let Some(retained) = line.strip_prefix("retained ") {
            sessions.push(retained.split_once(' ').unwrap().1.to_owned());
        } else {
            assert!(line.starts_with("failed StoreUnavailable("), "{line}");
            failed += 1;
        }
    }
    worker.kill();
    let pool = options().local().open(&store.url()).unwrap();
    assert_eq!(holders(&pool), sessions);
    assert!(pool.check().unwrap().ledgers[0].sound);
    retain(&pool, "0009", "after").unwrap().keep();
}

#[test]
fn a_medium_that_can_only_be_read_is_read() {
    let store = Store::new();
    let pool = installed(&store);
    retain(&pool, "0009", "one").unwrap().keep();
    drop(pool);
    let before = store.content();
    let script = r#"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" &&
        exec "$0" read "$1/license.db""#;
    let Some(mut command) = in_a_namespace(script) else { return };
    let worker = Worker::run(command.arg(PROGRAM).arg(store.path().parent().unwrap()));
    let told = worker.end();
    assert_eq!(told[0], "held 1");
    assert!(told[1].starts_with("failed StoreUnavailable("), "{told:?}");
    assert!(told[1].contains("nothing can be written"), "{told:?}");
    assert!(store.content() == before);
}

fn installed(store: &Store) -> license_pool::Pool {
    let pool = options().local().open(&store.url()).unwrap();
    pool.install(license("A", ALLOWED).as_bytes()).unwrap();
    pool
}

/// A shell that may mount what no other process sees; `$0` and on are added by the caller. Where the
/// system does not let anybody do that, a test says so and is left out.
fn in_a_namespace(script: &str) -> Option<Command> {
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let may = namespace("mount -t tmpfs none /mnt").output();
    if may.is_ok_and(|output| output.status.success()) {
        return Some(namespace(script));
    }
    let lacks = "this system lets nobody mount in a namespace of their own";
    assert!(env::var("LICENSE_REQUIRE_COMPONENTS").as_deref() != Ok("1"), "{lacks}");
    println!("LEFT OUT: {lacks}");
    None
}
