//! What SQLite says when it fails, with the cure where one is known.

use rusqlite::{Error, ErrorCode};

use crate::log::Cause;

/// A failure whose cure is known.
#[derive(Debug, thiserror::Error)]
#[error("{cure}")]
struct Trouble {
    cure: &'static str,
    source: Error,
}

/// The failure, after its cure.
pub(super) fn told(source: Error) -> Cause {
    match source.sqlite_error_code().and_then(cure) {
        Some(cure) => Trouble { cure, source }.into(),
        None => source.into(),
    }
}

fn cure(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::DatabaseCorrupt => {
            Some("its file is damaged, keep a copy as it is, then restore the last sound backup")
        }
        ErrorCode::DiskFull => Some("make room on its disk"),
        ErrorCode::SystemIoFailure => Some("see whether its disk is full or failed"),
        ErrorCode::ReadOnly => {
            Some("this user may not write to the file or its folder, act as their owner")
        }
        ErrorCode::CannotOpen => Some("this is no file, or this user may not open it"),
        _ => None,
    }
}

/// Whether the file is not as SQLite writes it.
pub(super) fn is_damage(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}
