//! The entries of a license, read in pages, so that a long history needs little memory.

use std::vec;

use license_types::Entry;

use crate::{Error, Pool};

/// So many entries are read at once.
const PAGE: usize = 512;

/// Every entry of a license, from the first; see [`Pool::history`].
#[derive(Debug)]
pub struct History {
    pool: Pool,
    /// The sequence of the last entry that was read.
    after: u64,
    page: vec::IntoIter<Entry>,
    ended: bool,
}

impl History {
    pub(crate) fn new(pool: Pool) -> History {
        History { pool, after: 0, page: Vec::new().into_iter(), ended: false }
    }
}

impl Iterator for History {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Result<Entry, Error>> {
        if self.page.len() == 0 && !self.ended {
            match self.pool.page(self.after, PAGE).wait() {
                Ok(page) => {
                    self.ended = page.len() < PAGE;
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let entry = self.page.next()?;
        self.after = entry.sequence.get();
        Some(Ok(entry))
    }
}
