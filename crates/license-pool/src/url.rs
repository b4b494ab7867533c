//! Which store a pool opens, as people write it: `memory:`, `sqlite:PATH` or `postgres://…`.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(feature = "postgres")]
use crate::log::PostgresUrl;

/// Names a store. What it shows never holds a password.
///
/// ```
/// use license_pool::StoreUrl;
///
/// let url: StoreUrl = "sqlite:license.db".parse()?;
/// assert_eq!(url, StoreUrl::Sqlite("license.db".into()));
/// assert_eq!(url.to_string(), "sqlite:license.db");
/// assert!("license.db".parse::<StoreUrl>().is_err());
/// # Ok::<(), license_pool::InvalidStoreUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreUrl {
    /// Lives and dies with the pool.
    Memory,
    /// One file, which several processes may share.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// A PostgreSQL database, which several machines may share.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
}

/// A text that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no store: {reason}")]
pub struct InvalidStoreUrl {
    /// Without what may be a password.
    text: String,
    reason: String,
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<StoreUrl, InvalidStoreUrl> {
        let invalid = |reason| Err(InvalidStoreUrl { text: masked(text), reason });
        match text.split_once(':') {
            Some(("memory", "")) => Ok(StoreUrl::Memory),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) if !path.is_empty() && !path.contains('\0') => {
                Ok(StoreUrl::Sqlite(path.into()))
            }
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => {
                PostgresUrl::parse(text).map(StoreUrl::Postgres).or_else(invalid)
            }
            #[cfg(not(feature = "sqlite"))]
            Some(("sqlite", _)) => invalid(left_out("sqlite")),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => invalid(left_out("postgres")),
            _ => invalid(format!("write {}", FORMS.join(" or "))),
        }
    }
}

/// Why a store cannot be named whose kind a build leaves out, with the cure.
#[cfg(not(all(feature = "postgres", feature = "sqlite")))]
fn left_out(feature: &str) -> String {
    format!("it was built without such stores: the feature `{feature}` of license-pool adds them")
}

/// What names a store in this build.
const FORMS: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "`sqlite:PATH`",
    #[cfg(feature = "postgres")]
    "`postgres://USER@HOST/DATABASE`",
    "`memory:`",
];

/// The text of an address, well written or not, without what may be a password.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    if let Some(end) = text.rfind('@').filter(|end| *end > begin)
        && let Some(colon) = text[begin..end].find(':')
    {
        masked.replace_range(begin + colon + 1..end, "***");
    }
    if let Some(at) = masked.find("password=") {
        let begin = at + "password=".len();
        let end = masked[begin..].find('&').map_or(masked.len(), |length| begin + length);
        masked.replace_range(begin..end, "***");
    }
    masked
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Memory => f.write_str("memory:"),
            #[cfg(feature = "sqlite")]
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_store_that_the_build_leaves_out_is_told_with_the_feature_that_adds_it() {
        let error = "postgres://ann:secret@db/x".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(error.contains("`postgres://ann:***@db/x`"), "{error}");
        assert!(error.contains("the feature `postgres` of license-pool"), "{error}");
    }

    #[test]
    fn a_password_is_masked_wherever_it_stands() {
        for (text, shown) in [
            ("postgres://ann:s3:c/r@et@db/x", "postgres://ann:***@db/x"),
            ("postgers://ann:secret@db/x?y=1", "postgers://ann:***@db/x?y=1"),
            ("postgres:ann:secret@db", "postgres:***@db"),
            ("postgres://db/x?password=secret&y=1", "postgres://db/x?password=***&y=1"),
            ("postgres://ann@db:5432/x", "postgres://ann@db:5432/x"),
            ("sqlite:a.db", "sqlite:a.db"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
