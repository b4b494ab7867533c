//! Which store a pool opens, as people write it: `memory:` or `sqlite:PATH`.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

/// Names a store.
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
}

/// A text that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no store: write `sqlite:PATH` or `memory:`")]
pub struct InvalidStoreUrl(String);

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<StoreUrl, InvalidStoreUrl> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(StoreUrl::Memory),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) if !path.is_empty() && !path.contains('\0') => {
                Ok(StoreUrl::Sqlite(path.into()))
            }
            _ => Err(InvalidStoreUrl(text.to_owned())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Memory => f.write_str("memory:"),
            #[cfg(feature = "sqlite")]
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}
