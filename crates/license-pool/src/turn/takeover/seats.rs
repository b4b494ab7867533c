//! Finds out from the log who made the retentions that have no lease. Those that a process vouched
//! for end with it; those of one-shot commands go on.

use std::collections::BTreeSet;

use license_core::Event;
use license_types::{EventKind, Token};

use crate::LOCAL;
use crate::log::{LedgerId, Log, LogError, Selection, Stretch};

/// How many entries are read at once.
const PAGE: usize = 128;

/// Those of `tokens` that one-shot commands retained. A token whose entry is deleted already is taken
/// for a process's.
pub(super) fn of_commands(
    log: &mut dyn Log,
    ledger: LedgerId,
    tokens: BTreeSet<Token>,
) -> Result<BTreeSet<Token>, LogError> {
    let wanted = Selection { kinds: vec![EventKind::Retained], ..Selection::default() };
    search(tokens, |after| log.select(ledger, after, PAGE, &wanted))
}

/// Looks for `tokens` in the log; `read` gives the `retained` entries of a stretch after a sequence.
///
/// Tokens are consecutive and an entry retains one at most, so two retentions are at least as many
/// entries apart as their tokens. That lets the search skip ahead: where every second entry retains
/// something, each look halves the distance, and little of a long log is read.
fn search(
    mut tokens: BTreeSet<Token>,
    mut read: impl FnMut(u64) -> Result<Stretch, LogError>,
) -> Result<BTreeSet<Token>, LogError> {
    let mut of_commands = BTreeSet::new();
    let (mut after, mut seen) = (0, (0, 0));
    while let Some(next) = tokens.first() {
        let (sequence, token) = seen;
        let found = read(after.max(sequence + (next.get() - token) - 1))?;
        for entry in &found.entries {
            let Event::Retained(retained) = &entry.event else { continue };
            let token = retained.token;
            if tokens.contains(&token) && entry.stamp.server.as_str() == LOCAL {
                of_commands.insert(token);
            }
            tokens = tokens.split_off(&Token::new(token.get() + 1).unwrap_or(Token::MAX));
            seen = (entry.sequence, token.get());
        }
        if found.reached >= found.end {
            break;
        }
        after = found.reached;
    }
    Ok(of_commands)
}

#[cfg(test)]
mod tests {
    use license_core::Entry;
    use license_types::Session;

    use super::*;
    use crate::log::MemoryLog;
    use crate::{Pool, SAMPLE_LICENSE};

    const PRODUCT: &str = "0007";

    #[test]
    fn in_a_long_log_it_is_found_with_few_looks_who_retained_something() {
        let log = log_of(2000);
        let all = log.clone().page(LedgerId(1), 0, usize::MAX).unwrap();
        for wanted in [vec![1], vec![1500], vec![2000], vec![3, 4, 5, 700, 1999], vec![1998, 1999]]
        {
            let (found, read) = find(&all, 0, &wanted);
            let expected: Vec<u64> =
                wanted.iter().copied().filter(|token| token % 3 == 0).collect();
            assert_eq!(found, expected, "of {wanted:?}");
            let looks = 1 + 12 * wanted.len();
            assert!(read <= looks * PAGE, "{read} entries were read for {wanted:?}");
        }
        let every: Vec<u64> = (1..=2000).collect();
        let (found, read) = find(&all, 0, &every);
        assert_eq!(found.len(), 666);
        assert!(read <= 2000, "{read} of 2000 were read");
    }

    #[test]
    fn what_was_retained_too_long_ago_is_no_commands() {
        let log = log_of(300);
        let all = log.clone().page(LedgerId(1), 0, usize::MAX).unwrap();
        let gone = all.iter().find(|entry| token(entry) == Some(60)).unwrap().sequence;
        assert_eq!(find(&all, gone, &[3, 60, 63]).0, [63]);
        assert!(find(&all, gone, &[3, 60]).0.is_empty());
        assert!(find(&all, gone, &[400]).0.is_empty(), "it was never retained");
    }

    /// What is found of `wanted` in a log without the entries up to `gone`, and how many were read.
    fn find(all: &[Entry], gone: u64, wanted: &[u64]) -> (Vec<u64>, usize) {
        let mut read = 0;
        let tokens = wanted.iter().map(|token| Token::new(*token).unwrap()).collect();
        let found = search(tokens, |after| {
            let later = all.iter().filter(|entry| entry.sequence > after.max(gone));
            let entries: Vec<Entry> =
                later.filter(|entry| token(entry).is_some()).take(PAGE).cloned().collect();
            read += entries.len();
            let end = all.len() as u64;
            let reached = if entries.len() < PAGE { end } else { entries[PAGE - 1].sequence };
            Ok(Stretch { begin: 0, entries, reached, end })
        });
        (found.unwrap().iter().map(|token| token.get()).collect(), read)
    }

    /// A log of so many retentions, most of them released at once; every third one was a command's.
    fn log_of(retentions: u64) -> MemoryLog {
        let log = MemoryLog::default();
        let command = Pool::options().local().open_log(log.clone()).unwrap();
        command.install(SAMPLE_LICENSE.as_bytes()).unwrap();
        let process = Pool::options().server("west".parse().unwrap());
        let process = process.open_log(log.clone()).unwrap();
        for token in 1..=retentions {
            let session = format!("job-{token}");
            let pool = if token % 3 == 0 { &command } else { &process };
            let by = Session::rest("ann", session.clone(), "127.0.0.1");
            let seat = pool.retain(PRODUCT, &session, by).unwrap();
            assert_eq!(seat.token().get(), token);
            if token % 10 == 0 {
                seat.keep();
            } else {
                seat.release().unwrap();
            }
        }
        log
    }

    fn token(entry: &Entry) -> Option<u64> {
        match &entry.event {
            Event::Retained(retained) => Some(retained.token.get()),
            _ => None,
        }
    }
}
