//! Turns that are decided before it is looked whether anybody else wrote: what they assumed is never
//! told to anybody, and never written, unless it was true.

use std::sync::{Arc, mpsc};
use std::thread;

use license_pool::{Error, Pending, Pool, Seat, Session};

use super::connections::retain_later;
use super::proxy::{Cut, Proxy};
use super::server::{self, Database, until};
use super::standstill::WrongClock;
use crate::pool::world::{clock, holders, is_refused, license, options, retain};

/// A server that has the database for itself long enough to decide ahead, and another.
struct World {
    database: Database,
    proxy: Proxy,
    pool: Pool,
    other: Pool,
}

impl World {
    fn new(allowed: u64) -> Option<World> {
        let database = server::database()?;
        let proxy = Proxy::new(&database);
        let east = options().server("east".parse().unwrap());
        let pool = east.open(&proxy.address()).unwrap();
        pool.install(license("A", allowed).as_bytes()).unwrap();
        let other = database.open();
        Some(World { database, proxy, pool, other })
    }

    /// Lets the server find out that nobody else writes.
    fn calm(&self) {
        let before = self.proxy.ahead();
        until("a turn is decided ahead", || {
            retain(&self.pool, "0009", "calm").unwrap().release().unwrap();
            self.proxy.ahead() > before
        });
    }

    /// The same for each of several licenses.
    fn calm_all(&self, pools: &[Pool]) {
        until("turns are decided ahead", || {
            let ahead = self.proxy.ahead();
            for pool in pools {
                retain(pool, "0009", "calm").unwrap().release().unwrap();
            }
            self.proxy.ahead() >= ahead + 2 * pools.len() as u64
        });
    }

    /// Does something until its turn was decided ahead, each time after `before`.
    fn ahead<T>(&self, before: impl Fn(), act: impl Fn() -> T, undo: impl Fn(T)) {
        until("it is decided ahead", || {
            self.calm();
            before();
            let ahead = self.proxy.ahead();
            let done = act();
            let is_ahead = self.proxy.ahead() > ahead;
            undo(done);
            is_ahead
        });
    }

    fn is_sound(&self) -> bool {
        self.database.open().check().unwrap().ledgers.iter().all(|ledger| ledger.sound)
    }
}

#[test]
fn what_another_server_has_taken_is_not_granted_twice() {
    let Some(world) = World::new(1) else { return };
    world.ahead(
        || retain(&world.other, "0009", "theirs").unwrap().keep(),
        || assert!(is_refused(retain(&world.pool, "0009", "ours"))),
        |()| {
            assert_eq!(holders(&world.pool), ["theirs"]);
            world.other.release("theirs", None).unwrap();
        },
    );
    retain(&world.pool, "0009", "ours").unwrap().keep();
    assert_eq!(holders(&world.other), ["ours"]);
    assert!(world.is_sound());
}

#[test]
fn what_another_server_has_given_back_is_not_refused() {
    let Some(world) = World::new(1) else { return };
    world.ahead(
        || {
            retain(&world.pool, "0009", "one").unwrap().keep();
            world.other.release("one", None).unwrap();
        },
        || retain(&world.pool, "0009", "two").expect("a license is left").release().unwrap(),
        drop,
    );
    assert!(world.is_sound());
}

#[test]
fn what_needs_no_entry_is_answered_only_once_it_was_looked() {
    let Some(world) = World::new(1) else { return };
    let held = || retain(&world.pool, "0009", "one").unwrap();
    world.calm();
    let first = held();
    let token = first.token();
    first.keep();
    assert_eq!(held().token(), token, "it is held already");
    world.other.release("one", None).unwrap();
    let again = held();
    assert!(again.token() > token, "it was held no more");
    again.release().unwrap();
    assert!(world.is_sound());
}

#[test]
fn of_two_ledgers_in_a_turn_both_are_decided_again_where_one_was_written() {
    let Some(world) = World::new(1) else { return };
    world.calm();
    world.pool.install(license("B", 1).as_bytes()).unwrap();
    let ours = ["A", "B"].map(|number| world.pool.license(number));
    let theirs = world.other.license("B");
    until("a turn of both is decided ahead", || {
        retain(&theirs, "0009", "theirs").unwrap().keep();
        theirs.release("theirs", None).unwrap();
        world.calm_all(&ours);
        retain(&theirs, "0009", "theirs").unwrap().keep();
        let ahead = world.proxy.ahead();
        // Asked in one breath, so that both are mostly decided in one turn.
        let asked = ours.each_ref().map(|pool| {
            pool.retain_async("0009", "ours", Session::rest("ann", "ours", "127.0.0.1"))
        });
        let [granted, refused] = asked.map(Pending::wait);
        assert!(is_refused(refused));
        granted.unwrap().release().unwrap();
        theirs.release("theirs", None).unwrap();
        world.proxy.ahead() > ahead
    });
    assert!(world.is_sound());
}

#[test]
fn a_log_that_went_back_and_is_as_long_again_is_read_anew() {
    // One ledger in a turn, and two.
    for numbers in [&["A"][..], &["A", "B"]] {
        let Some(world) = World::new(3) else { return };
        world.calm();
        world.pool.install(license("B", 3).as_bytes()).unwrap();
        let ours: Vec<Pool> = numbers.iter().map(|number| world.pool.license(*number)).collect();
        let theirs = world.other.license("A");
        // The tables as they were, and as they are.
        world.database.sql(
            "CREATE TABLE was AS SELECT * FROM license.ledger;
             CREATE PROCEDURE go_back() LANGUAGE sql AS $$
                 DELETE FROM license.entry USING was
                 WHERE entry.ledger = was.id AND entry.sequence > was.sequence;
                 UPDATE license.ledger SET sequence = was.sequence, chain = was.chain
                 FROM was WHERE ledger.id = was.id $$",
        );
        until("a turn is decided ahead", || {
            world.calm_all(&ours);
            world.database.sql("TRUNCATE was; INSERT INTO was SELECT * FROM license.ledger");
            retain(&ours[0], "0009", "lost").unwrap().keep();
            world.database.sql("CALL go_back()");
            retain(&theirs, "0009", "theirs").unwrap().keep();
            let ahead = world.proxy.ahead();
            // Asked in one breath, so that they are mostly decided in one turn.
            let ann = || Session::rest("ann", "ours", "127.0.0.1");
            let asked: Vec<_> =
                ours.iter().map(|pool| pool.retain_async("0009", "ours", ann())).collect();
            let granted: Vec<_> = asked.into_iter().map(|it| it.wait().unwrap()).collect();
            assert_eq!(holders(&theirs), ["theirs", "ours"]);
            granted.into_iter().for_each(|seat| drop(seat.release().unwrap()));
            theirs.release("theirs", None).unwrap();
            world.proxy.ahead() > ahead
        });
        assert!(world.pool.alarms().went_back > 0);
        assert!(world.is_sound());
    }
}

#[test]
fn a_license_that_is_the_only_one_no_more_is_not_taken_for_it() {
    let Some(world) = World::new(1) else { return };
    world.ahead(
        || drop(world.other.install(license("B", 1).as_bytes()).unwrap()),
        || {
            let error = retain(&world.pool, "0009", "one").unwrap_err();
            assert!(matches!(error, Error::AmbiguousLicense { .. }), "{error:?}");
        },
        |()| drop(world.other.license("B").uninstall().unwrap()),
    );
    assert!(world.is_sound());
}

#[test]
fn a_server_whose_name_was_taken_writes_nothing() {
    let Some(world) = World::new(1) else { return };
    world.calm();
    let count = || world.database.sql("SELECT count(*) FROM license.entry");
    let (ahead, before) = (world.proxy.ahead(), count());
    let east = options().server("east".parse().unwrap()).open(&world.database.address()).unwrap();
    let error = retain(&world.pool, "0009", "one").unwrap_err();
    assert!(matches!(error, Error::Fenced(_)), "{error:?}");
    assert_eq!(count(), before);
    println!("it was told so {}", if world.proxy.ahead() > ahead { "ahead" } else { "by a look" });
    retain(&east, "0009", "two").unwrap().keep();
    assert!(world.is_sound());
}

#[test]
fn whoever_takes_a_name_waits_for_the_turn_ahead_that_its_holder_is_taking() {
    // One ledger in a turn, and two.
    for numbers in [&["A"][..], &["A", "B"]] {
        let Some(world) = World::new(1000) else { return };
        world.calm();
        world.pool.install(license("B", 1000).as_bytes()).unwrap();
        let (database, mut pool) = (&world.database, world.pool.clone());
        let mut round = 0;
        until("a turn is decided ahead", || {
            let ours: Vec<Pool> = numbers.iter().map(|number| pool.license(*number)).collect();
            world.calm_all(&ours);
            let held = database.hold("SELECT 1 FROM license.ledger WHERE id = 1 FOR UPDATE");
            let ahead = world.proxy.ahead();
            round += 1;
            let late = format!("late-{round}");
            let asked: Vec<_> = ours.iter().map(|pool| retain_later(pool, &late)).collect();
            until("the turn waits", || database.waiting() == 1);
            let is_ahead = world.proxy.ahead() > ahead;
            let (told, tells) = mpsc::channel();
            let address = world.proxy.address();
            let takes = thread::spawn(move || {
                let east = options().server("east".parse().unwrap()).open(&address).unwrap();
                told.send(()).unwrap();
                east
            });
            until("who takes the name waits too", || {
                assert!(tells.try_recv().is_err(), "it has the name already");
                database.waiting() == 2
            });
            held.let_go();
            let told: Vec<_> = asked.into_iter().map(Pending::wait).collect();
            assert!(told[0].is_ok(), "what it took before is its own");
            // What was not part of that turn came too late.
            let is_one_turn = told.iter().all(Result::is_ok);
            told.into_iter().flatten().for_each(Seat::keep);
            pool = takes.join().unwrap();
            is_ahead && is_one_turn
        });
        assert!(world.is_sound());
    }
}

#[test]
fn a_store_that_another_took_the_place_of_is_not_written() {
    let Some(world) = World::new(1) else { return };
    let seal =
        |to: &str| drop(world.database.sql(&format!("UPDATE license.store SET sealed_to = {to}")));
    world.ahead(
        || seal("'elsewhere'"),
        || {
            let count = || world.database.sql("SELECT count(*) FROM license.entry");
            let before = count();
            let error = retain(&world.pool, "0009", "one").unwrap_err();
            assert!(matches!(error, Error::Sealed { .. }), "{error:?}");
            assert_eq!(count(), before);
        },
        |()| seal("NULL"),
    );
}

#[test]
fn a_turn_without_an_answer_takes_place_once_or_never() {
    for cut in [Cut::Before, Cut::After, Cut::Late] {
        let Some(world) = World::new(1) else { return };
        world.ahead(
            || world.proxy.cut(cut.clone()),
            || {
                // That it did not take place may be said to the first who asks, and is true then.
                let seat = retain(&world.pool, "0009", "one").or_else(|error| {
                    assert!(error.is_transient(), "{error:?}");
                    retain(&world.pool, "0009", "one")
                });
                let (seat, held) = (seat.unwrap(), holders(&world.other));
                assert_eq!(held, ["one"]);
                assert_eq!(world.database.sql("SELECT count(*) FROM license.held"), "1");
                seat
            },
            |seat| drop(seat.release().unwrap()),
        );
        if matches!(cut, Cut::Late) {
            until("nobody can carry it out any more", || world.proxy.ended() > 0);
        }
        let consecutive = "SELECT count(*) = max(token) FROM license.entry WHERE kind = 'retained'";
        assert_eq!(world.database.sql(consecutive), "t");
        assert!(world.is_sound());
    }
}

#[test]
fn entries_that_are_decided_ahead_bear_the_time_of_the_database() {
    let Some(world) = World::new(1) else { return };
    let wrong = Pool::options().clock(Arc::new(WrongClock)).server("west".parse().unwrap());
    let world = World { pool: wrong.open(&world.proxy.address()).unwrap(), ..world };
    world.database.sql(
        "ALTER TABLE license.entry ADD written timestamptz;
         ALTER TABLE license.entry ALTER written SET DEFAULT clock_timestamp()",
    );
    for _ in 0..5 {
        world.calm();
    }
    let apart = "SELECT max(abs(extract(epoch FROM written - time::timestamptz))) < 60
        FROM license.entry";
    assert_eq!(world.database.sql(apart), "t");
}

#[test]
fn the_figures_of_a_day_are_written_by_the_turn_that_begins_the_next_one() {
    let Some(world) = World::new(1) else { return };
    let clock = clock();
    let west = Pool::options().clock(clock.clone()).server("west".parse().unwrap());
    let world = World { pool: west.open(&world.proxy.address()).unwrap(), ..world };
    for day in 0..5 {
        let figures = world.database.sql("SELECT count(*) FROM license.figure");
        assert_eq!(figures, day.to_string());
        world.calm();
        clock.advance(jiff::SignedDuration::from_hours(24));
        retain(&world.pool, "0009", "first").unwrap().release().unwrap();
    }
    assert!(world.is_sound());
}
