//! Logs that are kept short: what a snapshot knows need not be read again, what is old goes, and
//! nobody is told anything else than before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_pool::log::{LedgerId, Log as _};
use license_pool::{
    Alarms, Clock as _, Entry, Error, Event, ManualClock, Options, Pool, Seat, Session,
};
use rusqlite::Connection;

use super::cluster::Cluster;
use super::world::{Store, is_refused, license};
use crate::postgres::server::{self, Database};

mod meanwhile;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct World {
    store: Store,
    /// Where it is no file.
    database: Option<Database>,
    clock: Arc<ManualClock>,
}

impl World {
    /// A store in which each of so many days something was retained, released and refused, and
    /// `kept` is held since the first day.
    fn after(days: u32) -> World {
        World::new(None, days)
    }

    /// The same in a file, and in a database where there is one.
    fn on_every_store(days: u32) -> Vec<World> {
        let databases = [Some(None), server::database().map(Some)].into_iter().flatten();
        databases.map(|database| World::new(database, days)).collect()
    }

    fn new(database: Option<Database>, days: u32) -> World {
        let clock = Arc::new(ManualClock::new("2025-01-05T10:00:00Z".parse().unwrap()));
        let world = World { store: Store::new(), database, clock };
        let pool = world.open_with(Options::local);
        pool.install(license("A", 2).as_bytes()).unwrap();
        let kept = retain(&pool, "0009", "kept").unwrap();
        for day in 0..days {
            let seat = retain(&pool, "0009", &format!("job-{day}")).unwrap();
            world.clock.advance(SignedDuration::from_hours(1));
            assert!(is_refused(retain(&pool, "0009", &format!("refused-{day}"))));
            drop(seat);
            world.clock.advance(SignedDuration::from_hours(23));
        }
        // Seats of a pool that was closed are not released.
        pool.close().wait().unwrap();
        drop(kept);
        world
    }

    fn options(&self) -> Options {
        Pool::options().clock(self.clock.clone())
    }

    fn open(&self) -> Pool {
        self.open_with(|options| options)
    }

    fn open_with(&self, options: impl FnOnce(Options) -> Options) -> Pool {
        let url = self.database.as_ref().map_or_else(|| self.store.url(), Database::address);
        options(self.options()).open(&url).unwrap()
    }

    fn sql(&self, sql: &str) -> i64 {
        let file = Connection::open(self.store.path()).unwrap();
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn change(&self, sql: &str) -> usize {
        Connection::open(self.store.path()).unwrap().execute(sql, []).unwrap()
    }
}

fn retain(pool: &Pool, product: &str, session: &str) -> Result<Seat, Error> {
    pool.retain(product, session, Session::rest(format!("user of {session}"), session, "::1"))
}

/// Everything that a pool tells of now.
fn told(pool: &Pool) -> String {
    let always = Timestamp::MIN..Timestamp::MAX;
    let (usage, info) = (pool.usage(None).unwrap(), pool.info().unwrap());
    let (days, check) = (pool.days(always).wait().unwrap(), pool.check().unwrap());
    assert!(check.faults.is_empty() && check.ledgers.iter().all(|it| it.sound), "{check:?}");
    format!("{usage:?} {info:?} {days:?} {check:?}")
}

fn history(pool: &Pool) -> Vec<Entry> {
    pool.history().map(Result::unwrap).collect()
}

#[test]
fn a_snapshot_is_read_instead_of_what_it_knows() {
    let world = World::after(30);
    let pool = world.open();
    let before = told(&pool);
    pool.archive().unwrap();
    assert_eq!(told(&pool), before);
    let head = i64::try_from(history(&pool).len()).unwrap();
    assert_eq!(world.sql("SELECT sequence FROM snapshot WHERE digest IS NOT NULL"), head);
    // Nothing changed since: there is nothing to write.
    pool.archive().unwrap();
    assert_eq!(world.sql("SELECT count(*) FROM snapshot"), 1);
    drop(retain(&pool, "0009", "later").unwrap());
    drop(pool);
    // What would fault a ledger that was read from the start is not even looked at.
    let broken = format!("UPDATE entry SET server = 'x' WHERE sequence < {head}");
    assert!(world.change(&broken) > 80);
    let pool = world.open();
    assert_eq!(pool.held(None).unwrap().len(), 1);
    drop(retain(&pool, "0009", "again").unwrap());
}

#[test]
fn a_snapshot_that_is_damaged_or_not_whole_or_of_another_log_is_not_believed() {
    for damage in [
        "UPDATE snapshot SET bytes = zeroblob(length(bytes))",
        "UPDATE snapshot SET bytes = substr(bytes, 2)",
        "UPDATE snapshot SET digest = replace(digest, 'a', 'b')",
        "UPDATE snapshot SET digest = 'none'",
        "UPDATE snapshot SET chunk = 1",
        "UPDATE snapshot SET sequence = sequence - 1",
        "UPDATE snapshot SET digest = NULL",
    ] {
        let world = World::after(5);
        let pool = world.open();
        let before = told(&pool);
        pool.archive().unwrap();
        drop(pool);
        world.change(damage);
        assert_eq!(told(&world.open()), before, "{damage}");
    }
    // The snapshot of a history that went on differently.
    let (one, other) = (World::after(5), World::after(6));
    one.clock.advance(SignedDuration::from_hours(1));
    other.open().archive().unwrap();
    let pool = one.open();
    drop(retain(&pool, "0009", "differently").unwrap());
    drop(retain(&pool, "0009", "differently").unwrap());
    let before = told(&pool);
    drop(pool);
    let attach = format!("ATTACH '{}' AS other", other.store.path().display());
    let file = Connection::open(one.store.path()).unwrap();
    file.execute(&attach, []).unwrap();
    file.execute("INSERT INTO snapshot SELECT * FROM other.snapshot", []).unwrap();
    drop(file);
    let known = one.sql("SELECT max(sequence) FROM snapshot");
    assert!(known <= one.sql("SELECT max(sequence) FROM entry"));
    assert_eq!(told(&one.open()), before);
}

#[test]
fn of_a_damaged_snapshot_the_one_before_tells() {
    let world = World::after(5);
    let pool = world.open();
    for session in ["a", "b", "c"] {
        drop(retain(&pool, "0009", session).unwrap());
        pool.archive().unwrap();
    }
    let complete = "SELECT count(DISTINCT sequence) FROM snapshot";
    assert_eq!(world.sql(complete), 2);
    let before = told(&pool);
    drop(pool);
    let last = "(SELECT max(sequence) FROM snapshot)";
    world.change(&format!("UPDATE snapshot SET bytes = x'00' WHERE sequence = {last}"));
    let first = "(SELECT min(sequence) FROM snapshot)";
    world.change(&format!("DELETE FROM entry WHERE sequence < {first}"));
    let pool = world.open();
    assert_eq!(told(&pool), before);
}

#[test]
fn nothing_is_deleted_for_a_snapshot_that_is_not_there_as_it_was_written() {
    let world = World::after(30);
    let torn = "UPDATE snapshot SET bytes = x'00' WHERE rowid = NEW.rowid";
    world.change(&format!("CREATE TRIGGER torn AFTER INSERT ON snapshot BEGIN {torn}; END"));
    let pool = world.open_with(|options| options.history(10 * DAY));
    pool.archive().unwrap();
    assert_eq!(history(&pool)[0].sequence.get(), 1);
}

#[test]
fn who_knew_only_what_is_deleted_by_now_reads_the_rest_and_sees_nothing_wrong() {
    let world = World::after(5);
    let lagging = world.open();
    lagging.usage(None).unwrap();
    let known = history(&lagging).len();
    let pool = world.open_with(|options| options.history(10 * DAY));
    for day in 0..20 {
        retain(&pool, "0009", &format!("later-{day}")).unwrap().release().unwrap();
        world.clock.advance(SignedDuration::from_hours(24));
    }
    pool.archive().unwrap();
    assert!(history(&pool)[0].sequence.get() > u64::try_from(known).unwrap());
    assert_eq!(told(&lagging), told(&pool));
    assert_eq!(lagging.alarms(), Alarms::default());
}

#[test]
fn old_entries_go_and_no_report_changes() {
    for world in World::on_every_store(60) {
        old_entries_go(&world);
    }
}

fn old_entries_go(world: &World) {
    let before = told(&world.open());
    let whole = history(&world.open());
    let pool = world.open_with(|options| options.history(10 * DAY));
    let lagging = world.open();
    lagging.usage(None).unwrap();
    pool.archive().unwrap();
    let left = history(&pool);
    let horizon = "2025-02-24T10:00:00Z".parse().unwrap();
    assert!(left.iter().all(|entry| entry.time.timestamp() >= horizon), "{:?}", left[0]);
    assert!((30..60).contains(&left.len()), "{} of {}", left.len(), whole.len());
    assert_eq!(left[..], whole[whole.len() - left.len()..]);
    for pool in [&pool, &lagging, &world.open()] {
        assert_eq!(told(pool), before);
    }
    let verified = world.open().verify_chain(&mut |_| {}).unwrap();
    assert!(verified.fault.is_none());
    // Life goes on, here and there.
    let seat = retain(&lagging, "0009", "next").unwrap();
    assert_eq!(seat.token().get(), 62);
    assert!(is_refused(retain(&pool, "0009", "more")));
    drop(seat);
}

#[test]
fn what_is_left_is_checked_link_by_link_and_what_is_missing_is_noticed() {
    let world = World::after(60);
    let pool = world.open_with(|options| options.history(10 * DAY));
    pool.archive().unwrap();
    let middle = history(&pool)[3].sequence.get();
    drop(pool);
    world.change(&format!("DELETE FROM entry WHERE sequence = {middle}"));
    assert!(!world.open().check().unwrap().ledgers[0].sound);
    world.change("DELETE FROM snapshot");
    let check = world.open().check().unwrap();
    assert!(check.ledgers[0].fault.as_ref().unwrap().contains("no snapshot knows them"));
}

#[test]
fn identities_are_erased_but_not_of_those_who_hold_something() {
    for world in World::on_every_store(30) {
        identities_are_erased(&world);
    }
}

fn identities_are_erased(world: &World) {
    let before = told(&world.open());
    let whole = history(&world.open());
    let pool = world.open_with(|options| options.identities(10 * DAY));
    pool.archive().unwrap();
    let horizon: Timestamp = "2025-01-25T10:00:00Z".parse().unwrap();
    let mut erased = 0;
    for (now, then) in history(&pool).iter().zip(&whole) {
        let (session, description) = described(now);
        let should_be_there = now.time.timestamp() >= horizon || session == Some("kept");
        assert_eq!(description, described(then).1 && should_be_there, "{now:?}");
        erased += usize::from(description != described(then).1);
    }
    assert_eq!(erased, 40, "of twenty days, one was granted and one refused each");
    assert_eq!(told(&pool), before);
    assert!(pool.verify_chain(&mut |_| {}).unwrap().fault.is_none());
    drop(pool);
    assert_eq!(told(&world.open()), before);
}

#[test]
fn nothing_of_an_identity_that_was_erased_is_left_in_the_file() {
    let world = World::after(30);
    let before = told(&world.open());
    let pool = world.open_with(|options| options.identities(10 * DAY));
    pool.archive().unwrap();
    drop(pool);
    world.change("DELETE FROM snapshot");
    assert_eq!(told(&world.open()), before);
    Connection::open(world.store.path())
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let file = std::fs::read(world.store.path()).unwrap();
    let found = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(found("user of kept") && found("user of job-29"));
    assert!(!found("user of job-7\""));
}

#[test]
fn nothing_that_was_erased_or_deleted_is_left_in_the_log_beside_the_file() {
    let erases: fn(Options) -> Options = |options| options.identities(DAY);
    let deletes: fn(Options) -> Options = |options| options.history(DAY);
    for forgets in [erases, deletes] {
        let world = World::after(0);
        let (pool, _other) = (world.open_with(forgets), world.open());
        retain(&pool, "0009", "gone").unwrap().release().unwrap();
        world.clock.advance(SignedDuration::from_hours(48));
        let beside = world.store.path().with_extension("db-wal");
        let found = || {
            let (beside, text) = (std::fs::read(&beside).unwrap(), "user of gone");
            beside.windows(text.len()).any(|window| window == text.as_bytes())
        };
        assert!(found());
        pool.archive().unwrap();
        assert!(!found());
    }
}

#[test]
fn no_snapshot_tells_of_an_identity_that_was_erased() {
    let world = World::after(1);
    let pool = world.open_with(|options| options.identities(DAY));
    let telling = || {
        let tells = "instr(bytes, CAST('user of gone' AS BLOB))";
        world.sql(&format!("SELECT count(*) FROM snapshot WHERE {tells}"))
    };
    let seat = retain(&pool, "0009", "gone").unwrap();
    pool.archive().unwrap();
    assert_eq!(telling(), 1);
    seat.release().unwrap();
    world.clock.advance(SignedDuration::from_hours(48));
    pool.archive().unwrap();
    assert_eq!(telling(), 0);
}

#[test]
fn what_a_wrong_clock_wrote_keeps_nothing_beyond_its_time() {
    let world = World::after(30);
    let open = |time: &str| {
        world.clock.set(time.parse().unwrap());
        world.open_with(Options::local)
    };
    let pool = open("2099-01-01T00:00:00Z");
    // More than are deleted in a turn.
    for session in 0..520 {
        retain(&pool, "0009", &format!("wrong-{session}")).unwrap().release().unwrap();
    }
    drop(pool);
    let pool = open("2025-02-05T10:00:00Z");
    retain(&pool, "0009", "late").unwrap().release().unwrap();
    pool.correct_clock().wait().unwrap();
    for day in 0..40 {
        retain(&pool, "0009", &format!("right-{day}")).unwrap().release().unwrap();
        world.clock.advance(SignedDuration::from_hours(24));
    }
    drop(pool);
    let (before, whole) = (told(&world.open()), history(&world.open()));
    let pool = world.open_with(|options| options.identities(20 * DAY));
    pool.archive().unwrap();
    let described = |entry: &Entry| described(entry).1;
    let [horizon, wrong]: [Timestamp; 2] =
        ["2025-02-25T10:00:00Z", "2099-01-01T00:00:00Z"].map(|it| it.parse().unwrap());
    for (now, then) in history(&pool).iter().zip(&whole) {
        let held = matches!(&now.event, Event::Retained(it) if it.session_id.as_str() == "kept");
        let recent = (horizon..wrong).contains(&now.time.timestamp());
        assert_eq!(described(now), described(then) && (held || recent), "{now:?}");
    }
    drop(pool);
    let pool = world.open_with(|options| options.history(10 * DAY));
    pool.archive().unwrap();
    let left = history(&pool);
    let horizon: Timestamp = "2025-03-07T10:00:00Z".parse().unwrap();
    assert!(left.iter().all(|entry| entry.time.timestamp() >= horizon), "{:?}", left[0]);
    assert_eq!(left[..], whole[whole.len() - left.len()..]);
    assert_eq!(told(&pool), before);
}

#[test]
fn what_only_a_wrong_clock_wrote_is_not_old() {
    let world = World::after(30);
    world.clock.set("2099-01-01T00:00:00Z".parse().unwrap());
    let pool = world.open_with(Options::local);
    for session in 0..3 {
        retain(&pool, "0009", &format!("wrong-{session}")).unwrap().release().unwrap();
    }
    drop(pool);
    world.clock.set("2025-02-10T10:00:00Z".parse().unwrap());
    let pool = world.open_with(|options| options.history(DAY).identities(DAY));
    pool.archive().unwrap();
    let left = history(&pool);
    assert_eq!(left.iter().filter(|entry| described(entry).1).count(), 3, "{left:?}");
}

#[test]
fn single_commands_and_programs_without_a_name_delete_nothing_unasked() {
    let world = World::after(5);
    world.clock.advance(SignedDuration::from_hours(500 * 24));
    let count = || history(&world.open()).len();
    let before = count();
    for options in [world.options().local(), world.options()] {
        let pool = options.snapshots(1).open(&world.store.url()).unwrap();
        retain(&pool, "0009", "now").unwrap().release().unwrap();
        pool.archive().unwrap();
        pool.close().wait().unwrap();
    }
    assert_eq!(count(), before + 4);
    let server = world.options().server("east".parse().unwrap());
    server.open(&world.store.url()).unwrap().archive().unwrap();
    assert!(count() <= 5, "a server deletes what is older than 400 days");
}

#[test]
fn a_server_deletes_what_becomes_old_however_little_is_written() {
    let cluster = Cluster::new(2, &["west"]);
    cluster.stop("west");
    cluster.start_with("east", |options| options.serving().history(DAY));
    let first = || cluster.log.clone().page(LedgerId(1), 0, 1).unwrap().remove(0);
    assert_eq!(first().sequence, 1);
    for _ in 0..12 {
        cluster.grant("east", "often").unwrap();
        cluster.pass(6 * 3600);
        // Looked for every hour.
        let longest = SignedDuration::from_hours(25) + SignedDuration::from_secs(60);
        // The last entry that a snapshot knows stays, until it does not know of the next old one.
        assert!(cluster.clock.now().duration_since(first().time) <= longest, "{:?}", first());
    }
    assert!(first().sequence > 10);
    cluster.start_with("east", Options::serving);
    cluster.grant("east", "again").unwrap();
}

/// The session of an entry, and whether it is described.
fn described(entry: &Entry) -> (Option<&str>, bool) {
    match &entry.event {
        Event::Retained(event) => (Some(event.session_id.as_str()), event.description.is_some()),
        Event::Refused(event) => {
            (event.session_id.as_ref().map(|id| id.as_str()), event.description.is_some())
        }
        _ => (None, false),
    }
}

#[test]
fn a_ledger_that_has_grown_is_archived_beside_the_turns() {
    let world = World::after(0);
    let pool = world.open_with(|options| options.snapshots(50));
    for session in 0..120 {
        let session = format!("s-{session}");
        drop(pool.retain("0009", &session, Session::rest("ann", &session, "127.0.0.1")).unwrap());
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let complete = "SELECT count(*) FROM snapshot WHERE digest IS NOT NULL";
    while world.sql(complete) < 2 {
        assert!(Instant::now() < deadline, "no snapshots were written");
        drop(retain(&pool, "0009", "more").unwrap());
    }
    let before = told(&pool);
    drop(pool);
    assert_eq!(told(&world.open()), before);
}
