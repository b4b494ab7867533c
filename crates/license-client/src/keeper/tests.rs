//! What the keeper does, with a clock that stands still until it is moved.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::json;

use super::*;
use crate::Notices;

/// A keeper and the time, in seconds.
struct World {
    keeper: Keeper,
    now: u64,
    guards: u64,
    asked: Vec<String>,
}

impl World {
    fn new() -> World {
        World { keeper: Keeper::new(Rng::with_seed(7)), now: 0, guards: 0, asked: Vec::new() }
    }

    fn now(&self) -> Moment {
        let time = Duration::from_secs(self.now);
        Moment { elapsed: time, wall: time }
    }

    /// Something happens; tells what is asked of the servers then.
    fn take(&mut self, event: Event) -> Vec<String> {
        let effects = self.keeper.take(self.now(), event);
        self.noted(effects)
    }

    /// Time goes on, stopping wherever something is due.
    fn until(&mut self, seconds: u64) -> Vec<String> {
        let mut asked = Vec::new();
        while self.now <= seconds {
            let effects = self.keeper.tick(self.now());
            asked.extend(self.noted(effects));
            match self.keeper.next(self.now()) {
                Some(next) => {
                    assert!(!next.is_zero(), "it would never rest");
                    self.now += next.as_secs() + u64::from(next.subsec_nanos() > 0);
                }
                None => break,
            }
        }
        self.now = seconds;
        asked
    }

    fn noted(&mut self, effects: Vec<Effect>) -> Vec<String> {
        let said = effects.iter().map(|effect| match effect {
            Effect::Renew { license, sessions } => {
                let sessions: Vec<&str> = sessions.iter().map(|session| session.as_str()).collect();
                format!("{}: renew {} of {license}", self.now, sessions.join(" "))
            }
            Effect::Release { place, token, .. } => {
                format!("{}: release {token} of {}", self.now, place.session.as_str())
            }
        });
        let said: Vec<String> = said.collect();
        self.asked.extend(said.clone());
        said
    }

    /// Asks whether to retain.
    fn retaining(&mut self, session: &str) -> oneshot::Receiver<()> {
        let (go, gone) = oneshot::channel();
        assert!(self.take(Event::Retaining { place: place(session), go }).is_empty());
        gone
    }

    /// Retains by a lease of 90 seconds.
    fn retain(&mut self, session: &str, token: u64) -> (u64, Notices) {
        self.retaining(session).try_recv().unwrap();
        self.retained(session, token)
    }

    fn retained(&mut self, session: &str, token: u64) -> (u64, Notices) {
        self.guards += 1;
        let (sender, notices) = Notices::channel();
        let guard = Guard { id: self.guards, notices: sender };
        let lease = serde_json::from_value(lease()).unwrap();
        let granted = Granted { token: tok(token), sent: self.now(), lease, guard };
        self.take(Event::Retained { place: place(session), granted });
        (self.guards, notices)
    }

    fn drop(&mut self, session: &str, token: u64, guard: u64) -> Vec<String> {
        self.take(Event::Dropped { place: place(session), token: tok(token), guard })
    }

    /// The server answers a renewal that was sent at `sent` with what each session holds.
    fn renewed(&mut self, sent: u64, results: serde_json::Value) {
        let time = Duration::from_secs(sent);
        let sent = Moment { elapsed: time, wall: time };
        let answer = Ok(serde_json::from_value(json!({"sessions": results})).unwrap());
        self.take(Event::Renewed { license: "N".into(), sent, answer });
    }

    fn failed(&mut self) {
        let (sent, answer) = (self.now(), Err(Error::Closed));
        self.take(Event::Renewed { license: "N".into(), sent, answer });
    }
}

fn place(session: &str) -> Place {
    let session = session.parse().unwrap();
    Place { license: "N".into(), session, product: "0009".parse().unwrap() }
}

fn tok(token: u64) -> Token {
    Token::new(token).unwrap()
}

fn lease() -> serde_json::Value {
    json!({"leaseSeconds": 90, "renewAfterSeconds": 30, "expiresAt": "2026-01-05T10:01:30Z"})
}

fn holds(session: &str, token: u64) -> serde_json::Value {
    json!({"sessionId": session, "held": [{"productId": 808464441, "token": token, "lease": lease()}]})
}

fn told(notices: &Notices) -> Vec<String> {
    std::iter::from_fn(|| notices.try_next())
        .map(|notice| format!("{notice:?}").split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_due_is_renewed_by_one_request_along_with_what_soon_will_be() {
    let mut world = World::new();
    let _a = world.retain("a", 1);
    world.now = 2;
    let _b = world.retain("b", 2);
    world.now = 20;
    let _c = world.retain("c", 3);
    assert_eq!(world.until(30), ["30: renew a b of N"]);
    assert_eq!(world.until(52), [""; 0]);
    assert_eq!(world.until(55), [""; 0], "one request at a time, though c is due");
    world.renewed(30, json!([holds("a", 1), holds("b", 2)]));
    assert_eq!(world.until(59), ["55: renew c of N"]);
    world.renewed(55, json!([holds("c", 3)]));
    assert_eq!(world.until(60), ["60: renew a b of N"]);
}

#[test]
fn more_sessions_than_one_request_may_name_are_renewed_by_several() {
    let mut world = World::new();
    let sessions: Vec<String> = (0..=SESSIONS_MAX).map(|number| format!("s{number:04}")).collect();
    let kept: Vec<_> = (1..).zip(&sessions).map(|(token, it)| world.retain(it, token)).collect();
    let first = sessions[..SESSIONS_MAX].join(" ");
    assert_eq!(world.until(40), [format!("30: renew {first} of N")]);
    let held = (1..).zip(&sessions[..SESSIONS_MAX]).map(|(token, it)| holds(it, token)).collect();
    world.renewed(30, held);
    assert_eq!(world.until(45), [format!("40: renew {} of N", sessions[SESSIONS_MAX])]);
    assert!(kept.iter().all(|(_, notices)| told(notices).is_empty()));
}

#[test]
fn a_renewal_that_fails_is_tried_again_and_the_holder_is_warned_in_time() {
    let mut world = World::new();
    let (_, notices) = world.retain("a", 1);
    let mut tries = 0;
    while world.now < 89 {
        tries += world.until(world.now + 1).len();
        world.failed();
    }
    assert!(tries >= 5, "{:?}", world.asked);
    assert_eq!(told(&notices), ["InDanger"]);
    world.until(95);
    assert_eq!(told(&notices), ["Overdue"]);
    // The server was away and kept the license all the same.
    let sent = world.now;
    world.until(120);
    world.renewed(sent, json!([holds("a", 1)]));
    assert_eq!(told(&notices), ["Renewed"]);
}

#[test]
fn what_the_server_does_not_list_any_more_is_lost_and_not_released_again() {
    let mut world = World::new();
    let (a, lost) = world.retain("a", 1);
    let (b, taken) = world.retain("b", 2);
    let (_, kept) = world.retain("c", 3);
    world.until(30);
    let gone = json!({"sessionId": "a", "problem": {"type": "about:blank", "title": "Not retained",
        "status": 404, "code": "not_retained", "detail": "session `a` holds no license"}});
    world.renewed(30, json!([gone, holds("b", 9), holds("c", 3)]));
    assert_eq!((told(&lost), told(&taken)), (vec!["Lost".to_owned()], vec!["Lost".to_owned()]));
    assert_eq!(told(&kept), [""; 0]);
    assert_eq!(world.drop("a", 1, a), [""; 0]);
    assert_eq!(world.drop("b", 2, b), [""; 0], "9 is not ours");
    assert_eq!(world.until(60), ["60: renew c of N"]);
}

#[test]
fn what_was_retained_while_a_renewal_was_on_its_way_is_not_lost_by_it() {
    let mut world = World::new();
    let _a = world.retain("a", 1);
    world.until(30);
    let place = Place { product: "0025".parse().unwrap(), ..place("a") };
    let (sender, notices) = Notices::channel();
    let lease = serde_json::from_value(lease()).unwrap();
    let guard = Guard { id: 99, notices: sender };
    let granted = Granted { token: tok(2), sent: world.now(), lease, guard };
    world.take(Event::Retained { place, granted });
    world.renewed(30, json!([holds("a", 1)]));
    assert_eq!(told(&notices), [""; 0]);
}

#[test]
fn the_last_guard_releases() {
    let mut world = World::new();
    let (first, _) = world.retain("a", 1);
    let (second, _) = world.retain("a", 1);
    assert_eq!(world.drop("a", 1, first), [""; 0]);
    assert_eq!(world.drop("a", 1, first), [""; 0], "a guard counts once");
    assert_eq!(world.drop("a", 1, second), ["0: release 1 of a"]);
    assert!(world.keeper.is_releasing());
    world.take(Event::Released { place: place("a") });
    assert!(!world.keeper.is_releasing() && world.keeper.places.is_empty());
    assert_eq!(world.until(1000), [""; 0]);
}

#[test]
fn who_retains_what_is_being_released_waits_for_that() {
    let mut world = World::new();
    let (guard, _) = world.retain("a", 1);
    world.drop("a", 1, guard);
    let go = world.retaining("a");
    assert!(go.try_recv().is_err(), "the answer would be the token that is about to end");
    assert!(world.retaining("b").try_recv().is_ok());
    world.take(Event::Released { place: place("a") });
    assert!(go.try_recv().is_ok());
}

#[test]
fn what_somebody_is_about_to_get_again_is_not_released() {
    let mut world = World::new();
    let (guard, _) = world.retain("a", 1);
    world.retaining("a").try_recv().unwrap();
    assert_eq!(world.drop("a", 1, guard), [""; 0]);
    let (guard, _) = world.retained("a", 1);
    assert_eq!(world.drop("a", 1, guard), ["0: release 1 of a"]);

    let (guard, _) = world.retain("b", 2);
    world.retaining("b").try_recv().unwrap();
    assert_eq!(world.drop("b", 2, guard), [""; 0]);
    // The other got nothing.
    assert_eq!(world.take(Event::NotRetained { place: place("b") }), ["0: release 2 of b"]);
}

#[test]
fn who_releases_expressly_does_so_for_every_guard() {
    let mut world = World::new();
    let (_, _notices) = world.retain("a", 1);
    let (other, notices) = world.retain("a", 1);
    let (reply, _answer) = oneshot::channel();
    let release = Event::Release { place: place("a"), token: tok(1), reply };
    assert_eq!(world.take(release), ["0: release 1 of a"]);
    assert_eq!(told(&notices), ["Lost"]);
    assert_eq!(world.drop("a", 1, other), [""; 0]);
}

#[test]
fn a_caller_that_gave_up_waiting_leaves_nothing_behind() {
    let mut world = World::new();
    drop(world.retaining("a"));
    let (guard, _) = world.retain("b", 1);
    world.drop("b", 1, guard);
    drop(world.retaining("b"));
    world.take(Event::Released { place: place("b") });
    world.take(Event::NotRetained { place: place("a") });
    assert!(world.keeper.places.is_empty());
}
