//! What a license allows on a given day.

use jiff::civil::Date;

/// The count of a right that means any number of connections.
pub(crate) const UNLIMITED: u64 = 32767;

/// A count of connections, valid through the end of a day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Right {
    pub(crate) count: u64,
    pub(crate) expires: Option<Date>,
}

/// How many licenses of one product are allowed on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Allowance {
    /// None any more: the license, or every right of the product, has expired.
    Expired { on: Date },
    /// So many.
    Limited(u64),
    /// Any number.
    Unlimited,
}

impl Allowance {
    /// What `rights` allow `today` under a license that itself may expire.
    pub(crate) fn of(rights: &[Right], license_expires: Option<Date>, today: Date) -> Allowance {
        if let Some(on) = license_expires.filter(|date| today > *date) {
            return Allowance::Expired { on };
        }
        let mut sum = 0;
        let mut any_valid = false;
        let mut last_expired = None;
        for right in rights {
            if right.expires.is_some_and(|date| today > date) {
                last_expired = last_expired.max(right.expires);
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
