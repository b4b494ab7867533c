//! One lease, as its holder counts it: when to renew, and whether it is still held. Pure: clock and
//! randomness are arguments.

use std::time::Duration;

use license_types::Lease as LeaseTerms;

use crate::moment::Moment;

/// The pause after the first failed renewal, and the longest one that it grows to.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a holder may believe of its license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is held.
    Held,
    /// It is held, but there is only time for one more renewal.
    InDanger,
    /// The lease is over: the license may have gone to somebody else.
    Overdue,
    /// It was released, by whoever it was.
    Gone,
}

/// The lease of one retention.
#[derive(Debug)]
pub(crate) struct Lease {
    /// None if it needs no renewal.
    terms: Option<Terms>,
    /// When the request was sent whose answer last granted or renewed it.
    sent: Moment,
    failures: Failures,
    /// Whether a renewal is in flight.
    renewing: bool,
    gone: bool,
    /// What the holder was told last.
    told: Standing,
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    length: Duration,
    renew_after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// When the last one was noticed, and how long to wait after it.
    last: Option<(Moment, Duration)>,
}

const NONE: Failures = Failures { count: 0, last: None };

impl Lease {
    /// A lease that was granted to a request sent at `sent`. Without terms, it needs no renewal.
    pub(crate) fn new(sent: Moment, terms: Option<&LeaseTerms>) -> Lease {
        let terms = terms.map(Terms::from);
        Lease { terms, sent, failures: NONE, renewing: false, gone: false, told: Standing::Held }
    }

    /// Notes that a renewal is sent.
    pub(crate) fn renewing(&mut self) {
        self.renewing = true;
    }

    /// Whether a renewal is in flight.
    pub(crate) fn is_renewing(&self) -> bool {
        self.renewing
    }

    /// Notes that a request sent at `sent` renewed it.
    pub(crate) fn renewed(&mut self, sent: Moment, terms: Option<&LeaseTerms>) {
        *self = Lease { told: self.told, gone: self.gone, ..Lease::new(sent, terms) };
    }

    /// Notes that a renewal failed. The pause before the next one doubles with every failure, up to
    /// half the time between renewals. `random`, from 0 to 1, spreads it, so that clients do not all
    /// come at once.
    pub(crate) fn failed(&mut self, now: Moment, random: f64) {
        self.renewing = false;
        let Some(terms) = self.terms else { return };
        let most = (terms.renew_after / 2).min(RETRY_MAX);
        let first = (terms.renew_after / 8).min(RETRY_FIRST);
        let doubled = first.saturating_mul(1 << self.failures.count.min(16)).min(most);
        let pause = doubled.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        self.failures = Failures { count: self.failures.count + 1, last: Some((now, pause)) };
    }

    /// Notes that it was released, which is never undone.
    pub(crate) fn lost(&mut self) {
        self.renewing = false;
        self.gone = true;
    }

    /// Whether to renew now.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.renewal_in(now).is_some_and(|wait| wait.is_zero())
    }

    /// Whether it is so nearly due that it is renewed along with another that is.
    pub(crate) fn is_nearly_due(&self, now: Moment) -> bool {
        let slack = self.terms.map_or(Duration::ZERO, |terms| terms.renew_after / 10);
        self.renewal_in(now).is_some_and(|wait| wait <= slack)
    }

    /// Time until it is to be renewed; none while a renewal is in flight, or if it needs none.
    pub(crate) fn renewal_in(&self, now: Moment) -> Option<Duration> {
        let terms = self.terms.filter(|_| !self.gone && !self.renewing)?;
        Some(match self.failures.last {
            None => terms.renew_after.saturating_sub(now.since(self.sent)),
            Some((failed, pause)) => pause.saturating_sub(now.since(failed)),
        })
    }

    /// Time until its standing changes, if nothing else happens.
    pub(crate) fn change_in(&self, now: Moment) -> Option<Duration> {
        let terms = self.terms.filter(|_| !self.gone)?;
        let age = now.since(self.sent);
        let change = [terms.danger_after(), terms.length].into_iter().find(|after| age < *after);
        change.map(|after| after - age)
    }

    /// Whether it is known to be released.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Its standing, if the holder was not told yet; takes the holder to be told now.
    pub(crate) fn news(&mut self, now: Moment) -> Option<Standing> {
        let standing = self.standing(now);
        let is_new = standing != self.told;
        self.told = standing;
        is_new.then_some(standing)
    }

    fn standing(&self, now: Moment) -> Standing {
        let age = now.since(self.sent);
        match self.terms {
            _ if self.gone => Standing::Gone,
            None => Standing::Held,
            Some(terms) if age >= terms.length => Standing::Overdue,
            Some(terms) if age >= terms.danger_after() => Standing::InDanger,
            Some(_) => Standing::Held,
        }
    }
}

impl Terms {
    /// The age from which only one more renewal fits into the lease.
    fn danger_after(self) -> Duration {
        self.length.saturating_sub(self.renew_after)
    }
}

impl From<&LeaseTerms> for Terms {
    fn from(lease: &LeaseTerms) -> Terms {
        let length = Duration::from_secs(lease.lease_seconds.get());
        let renew_after = Duration::from_secs(lease.renew_after_seconds.get());
        // If what the server suggests makes no sense, renew after a third of the lease.
        let sensible = !renew_after.is_zero() && renew_after <= length / 2;
        Terms { length, renew_after: if sensible { renew_after } else { length / 3 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let time = Duration::from_secs(seconds);
        Moment { elapsed: time, wall: time }
    }

    /// 90 seconds, to be renewed after 30.
    fn terms() -> LeaseTerms {
        serde_json::from_str(
            r#"{"leaseSeconds": 90, "renewAfterSeconds": 30, "expiresAt": "2026-01-05T10:01:30Z"}"#,
        )
        .unwrap()
    }

    #[test]
    fn it_is_renewed_when_the_server_suggests() {
        let mut lease = Lease::new(at(0), Some(&terms()));
        assert_eq!(lease.renewal_in(at(0)), Some(Duration::from_secs(30)));
        assert!(!lease.is_due(at(29)));
        assert!(lease.is_due(at(30)));
        lease.renewed(at(31), Some(&terms()));
        assert!(!lease.is_due(at(60)));
        assert!(lease.is_due(at(61)), "counted from when the request was sent");
    }

    #[test]
    fn its_holder_is_told_once_of_each_change() {
        let mut lease = Lease::new(at(0), Some(&terms()));
        assert_eq!(lease.change_in(at(59)), Some(Duration::from_secs(1)));
        assert_eq!(lease.news(at(59)), None);
        assert_eq!(lease.news(at(60)), Some(Standing::InDanger));
        assert_eq!(lease.news(at(89)), None);
        assert_eq!(lease.news(at(90)), Some(Standing::Overdue));
        assert_eq!(lease.news(at(1000)), None);
        lease.renewed(at(1001), Some(&terms()));
        assert_eq!(lease.news(at(1002)), Some(Standing::Held), "it was never given away");
        lease.lost();
        assert_eq!(lease.news(at(1003)), Some(Standing::Gone));
        lease.renewed(at(1004), Some(&terms()));
        assert_eq!(lease.news(at(1005)), None, "what is gone stays gone");
        assert_eq!((lease.renewal_in(at(2000)), lease.change_in(at(2000))), (None, None));
    }

    #[test]
    fn an_old_answer_leaves_an_old_lease() {
        let mut lease = Lease::new(at(0), Some(&terms()));
        lease.renewed(at(30), Some(&terms()));
        // The answer took until here.
        assert_eq!(lease.news(at(119)), Some(Standing::InDanger));
        assert_eq!(lease.news(at(120)), Some(Standing::Overdue));
    }

    #[test]
    fn failures_are_tried_again_ever_more_rarely_and_never_rarely() {
        let mut lease = Lease::new(at(0), Some(&terms()));
        let mut now = 30.0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let moment = |seconds: f64| {
                let time = Duration::from_secs_f64(seconds);
                Moment { elapsed: time, wall: time }
            };
            lease.failed(moment(now), 1.0);
            let pause = lease.renewal_in(moment(now)).unwrap();
            pauses.push(pause.as_secs());
            now += pause.as_secs_f64();
            assert!(lease.is_due(moment(now)));
        }
        assert_eq!(pauses, [2, 4, 8, 15, 15, 15]);
        lease.failed(at(100), 0.0);
        assert_eq!(lease.renewal_in(at(100)), Some(Duration::from_millis(7500)), "spread");
        lease.renewing();
        assert_eq!(lease.renewal_in(at(200)), None, "one request at a time");
    }

    #[test]
    fn a_short_lease_is_tried_again_soon_enough() {
        let terms =
            r#"{"leaseSeconds": 15, "renewAfterSeconds": 5, "expiresAt": "2026-01-05T10:00:15Z"}"#;
        let mut lease = Lease::new(at(0), Some(&serde_json::from_str(terms).unwrap()));
        let mut pauses = Vec::new();
        for _ in 0..4 {
            lease.failed(at(5), 1.0);
            pauses.push(lease.renewal_in(at(5)).unwrap().as_millis());
        }
        assert_eq!(pauses, [625, 1250, 2500, 2500]);
    }

    #[test]
    fn a_machine_that_slept_and_a_clock_that_was_set_back_lose_no_time() {
        let start = at(1000);
        let slept = Moment { elapsed: start.elapsed, wall: start.wall + Duration::from_secs(90) };
        assert_eq!(Lease::new(start, Some(&terms())).news(slept), Some(Standing::Overdue));
        let set_back =
            Moment { elapsed: start.elapsed + Duration::from_secs(90), wall: Duration::ZERO };
        assert_eq!(Lease::new(start, Some(&terms())).news(set_back), Some(Standing::Overdue));
    }

    #[test]
    fn without_a_lease_there_is_nothing_to_renew() {
        let mut lease = Lease::new(at(0), None);
        assert_eq!((lease.renewal_in(at(9999)), lease.change_in(at(9999))), (None, None));
        assert_eq!(lease.news(at(9999)), None);
        lease.lost();
        assert_eq!(lease.news(at(9999)), Some(Standing::Gone));
    }

    #[test]
    fn senseless_terms_are_made_sense_of() {
        for senseless in ["0", "90", "9007199254740991"] {
            let terms = format!(
                r#"{{"leaseSeconds": 90, "renewAfterSeconds": {senseless}, "expiresAt": "2026-01-05T10:01:30Z"}}"#,
            );
            let lease = Lease::new(at(0), Some(&serde_json::from_str(&terms).unwrap()));
            assert_eq!(lease.renewal_in(at(0)), Some(Duration::from_secs(30)));
        }
    }
}
