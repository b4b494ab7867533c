//! Recomputes the chain of a license's log, and says up to where it holds.

use std::sync::Arc;

use license_core::{Entry, Head};
use license_types::Digest;

use crate::{Error, Pool};

const PAGE: usize = 1024;

/// What recomputing the chain of a license's log found.
///
/// Whoever noted sequence and chain value of an entry can later tell that nothing up to it was
/// changed, not even by somebody who computed the whole chain anew.
#[derive(Clone, Debug)]
pub struct ChainCheck {
    /// The first entry there is; 0 in an empty log. Of one later than 1 the chain value was taken as
    /// it is, since what it follows was deleted by compaction.
    pub first: u64,
    /// The last entry up to which the chain holds; 0 where not even the first does.
    pub last: u64,
    /// Chain value of that entry.
    pub chain: Digest,
    /// Why it goes no further: [`Error::LedgerFaulted`]; absent where it holds up to the end.
    pub fault: Option<Error>,
}

/// Reads on the caller's thread; `reached` is told after each page.
pub(crate) fn verify(pool: &Pool, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Error> {
    let (mut first, mut head) = (0, Head::default());
    let fault = loop {
        let after = head.sequence;
        let read = pool.read_log(Vec::new(), move |log, ledger| log.page(ledger, after, PAGE));
        let page = match read.wait() {
            Err(error @ Error::LedgerFaulted { .. }) => break Some(error),
            page => page?,
        };
        let ended = page.len() < PAGE;
        if first == 0 {
            first = page.first().map_or(0, |entry| entry.sequence);
        }
        let broken = page.iter().find(|entry| {
            let follows = follows(entry, head);
            if follows {
                head = Head { sequence: entry.sequence, chain: entry.chain };
            }
            !follows
        });
        if let Some(entry) = broken {
            let source = Arc::from(Box::from(fault(entry, head)));
            break Some(Error::LedgerFaulted { sequence: entry.sequence, source });
        }
        reached(head.sequence);
        if ended {
            break None;
        }
    };
    Ok(ChainCheck { first, last: head.sequence, chain: (*head.chain.bytes()).into(), fault })
}

/// Whether `entry` comes next after `head`. What the first of a log follows may be gone.
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
