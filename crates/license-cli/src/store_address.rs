//! Parses the value of `--store`, and says what to write instead if it is wrong.

use std::path::Path;

use license_pool::StoreUrl;

use crate::failure::Failure;

/// The store if neither `--store` nor the environment names one.
pub(crate) const DEFAULT_STORE: &str = "sqlite:license.db";

const SUPPORTED: &str = "a store is `sqlite:PATH`, such as sqlite:license.db, \
    `postgres://USER@HOST/DATABASE` or `memory:`";

/// Parses `text`; a relative path becomes absolute, starting from `directory`.
pub(crate) fn store_address(text: &str, directory: &Path) -> Result<StoreUrl, Failure> {
    // Other programs write `sqlite://PATH` and `sqlite::memory:`; surely no file of such a name is meant.
    let is_foreign = text.starts_with("sqlite://") || text.starts_with("sqlite::");
    match text.parse() {
        Ok(StoreUrl::Sqlite(path)) if !is_foreign => {
            let path = directory.join(path);
            match path.to_str() {
                Some(_) => Ok(StoreUrl::Sqlite(path)),
                // The pool is given the store as text.
                None => Err(Failure::usage(format!("the path {} is not UTF-8", path.display()))
                    .hint("give an absolute path that is")),
            }
        }
        Ok(url @ (StoreUrl::Memory | StoreUrl::Postgres(_))) => Ok(url),
        // For the address of a database, its own parser says best what is wrong.
        Err(error) if text.starts_with("postgres") && text.contains(':') => {
            Err(Failure::usage(error.to_string()))
        }
        Ok(StoreUrl::Sqlite(_)) | Err(_) => {
            let failure = Failure::usage(format!("`{text}` is no store")).hint(SUPPORTED);
            Err(match text.contains(':') || text.is_empty() {
                true => failure,
                false => failure.hint(format!("for this file, write sqlite:{text}")),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        let address = store_address(text, Path::new("/srv"));
        address.map(|url| url.to_string()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_path_begins_at_the_directory() {
        assert_eq!(parse("memory:").unwrap(), "memory:");
        assert_eq!(parse("sqlite:a.db").unwrap(), "sqlite:/srv/a.db");
        assert_eq!(parse("sqlite:/var/a b.db").unwrap(), "sqlite:/var/a b.db");
        let database = "postgres://ann@localhost/licenses";
        assert_eq!(parse(database).unwrap(), database);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_is_refused_rather_than_changed() {
        use std::os::unix::ffi::OsStrExt;
        let directory = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff"));
        assert!(store_address("sqlite:a.db", directory).is_err());
        assert!(store_address("sqlite:/srv/a.db", directory).is_ok());
    }

    #[test]
    fn what_is_no_store_is_refused_with_what_is_supported() {
        for text in
            ["", "license.db", "sqlite:", "sqlite::memory:", "sqlite://x", "mysql://x", "memory"]
        {
            let error = parse(text).unwrap_err();
            assert!(error.contains("sqlite:PATH") && error.contains("memory:"), "{text}: {error}");
        }
        assert!(parse("license.db").unwrap_err().contains("write sqlite:license.db"));
        let error = parse("postgres://a:b@c/d").unwrap_err();
        assert!(error.contains("`postgres://a:***@c/d`"), "{error}");
        assert!(error.contains("sslrootcert=FILE"), "{error}");
    }
}
