//! Where the scripts and their sessions lie.

use std::{fs, path::PathBuf};

use license_types::Session;

/// The folder of the scripts.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/ledger"))
}

/// The file that `--describe NAME` means.
pub(crate) fn session_file(name: &str) -> PathBuf {
    folder().join("sessions").join(name).with_extension("json")
}

pub(crate) fn session(name: &str) -> Session {
    let path = session_file(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
