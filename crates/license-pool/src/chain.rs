//! Recomputes the chain of a license's log, and says up to where it holds.

use std::sync::Arc;

use license_core::{Entry, Head};
use license_types::Digest;

use crate::{Error, Pool, recover};

const PAGE: usize = 1024;

/// What recomputing the chain of a license's log found.
///
/// If you note the sequence and the chain value of an entry, you can later prove that nothing up to it
/// was changed, not even by somebody who recomputed the whole chain.
#[derive(Clone, Debug)]
pub struct ChainCheck {
    /// The sequence of the first entry there is; 0 in an empty log. If it is greater than 1, its chain
    /// value was taken as it is, since the entries before it are deleted.
    pub first: u64,
    /// The sequence up to which the chain holds; 0 if not even the first entry does.
    pub last: u64,
    /// Chain value of that entry.
    pub chain: Digest,
    /// Why it goes no further: [`Error::LedgerFaulted`]; absent if it holds up to the end.
    pub fault: Option<Error>,
}

impl ChainCheck {
    /// Recomputes the chain over a history from anywhere, as an export, from its first entry to its
    /// last; `reached` is called with each sequence. So its source need not be trusted.
    ///
    /// # Errors
    /// Those of `history`. A chain that does not hold is no error: the answer says so.
    ///
    /// ```
    /// use license_pool::{ChainCheck, Pool, SAMPLE_LICENSE};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let check = ChainCheck::of(pool.history(), |_| ())?;
    /// assert_eq!((check.first, check.last), (1, 1));
    /// assert!(check.fault.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of<E>(
        history: impl IntoIterator<Item = Result<license_types::Entry, E>>,
        mut reached: impl FnMut(u64),
    ) -> Result<ChainCheck, E> {
        let mut walk = Walk::default();
        for entry in history {
            let entry = entry?;
            let sequence = entry.sequence.get();
            let followed = Entry::from_wire(entry)
                .map_err(|fault| Error::LedgerFaulted { sequence, source: Arc::new(fault) })
                .and_then(|entry| walk.follow(&entry));
            if let Err(fault) = followed {
                return Ok(walk.end(Some(fault)));
            }
            reached(sequence);
        }
        Ok(walk.end(None))
    }
}

/// Recomputes the chain of the license's log on the caller's thread; `reached` is called after each
/// page. If the oldest entries are deleted meanwhile, it begins again: what is missing then is no fault.
pub(crate) fn verify(pool: &Pool, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Error> {
    loop {
        let check = verify_once(pool, reached)?;
        if check.fault.is_none() || !is_shortened(pool, check.first)? {
            return Ok(check);
        }
    }
}

/// Whether the log no longer begins with entry `first`. If its entries cannot be read, that is the
/// fault, and this says no.
fn is_shortened(pool: &Pool, first: u64) -> Result<bool, Error> {
    let read = pool.read_log(Vec::new(), |log, ledger| log.page(ledger, 0, 1));
    match read.wait() {
        Err(Error::LedgerFaulted { .. }) => Ok(false),
        page => Ok(first > 0 && page?.first().is_some_and(|now| now.sequence > first)),
    }
}

fn verify_once(pool: &Pool, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Error> {
    let mut walk = Walk::default();
    let (mut limit, mut unread) = (PAGE, None);
    loop {
        let after = walk.head.sequence;
        let read = pool.read_log(Vec::new(), move |log, ledger| log.page(ledger, after, limit));
        let page = match read.wait() {
            // What comes before it in the page is followed one by one: the chain holds up to there.
            Err(error @ Error::LedgerFaulted { .. }) if unread.is_none() => {
                (limit, unread) = (1, Some(error));
                continue;
            }
            Err(Error::LedgerFaulted { .. }) => return Ok(walk.end(unread)),
            page => page?,
        };
        if let Err(fault) = page.iter().try_for_each(|entry| walk.follow(entry)) {
            return Ok(walk.end(Some(fault)));
        }
        reached(walk.head.sequence);
        if page.len() < limit {
            if unread.is_some() {
                return Ok(walk.end(unread));
            }
            let fault = if walk.first > 1 { gone(pool, walk.first)? } else { None };
            return Ok(walk.end(fault));
        }
    }
}

/// What is wrong with a log that begins with entry `first`, if anything: when old entries are deleted,
/// a snapshot that covers them stays.
fn gone(pool: &Pool, first: u64) -> Result<Option<Error>, Error> {
    let snapshot = pool.read_log(None, |log, ledger| recover::oldest(log, ledger));
    Ok(snapshot.wait()?.is_none().then(|| {
        let source = format!("entries before {first} are gone, and no snapshot knows them");
        Error::LedgerFaulted { sequence: first, source: Arc::from(Box::from(source)) }
    }))
}

/// How far a chain was followed.
#[derive(Default)]
struct Walk {
    first: u64,
    head: Head,
}

impl Walk {
    /// Goes on to the next entry, if it is that.
    fn follow(&mut self, entry: &Entry) -> Result<(), Error> {
        if self.first == 0 {
            self.first = entry.sequence;
        }
        if !follows(entry, self.head) {
            let source = Arc::from(Box::from(fault(entry, self.head)));
            return Err(Error::LedgerFaulted { sequence: entry.sequence, source });
        }
        self.head = Head { sequence: entry.sequence, chain: entry.chain };
        Ok(())
    }

    fn end(self, fault: Option<Error>) -> ChainCheck {
        let Walk { first, head } = self;
        let chain = (*head.chain.bytes()).into();
        ChainCheck { first, last: head.sequence, chain, fault }
    }
}

/// Whether `entry` comes next after `head`. After an empty head any later entry does, since the first
/// ones may be deleted.
pub(crate) fn follows(entry: &Entry, head: Head) -> bool {
    match head.sequence {
        0 if entry.sequence > 1 => true,
        before => entry.sequence == before + 1 && entry.link(&head.chain) == entry.chain,
    }
}

/// Why `entry` does not come next after `head`.
pub(crate) fn fault(entry: &Entry, head: Head) -> String {
    let expected = head.sequence + 1;
    match entry.sequence == expected {
        true => "its chain value is not the hash of the chain before and itself".to_owned(),
        false => format!("entry {expected} is missing before it"),
    }
}
