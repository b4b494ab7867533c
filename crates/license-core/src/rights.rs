//! What a license allows at a given time.

use jiff::{Timestamp, civil::Date};
use license_types::{LicenseDate, RightCount};

/// The count of a right that means any number of connections.
pub(crate) const UNLIMITED: u64 = RightCount::UNLIMITED.get();

/// A count of connections, valid through the end of a day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Right {
    pub(crate) count: u64,
    pub(crate) expires: Option<Expiry>,
}

/// The last day on which something is valid, and the second at which that day has ended in UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expiry {
    pub(crate) last_day: Date,
    end: i64,
}

impl Expiry {
    /// None where the calendar has no such day.
    pub(crate) fn new(date: &LicenseDate) -> Option<Expiry> {
        let end = date.end()?;
        // The calendar's last day does not end, not even at the last instant that there is.
        let end = if end == Timestamp::MAX { i64::MAX } else { end.as_second() };
        Some(Expiry { last_day: date.to_date()?, end })
    }

    /// The second of the epoch at which it is over.
    pub(crate) fn end(self) -> i64 {
        self.end
    }

    fn has_passed(self, time: Timestamp) -> bool {
        // Whole seconds of the time would round it up before 1970.
        time.as_millisecond() >= self.end.saturating_mul(1000)
    }
}

/// How many licenses of one product are allowed at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Allowance {
    /// None any more: the license, or every right of the product, has expired.
    Expired { on: Date },
    /// This many.
    Limited(u64),
    /// Any number.
    Unlimited,
}

impl Allowance {
    /// What `rights` allow at `time` under a license that itself may expire.
    pub(crate) fn of(
        rights: &[Right],
        license_expires: Option<Expiry>,
        time: Timestamp,
    ) -> Allowance {
        if let Some(expiry) = license_expires.filter(|expiry| expiry.has_passed(time)) {
            return Allowance::Expired { on: expiry.last_day };
        }
        let mut sum = 0;
        let mut any_valid = false;
        let mut last_expired = None;
        for right in rights {
            if let Some(expiry) = right.expires.filter(|expiry| expiry.has_passed(time)) {
                last_expired = last_expired.max(Some(expiry.last_day));
                continue;
            }
            if right.count == UNLIMITED {
                return Allowance::Unlimited;
            }
            any_valid = true;
            sum += right.count;
        }
        match last_expired {
            Some(on) if !any_valid => Allowance::Expired { on },
            _ => Allowance::Limited(sum),
        }
    }

    /// The `allowedCount` of reports.
    pub(crate) fn count(self) -> u64 {
        match self {
            Allowance::Expired { .. } => 0,
            Allowance::Limited(count) => count,
            Allowance::Unlimited => UNLIMITED,
        }
    }

    /// What is left when `used` are in use; never below 0.
    pub(crate) fn balance(self, used: u64) -> u64 {
        match self {
            Allowance::Unlimited => UNLIMITED,
            Allowance::Expired { .. } | Allowance::Limited(_) => self.count().saturating_sub(used),
        }
    }

    /// Whether one more may be granted while `used` are in use.
    pub(crate) fn grants(self, used: u64) -> bool {
        match self {
            Allowance::Unlimited => true,
            Allowance::Expired { .. } | Allowance::Limited(_) => used < self.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_did_so_with_its_last_right() {
        let right = |day| {
            let expires =
                Some(Expiry { last_day: jiff::civil::date(2026, 1, day), end: day.into() });
            Right { count: 1, expires }
        };
        for days in [[3, 7, 5], [7, 5, 3]] {
            let allowance = Allowance::of(&days.map(right), None, Timestamp::MAX);
            assert_eq!(allowance, Allowance::Expired { on: jiff::civil::date(2026, 1, 7) });
        }
    }
}
