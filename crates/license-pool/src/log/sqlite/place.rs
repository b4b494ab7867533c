//! Whether the store's path still leads to the file that is open. On Unix a file can be removed or
//! replaced under whoever has it open: what is written to it then, nobody else will ever see, and
//! the same license could be sold once in each of two files.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::LogError;

/// Where a file was when it was opened, and which one it was.
#[derive(Clone)]
pub(super) struct Place {
    path: PathBuf,
    file: FileId,
}

impl Place {
    /// The place of the file at `path`, which is about to be opened.
    pub(super) fn of(path: &Path) -> io::Result<Place> {
        Ok(Place { path: path.to_owned(), file: file_id(path)? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails once another file is there, or none.
    pub(super) fn holds(&self) -> Result<(), LogError> {
        if file_id(&self.path).is_ok_and(|file| file == self.file) {
            return Ok(());
        }
        let source = format!(
            "{} was removed or replaced while it was open: put it back or start this program anew",
            self.path.display()
        );
        Err(LogError::Unavailable { action: "find its file again", source: source.into() })
    }
}

#[cfg(unix)]
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Elsewhere an open file stays where it is.
#[cfg(not(unix))]
type FileId = ();

#[cfg(not(unix))]
fn file_id(_path: &Path) -> io::Result<FileId> {
    Ok(())
}
