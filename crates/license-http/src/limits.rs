//! How much a caller may use of the server, and the counters that notice when it is too much.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use license_types::{ProblemCode, Reason, Session, SessionRenewal};

use crate::failure::Failure;

/// How much callers may use of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; the next one waits until another ends.
    pub connections: usize,
    /// Streams of events at once.
    pub streams: usize,
    /// Requests a second of each credential, on average; twice as many may come at once.
    pub requests_per_second: u32,
    /// Requests a minute with wrong credentials, of each address.
    pub failures_per_minute: u32,
    /// Time for the head of a request, and between two requests of a connection.
    pub head: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// How long a client may go without reading any of an answer.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1024,
            streams: 256,
            requests_per_second: 10_000,
            failures_per_minute: 30,
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
        }
    }
}

/// The most characters of each text in a session's description, and of the reason.
const TEXT_MAX: usize = 1024;

/// Refuses texts that are too long, or that contain U+0000, which not every store can hold.
pub(crate) fn texts(session: &Session, reason: Option<&Reason>) -> Result<(), Failure> {
    let texts: Vec<(&str, &str)> = match session {
        Session::Client(client) => vec![
            ("userName", &client.user_name),
            ("machineName", &client.machine_name),
            ("systemUserName", &client.system_user_name),
            ("IPAddress", &client.ip_address),
        ],
        Session::Sql(sql) => vec![
            ("IPAddress", &sql.ip_address),
            ("userAgent", &sql.user_agent),
            ("userName", &sql.user_name),
        ],
        Session::Rest(rest) => vec![
            ("userName", &rest.user_name),
            ("sessionID", &rest.session_id),
            ("IPAddress", &rest.ip_address),
        ],
    };
    let reason = reason.map(|reason| ("reason", reason.as_str()));
    for (name, text) in texts.into_iter().chain(reason) {
        if text.contains('\0') {
            let detail = format!("{name} contains U+0000: take it out");
            return Err(Failure::bad_request(detail));
        }
        if text.len() > TEXT_MAX && text.chars().count() > TEXT_MAX {
            let detail = format!("{name} has more than {TEXT_MAX} characters");
            return Err(Failure::bad_request(detail));
        }
    }
    Ok(())
}

/// A list of sessions to renew is no longer than this.
const SESSIONS_MAX: usize = 1000;

/// Refuses a list of sessions that is too long.
pub(crate) fn sessions(sessions: &[SessionRenewal]) -> Result<(), Failure> {
    match sessions.len() > SESSIONS_MAX {
        true => {
            let detail = format!("the list has more than {SESSIONS_MAX} sessions: send several");
            Err(Failure::bad_request(detail))
        }
        false => Ok(()),
    }
}

/// How often something may happen, for each of many keys: a token bucket for each.
#[derive(Debug)]
pub(crate) struct Rate<K> {
    /// How many may happen at once.
    burst: f64,
    /// How many come back each second.
    per_second: f64,
    /// How many were left for a key, and when.
    left: Mutex<HashMap<K, (f64, Instant)>>,
}

/// How many keys are remembered, so that made-up keys cannot fill the memory.
const KEYS_MAX: usize = 10_000;

impl<K: Hash + Eq> Rate<K> {
    pub(crate) fn new(burst: f64, per_second: f64) -> Rate<K> {
        Rate { burst, per_second, left: Mutex::new(HashMap::new()) }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// When none is left for this key, or there are too many keys.
    pub(crate) fn take(&self, key: K) -> Result<(), Failure> {
        let now = Instant::now();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= KEYS_MAX && !left.contains_key(&key) {
            left.retain(|_, (left, since)| {
                *left + now.duration_since(*since).as_secs_f64() * self.per_second < self.burst
            });
            if left.len() >= KEYS_MAX {
                return Err(too_many(1));
            }
        }
        let (left, since) = left.entry(key).or_insert((self.burst, now));
        let back = now.duration_since(*since).as_secs_f64() * self.per_second;
        *left = (*left + back).min(self.burst);
        *since = now;
        if *left < 1.0 {
            let seconds = ((1.0 - *left) / self.per_second).ceil().clamp(1.0, AGAIN_MAX);
            return Err(too_many(seconds as u64));
        }
        *left -= 1.0;
        Ok(())
    }
}

/// The longest `Retry-After` for too many requests, in seconds.
const AGAIN_MAX: f64 = 60.0;

/// The refusal of a request that may be repeated after so many seconds.
pub(crate) fn too_many(seconds: u64) -> Failure {
    Failure::new(ProblemCode::TooManyRequests, "too many requests: slow down").retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_rate_of_its_own() {
        let rate = Rate::new(2.0, 0.0);
        assert!(rate.take("a").is_ok() && rate.take("a").is_ok());
        assert!(rate.take("a").is_err());
        assert!(rate.take("b").is_ok());
    }

    #[test]
    fn who_took_too_much_is_told_when_there_is_some_again() {
        // What is asked at once, and how soon there is one more, in seconds.
        for (burst, every, least, most) in
            [(1.0, 30.0, 1, 30), (2.0, 0.5, 1, 1), (1.0, 1e9, 60, 60)]
        {
            let rate = Rate::new(burst, 1.0 / every);
            let refused = (0..1000).find_map(|_| rate.take(()).err()).unwrap();
            let answer = axum::response::IntoResponse::into_response(refused);
            let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((least..=most).contains(&seconds), "{seconds} s, where one comes in {every} s");
        }
    }

    #[test]
    fn keys_that_are_made_up_take_no_memory() {
        let rate = Rate::new(2.0, 0.0);
        let refused = (0..2 * KEYS_MAX).filter(|key| rate.take(*key).is_err()).count();
        assert_eq!(refused, KEYS_MAX);
        assert_eq!(rate.left.lock().unwrap_or_else(PoisonError::into_inner).len(), KEYS_MAX);
    }

    #[test]
    fn what_was_taken_comes_back_over_time() {
        let rate = Rate::new(1.0, 1000.0);
        assert!(rate.take("a").is_ok());
        let until = Instant::now() + Duration::from_secs(10);
        while rate.take("a").is_err() {
            assert!(Instant::now() < until, "it did not come back");
        }
    }
}
