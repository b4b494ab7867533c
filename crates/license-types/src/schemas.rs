//! The published schemas, one self-contained document each.
//!
//! ```
//! use license_types::schemas::{self, Profile};
//!
//! let text = schemas::text("license-usage", Profile::Observed).expect("it is published");
//! let schema: serde_json::Value = serde_json::from_str(text)?;
//! assert_eq!(schema["$id"], "urn:license:observed:license-usage");
//! assert!(schemas::NAMES.contains(&"license-info"));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::{fmt, str::FromStr};

use crate::Invalid;
use crate::generated::bundles;
use crate::json::prelude::Rule;

pub use crate::generated::bundles::NAMES;

/// Which of the two readings of a schema is meant.
///
/// ```
/// use license_types::schemas::Profile;
///
/// assert_eq!("observed".parse(), Ok(Profile::Observed));
/// assert_eq!(Profile::Documented.to_string(), "documented");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// What we write: what the documentation says, and nothing else.
    Documented,
    /// What we accept from others: wider, and open to members that are not documented.
    Observed,
}

impl Profile {
    /// Both profiles.
    pub const ALL: [Self; 2] = [Self::Documented, Self::Observed];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        const RULE: Rule = Rule { name: "Profile", expected: "documented or observed" };
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| RULE.refuse_text(word))
    }
}

/// The text of a schema, where one of that name is published. A schema of our own has one
/// profile, which is given for both.
pub fn text(name: &str, profile: Profile) -> Option<&'static str> {
    let place = NAMES.iter().position(|known| *known == name)?;
    Some(match profile {
        Profile::Documented => bundles::DOCUMENTED[place],
        Profile::Observed => bundles::OBSERVED[place],
    })
}
