//! What must be heard of though nobody asks: a store that went back in time, a server that was
//! replaced. And nothing else rings.

use license_pool::{Alarms, Error};

use super::cluster::Cluster;

#[test]
fn a_store_that_goes_back_in_time_raises_an_alarm_once_for_each_license() {
    // The backup is shorter, or went on in another way.
    for goes_on in [false, true] {
        let cluster = Cluster::new(9, &["east", "west"]);
        let east = cluster.pool("east");
        cluster.grant("east", "one").unwrap();
        let backup = cluster.log.backup();
        cluster.grant("east", "two").unwrap();
        let alarmed = east.watch_alarms(&Alarms::default());
        cluster.log.restore(&backup);
        if goes_on {
            cluster.grant("west", "three").unwrap();
            assert_eq!(cluster.pool("west").alarms().went_back, 0, "it never knew more");
        }
        assert_eq!(cluster.holders("east")[0], "one");
        let expected = Alarms { went_back: 1, license: Some("A".to_owned()), fenced: false };
        assert_eq!(alarmed.try_take().unwrap().unwrap(), expected);
        // From then on this is its history.
        let next = east.watch_alarms(&expected);
        cluster.grant("east", "four").unwrap();
        cluster.pass(30);
        assert_eq!(east.alarms(), expected);
        assert!(next.try_take().is_err());
    }
}

#[test]
fn a_server_that_was_replaced_hears_of_it_though_nobody_asks() {
    let cluster = Cluster::new(9, &["east"]);
    let alarmed = cluster.pool("east").watch_alarms(&Alarms::default());
    let replaced = cluster.stop("east");
    cluster.start("east");
    cluster.wake("replaced", replaced);
    cluster.pass(30);
    assert!(alarmed.try_take().unwrap().unwrap().fenced);
    assert!(!cluster.pool("east").alarms().fenced);
}

#[test]
fn a_server_that_was_replaced_serves_no_more_also_when_the_store_goes_back_to_before() {
    let cluster = Cluster::new(9, &["east"]);
    let backup = cluster.log.backup();
    let replaced = cluster.stop("east");
    cluster.start("east");
    cluster.wake("replaced", replaced);
    cluster.pass(30);
    cluster.log.restore(&backup);
    let refused = cluster.grant("replaced", "one").unwrap_err();
    assert!(matches!(refused, Error::Fenced(_)), "{refused:?}");
}

#[test]
fn who_waits_for_an_alarm_is_told_when_the_pool_ends() {
    let cluster = Cluster::new(9, &["east"]);
    let pool = cluster.pool("east");
    let alarmed = pool.watch_alarms(&Alarms::default());
    drop(pool.close());
    cluster.step("east");
    for alarmed in [alarmed, pool.watch_alarms(&Alarms::default())] {
        assert!(matches!(alarmed.try_take().unwrap(), Err(Error::Closed)));
    }
}
