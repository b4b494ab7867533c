//! The entries of a license, read in pages, so that a long history needs little memory.

use std::vec;

use license_types::Entry;

use crate::{Error, Pool, Selection};

/// How many entries are looked at in one page.
const PAGE: usize = 512;

/// The entries of a license that are wanted, from the first; see [`Pool::select`]. Those that are
/// deleted before they are reached are missing.
///
/// ```
/// use license_pool::{EventKind, Pool, SAMPLE_LICENSE, Selection, Session};
///
/// let pool = Pool::open("memory:")?;
/// pool.install(SAMPLE_LICENSE.as_bytes())?;
/// pool.retain("0025", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
/// let releases = Selection { kinds: vec![EventKind::Released], ..Selection::default() };
/// assert_eq!(pool.select(releases).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct History {
    pool: Pool,
    wanted: Selection,
    /// The sequence up to which the log was read.
    reached: u64,
    page: vec::IntoIter<Entry>,
    ended: bool,
}

/// What was found in one stretch of a license's log.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The first entry that there is in the stretch, wanted or not; it is a later one than was asked
    /// for where those before are deleted, and 0 where there is none.
    pub begin: u64,
    /// The entries that are wanted.
    pub entries: Vec<Entry>,
    /// The stretch ends with the entry of this sequence.
    pub reached: u64,
    /// The log ends with the entry of this sequence, or a later one where the store does not tell;
    /// the same as `reached` only at the end.
    pub end: u64,
}

impl History {
    pub(crate) fn new(pool: Pool, wanted: Selection) -> History {
        History { pool, wanted, reached: 0, page: Vec::new().into_iter(), ended: false }
    }

    /// The next page, which may hold nothing although more follows; `None` after the last.
    ///
    /// # Errors
    /// What the store said.
    pub fn page(&mut self) -> Result<Option<HistoryPage>, Error> {
        if self.ended {
            return Ok(None);
        }
        let page = self.pool.stretch(self.reached, PAGE, self.wanted.clone()).wait();
        // A log is finite, so what fails is not asked for again and again.
        self.ended = page.as_ref().is_ok_and(|page| page.reached >= page.end) || page.is_err();
        let page = page?;
        self.reached = page.reached;
        Ok(Some(page))
    }
}

impl Iterator for History {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Result<Entry, Error>> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            match self.page() {
                Ok(Some(page)) => self.page = page.entries.into_iter(),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
