//! A store that is opened again says what it said before.

use fastrand::Rng;
use license_pool::{ClientSession, Event, Pool, Session, SessionState};

use super::world::{Store, license, reports};

#[test]
fn a_restart_restores_every_acknowledged_retention_to_the_byte() {
    let store = Store::new();
    let mut pool = store.open();
    pool.install(license("A", 20).as_bytes()).unwrap();
    let mut random = Rng::with_seed(11);
    for round in 0..8 {
        for _ in 0..30 {
            act(&pool, &mut random);
        }
        let before = reports(&pool);
        let history: Vec<_> = pool.history().map(Result::unwrap).collect();
        drop(pool);
        pool = store.open();
        assert_eq!(reports(&pool), before, "round {round}");
        // Repeated refusals are told when the pool ends, if not before.
        let after: Vec<_> = pool.history().map(Result::unwrap).collect();
        assert!(after[..history.len()] == history, "round {round}");
        let told = after[history.len()..].iter();
        assert!(told.clone().all(|entry| matches!(entry.event, Event::Refused(_))), "{told:?}");
    }
    assert!(pool.history().count() > 100);
    let check = pool.check().unwrap();
    assert!(check.ledgers[0].sound, "{check:?}");
}

/// Something that a session of any shape may do; most of it succeeds.
fn act(pool: &Pool, random: &mut Rng) {
    let id = format!("session-{}", random.u8(..30));
    let states = SessionState::ALL;
    match random.u8(..10) {
        0..6 => {
            let shape = match random.u8(..3) {
                0 => client(&id, states[random.usize(..states.len())]),
                1 => serde_json::from_str(
                    r#"{"IPAddress": "::1", "userAgent": "sql", "userName": "Zoë \"Z\"\n", "userId": -1}"#,
                )
                .unwrap(),
                _ => Session::rest("ann", &id, "127.0.0.1"),
            };
            if let Ok(seat) = pool.retain("0009", &id, shape) {
                seat.keep();
            }
        }
        6..8 => drop(pool.release(&id, None)),
        _ => drop(pool.renew(&id, Some(states[random.usize(..states.len())]))),
    }
}

fn client(id: &str, state: SessionState) -> Session {
    let text = format!(
        r#"{{"type": "remote", "userName": "{id}", "machineName": "", "systemUserName": "ann",
        "IPAddress": "192.0.2.1", "hostType": "mac", "creationDateTime": "2021-12-01T15:36:42+01:00",
        "state": "active", "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5",
        "persistentID": "0B6F0A6D2E4B4A1D8E8A4D4D1B1C9F77", "licenseToken": 1}}"#
    );
    let session: ClientSession = serde_json::from_str(&text).unwrap();
    Session::Client(ClientSession { state, ..session })
}
