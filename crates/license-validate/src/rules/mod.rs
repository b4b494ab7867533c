//! Rules that JSON Schema cannot say: sums, order and repetition. Off unless asked for.
//!
//! They judge what the schema accepts, so a record that breaks the schema is not judged by them.
//! A stream is taken for one report of one ledger.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use license_validate::{Judge, Notice, Profile, rules::{Rule, Rules}};
//!
//! let info = br#"{"name": "4D", "licenseNumber": "1", "version": "20", "userName": "Ann",
//!     "userMail": "ann@example.com", "companyName": "Example", "platforms": [], "products": [
//!     {"id": 808464441, "name": "4D Client", "usedCount": 0, "allowedCount": 25, "rights": [
//!         {"count": 5, "expirationDate": {"day": 1, "month": 2, "year": 2018}},
//!         {"count": 10, "expirationDate": {"day": 1, "month": 11, "year": 2017}},
//!         {"count": 10, "expirationDate": {"day": 1, "month": 11, "year": 2015}}]}]}"#;
//! let rules = Rules::all(jiff::civil::date(2017, 10, 1));
//! let mut found = Vec::new();
//! Judge::new(Profile::Observed).rules(rules).read(&info[..], |notice| {
//!     if let Notice::Violation(violation) = notice {
//!         found.push((violation.schema_path, violation.instance_path, violation.message));
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! let message = "is not what the rights allow that are valid on 2017-10-01: 25, expected 15";
//! let path = "/products/0/allowedCount".to_owned();
//! assert_eq!(found, [(Rule::AllowedCount.to_string(), path, message.to_owned())]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod info;
mod usage;

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use license_types::{FromJson, observed};
use serde_json::Value;

use crate::{
    breach::Breach,
    validator::{INFO, RETENTION, USAGE},
};

/// Records whose token and session the rules about repetition remember; later ones are compared
/// with these alone. Bounds their memory to some 30 MB.
pub const REMEMBERED_MAX: usize = 250_000;

/// One rule; its name stands in a violation where else the place in the schema does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `allowedCount` is the sum of the unexpired rights.
    AllowedCount,
    /// Every date is a day of the calendar.
    DatesExist,
    /// A license lists a product once.
    ProductsOnce,
    /// The count of one server is not above that of all.
    UsedWithinGlobal,
    /// Used counts include the retention that they stand in.
    CountsIncludeOwn,
    /// The used count covers the retentions that are still held.
    CountsCoverHeld,
    /// A token is used once.
    TokensOnce,
    /// Records are in the order of their tokens.
    TokensInOrder,
    /// A session's license token is that of its retention.
    LicenseToken,
    /// A session holds a product once.
    HeldOnce,
}

impl Rule {
    /// All rules.
    pub const ALL: [Rule; 10] = [
        Rule::AllowedCount,
        Rule::DatesExist,
        Rule::ProductsOnce,
        Rule::UsedWithinGlobal,
        Rule::CountsIncludeOwn,
        Rule::CountsCoverHeld,
        Rule::TokensOnce,
        Rule::TokensInOrder,
        Rule::LicenseToken,
        Rule::HeldOnce,
    ];

    /// The name that violations bear.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::AllowedCount => "allowed-count",
            Rule::DatesExist => "dates-exist",
            Rule::ProductsOnce => "products-once",
            Rule::UsedWithinGlobal => "used-within-global",
            Rule::CountsIncludeOwn => "counts-include-own",
            Rule::CountsCoverHeld => "counts-cover-held",
            Rule::TokensOnce => "tokens-once",
            Rule::TokensInOrder => "tokens-in-order",
            Rule::LicenseToken => "license-token",
            Rule::HeldOnce => "held-once",
        }
    }

    /// What the rule asks for, in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Rule::AllowedCount => {
                "`allowedCount` is the sum of the rights that are valid on the given day, or 32767 \
                 where one of them is; 0 after the license's own last day"
            }
            Rule::DatesExist => "every date is a day of the calendar, which 31 February is not",
            Rule::ProductsOnce => "a license lists each product id once",
            Rule::UsedWithinGlobal => {
                "`productUsedCount` counts one server, so it is at most `globalProductUsedCount`"
            }
            Rule::CountsIncludeOwn => {
                "`productUsedCount` and `globalProductUsedCount` include the retention that they \
                 stand in, so they are at least 1"
            }
            Rule::CountsCoverHeld => {
                "the used count over all servers is at least the number of the product's \
                 retentions up to it that are still in the report"
            }
            Rule::TokensOnce => "no two retentions have the same token",
            Rule::TokensInOrder => "retentions are listed in the order of their tokens",
            Rule::LicenseToken => "`session.licenseToken` is the `token` of the retention",
            Rule::HeldOnce => {
                "a session, told by `ID` or `sessionID`, holds each product at most once"
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Rule, UnknownRule> {
        let found = Rule::ALL.into_iter().find(|rule| rule.name() == name);
        found.ok_or_else(|| UnknownRule { name: name.to_owned() })
    }
}

/// No rule has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called `{name}`; there are {}", Rule::ALL.map(Rule::name).join(", "))]
pub struct UnknownRule {
    name: String,
}

/// The rules that are asked for, and the day for which they are.
#[derive(Clone, Debug)]
pub struct Rules {
    today: Date,
    asked: Vec<Rule>,
}

impl Rules {
    /// All rules; rights are judged as of `today`, a day in UTC.
    pub fn all(today: Date) -> Rules {
        Rules::only(today, Rule::ALL)
    }

    /// Some rules.
    ///
    /// ```
    /// use license_validate::rules::{Rule, Rules};
    ///
    /// let rules = ["tokens-once", "held-once"].map(str::parse::<Rule>);
    /// let rules = rules.into_iter().collect::<Result<Vec<_>, _>>()?;
    /// let rules = Rules::only(jiff::civil::date(2026, 1, 5), rules);
    /// # Ok::<(), license_validate::rules::UnknownRule>(())
    /// ```
    pub fn only(today: Date, rules: impl IntoIterator<Item = Rule>) -> Rules {
        Rules { today, asked: rules.into_iter().collect() }
    }
}

/// What the rules found so far in one stream.
pub(crate) struct Ruling<'a> {
    rules: &'a Rules,
    masked: bool,
    seen: usage::Seen,
    breaches: Vec<Breach>,
}

impl<'a> Ruling<'a> {
    pub(crate) fn new(rules: &'a Rules, masked: bool) -> Ruling<'a> {
        Ruling { rules, masked, seen: usage::Seen::default(), breaches: Vec::new() }
    }

    /// Judges a value that `schema` accepts; for a usage report, one element of it.
    pub(crate) fn judge(&mut self, schema: &str, value: Value) -> Vec<Breach> {
        // What either profile accepts, the observed types read.
        match schema {
            USAGE | RETENTION => {
                if let Ok(retention) = observed::Retention::parse(value) {
                    self.retention(&retention);
                }
            }
            INFO => {
                if let Ok(Some(info)) = observed::LicenseInfoDocument::parse(value) {
                    self.info(&info);
                }
            }
            _ => {}
        }
        std::mem::take(&mut self.breaches)
    }

    /// Notes that what stands at `at` breaks `rule`, if that is asked for. The detail says the
    /// values that do, unless they are masked.
    fn note(&mut self, rule: Rule, at: String, sentence: &str, detail: fmt::Arguments<'_>) {
        if self.rules.asked.contains(&rule) {
            let detail = if self.masked { String::new() } else { format!(": {detail}") };
            let message = format!("{sentence}{detail}");
            let rule = rule.name().to_owned();
            self.breaches.push(Breach { at, rule, message, shape: None });
        }
    }
}
