//! Names of servers, their beats, what is kept of sessions and credentials.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use license_pool::log::{Append, LedgerId, LogError, Server, ServerRow, Silence, TurnError};
use license_pool::{Count, CredentialRole, KeptCredential, ServerName};

use super::{append, every_kind, on_every_log, on_every_log_in, turn};

#[test]
fn only_the_last_who_took_a_name_may_go_on() {
    on_every_log_in(|log, other, folder| {
        let server = |instance: &str| server("db1:7427", instance);
        assert_eq!(log.register(server("1")).unwrap(), 1);
        log.catch_up(&[]).unwrap();
        // A file shows who lives, as no other store does: as if the first did not.
        if let Some(folder) = folder {
            fs::remove_dir_all(folder.join("license.db-servers")).unwrap();
        }
        assert_eq!(other.register(server("2")).unwrap(), 2);
        assert!(matches!(log.catch_up(&[]), Err(LogError::Fenced { .. })));
        let turn = log.turn(&[], &mut |_| panic!("nothing is decided"));
        assert!(matches!(turn, Err(TurnError::Dropped(LogError::Fenced { .. }))));
        // Who was replaced takes nothing from its successor by leaving.
        log.leave().unwrap();
        other.catch_up(&[]).unwrap();
        other.leave().unwrap();
        assert_eq!(log.register(server("3")).unwrap(), 1);
    });
}

#[test]
fn a_beat_shows_that_a_server_lives_and_tells_who_else_does() {
    on_every_log_in(|log, other, folder| {
        log.register(server("db1:7427", "1")).unwrap();
        other.register(Server { transient: true, ..server("db2:7427", "2") }).unwrap();
        log.beat(&[]).unwrap();
        log.beat(&[]).unwrap();
        let rows = other.beat(&[]).unwrap();
        let row = |name: &str, instance: &str, beat, transient| ServerRow {
            name: name.parse().unwrap(),
            epoch: 1,
            instance: instance.to_owned(),
            beat,
            lease_seconds: 90,
            grace_seconds: 90,
            transient,
            format: 2,
            alive: None,
        };
        // Only a file shows who lives.
        assert!(rows.iter().all(|row| row.alive == folder.map(|_| true)), "{rows:?}");
        let seen: Vec<_> = rows.into_iter().map(|row| ServerRow { alive: None, ..row }).collect();
        assert_eq!(seen, [row("db1:7427", "1", 2, false), row("db2:7427", "2", 1, true)]);
        if let Some(folder) = folder {
            fs::remove_dir_all(folder.join("license.db-servers")).unwrap();
        }
        other.register(server("db1:7427", "3")).unwrap();
        assert!(matches!(log.beat(&[]), Err(LogError::Fenced { .. })));
    });
}

#[test]
fn silences_are_kept_until_the_session_is_heard() {
    on_every_log(|log, other| {
        append(log, None, Some("A"), &every_kind()[..1]);
        log.register(server("db1:7427", "1")).unwrap();
        let silence = |token, seconds| Silence {
            ledger: LedgerId(1),
            token: license_pool::Token::new(token).unwrap(),
            silent: Duration::from_secs(seconds),
        };
        log.beat(&[silence(2, 20), silence(1, 30)]).unwrap();
        assert_eq!(other.silences(LedgerId(1)).unwrap(), [silence(1, 30), silence(2, 20)]);
        log.beat(&[silence(1, 60), silence(2, 0), silence(7, 0)]).unwrap();
        assert_eq!(other.silences(LedgerId(1)).unwrap(), [silence(1, 60)]);
        assert_eq!(other.silences(LedgerId(2)).unwrap(), []);
    });
}

#[test]
fn credentials_are_kept_without_their_secrets() {
    on_every_log(|log, other| {
        assert_eq!(other.credentials().unwrap(), []);
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let make = |role, max_seats: Option<u64>, now, expires| {
            let max_seats = max_seats.map(|count| Count::new(count).unwrap());
            KeptCredential::make(role, max_seats, now, expires).unwrap()
        };
        let later = now + Duration::from_secs(1);
        let (second, _) = make(CredentialRole::Client, Some(5), later, Some(later));
        let (mut first, secret) = make(CredentialRole::Admin, None, now, None);
        log.keep_credential(&second).unwrap();
        log.keep_credential(&first).unwrap();
        assert_eq!(other.credentials().unwrap(), [first.clone(), second.clone()]);
        assert!(first.is(&secret) && !second.is(&secret) && first.holds(now));
        assert!(second.holds(now) && !second.holds(later));

        first.credential.revoked_at = Some(later.into());
        other.keep_credential(&first).unwrap();
        let kept = log.credentials().unwrap();
        assert_eq!(kept, [first.clone(), second]);
        assert!(!kept[0].holds(now));
        let (_, hidden) = secret.reveal().rsplit_once('_').unwrap();
        assert!(!format!("{kept:?} {secret:?}").contains(hidden));
    });
}

#[test]
fn only_a_server_that_is_as_it_was_found_is_ended_and_it_vanishes_once_it_serves_nothing() {
    on_every_log(|log, other| {
        log.register(server("db1:7427", "1")).unwrap();
        other.register(server("db2:7427", "2")).unwrap();
        let (one, two): (ServerName, ServerName) =
            ("db1:7427".parse().unwrap(), "db2:7427".parse().unwrap());
        let serving = |serves: &[(&ServerName, bool)]| {
            serves.iter().map(|(server, serves)| ((*server).clone(), *serves)).collect()
        };
        let entries = every_kind();
        for ledger in 1..=2 {
            let append = Append {
                number: Some(ledger.to_string().into()),
                entries: entries[..1].to_vec(),
                serving: serving(&[(&one, true)]),
                ..Append::default()
            };
            turn(log, vec![append], Vec::new()).unwrap();
        }
        assert_eq!(other.serving(&one).unwrap(), [LedgerId(1), LedgerId(2)]);
        let adopt = |ledger: i64| Append {
            ledger: Some(LedgerId(ledger)),
            entries: entries[1..2].to_vec(),
            serving: serving(&[(&one, false), (&two, true)]),
            ..Append::default()
        };
        let found = other.beat(&[]).unwrap().remove(0);
        log.beat(&[]).unwrap();
        let dropped = turn(other, vec![adopt(1)], vec![found]);
        assert!(matches!(dropped, Err(TurnError::Dropped(LogError::Alive { .. }))));
        assert_eq!(other.serving(&two).unwrap(), []);
        log.catch_up(&[]).unwrap();

        let found = other.beat(&[]).unwrap().remove(0);
        turn(other, vec![adopt(1)], vec![found]).unwrap();
        assert!(matches!(log.catch_up(&[]), Err(LogError::Fenced { .. })));
        let rows = other.beat(&[]).unwrap();
        assert!(rows[0].is_ended() && rows[0].epoch == 1 && !rows[1].is_ended(), "{rows:?}");
        assert_eq!(other.serving(&one).unwrap(), [LedgerId(2)]);
        turn(other, vec![adopt(2)], vec![rows[0].clone()]).unwrap();
        let names: Vec<_> = other.beat(&[]).unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, [two]);
        assert_eq!(log.register(server("db1:7427", "3")).unwrap(), 1);
    });
}

fn server(name: &str, instance: &str) -> Server {
    Server {
        name: name.parse().unwrap(),
        instance: instance.to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: false,
    }
}
