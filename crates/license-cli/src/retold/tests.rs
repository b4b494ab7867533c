//! A history of which the oldest entries are deleted while it is read.

use std::ops::Range;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use license_core::Part;
use license_pool::{
    ChainCheck, HistoryPage, ManualClock, Pool, SAMPLE_LICENSE, Selection, Session, Target,
};
use license_types::{
    Availability, Entry, InstallReceipt, LicenseInfo, ProductDay, ProductId, ReleaseReceipt,
    RenewReceipt, RetainReceipt, ServerName, ServerStatus, SessionId, SessionState, StoreCheck,
    Token,
};

use super::{Question, tell, verify};
use crate::failure::Failure;
use crate::licenses::{EachPage, Held, Installation, Licenses, Wanted};

/// What is left of a log; when it was asked for so many times, some of its entries go.
struct Shrinking {
    pool: Pool,
    entries: Vec<Entry>,
    asked: usize,
    goes_at: usize,
}

impl Shrinking {
    fn asked(&mut self) {
        self.asked += 1;
        if self.asked == self.goes_at {
            self.entries.drain(..20);
        }
    }

    /// Some of the entries after a sequence.
    fn page(&mut self, after: u64) -> Vec<Entry> {
        self.asked();
        let entries = self.entries.iter().filter(|entry| entry.sequence.get() > after);
        entries.take(7).cloned().collect()
    }
}

impl Licenses for Shrinking {
    fn first(&mut self) -> Result<Option<Entry>, Failure> {
        self.asked();
        Ok(self.entries.first().cloned())
    }

    fn history(&mut self, wanted: Selection, each: EachPage<'_>) -> Result<(), Failure> {
        let mut reached = 0;
        loop {
            let page = self.page(reached);
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let begin = first.sequence.get();
            reached = last.sequence.get();
            let kinds = &wanted.kinds;
            let takes = |entry: &Entry| kinds.is_empty() || kinds.contains(&entry.event.kind());
            let entries = page.into_iter().filter(takes).collect();
            each(HistoryPage { begin, entries, reached, end: reached })?;
        }
    }

    fn usage(&mut self, _: Option<&ServerName>, _: bool) -> Result<Vec<Held>, Failure> {
        self.asked();
        let held = self.pool.usage(None).unwrap().into_iter();
        Ok(held.map(|retention| Held { server: None, retention }).collect())
    }

    fn info(&mut self) -> Result<Option<LicenseInfo>, Failure> {
        self.asked();
        Ok(self.pool.info().unwrap())
    }

    fn holding(&mut self, _: &SessionId) -> Result<Vec<Token>, Failure> {
        unreachable!("all sessions are asked for")
    }

    fn install(&mut self, _: &Installation<'_>) -> Result<InstallReceipt, Failure> {
        unreachable!("figures are only read")
    }

    fn availability(&mut self, _: ProductId) -> Result<Availability, Failure> {
        unreachable!("figures are of the past")
    }

    fn retain(&mut self, _: Wanted) -> Result<RetainReceipt, Failure> {
        unreachable!("figures are only read")
    }

    fn renew(&mut self, _: &SessionId, _: Option<SessionState>) -> Result<RenewReceipt, Failure> {
        unreachable!("figures are only read")
    }

    fn release(&mut self, _: Target) -> Result<ReleaseReceipt, Failure> {
        unreachable!("figures are only read")
    }

    fn verify(&mut self, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Failure> {
        let mut entries: Vec<Result<Entry, Failure>> = Vec::new();
        self.history(Selection::default(), &mut |page| {
            entries.extend(page.entries.into_iter().map(Ok));
            Ok(())
        })?;
        ChainCheck::of(entries, reached)
    }

    fn days(&mut self, _: Range<Timestamp>) -> Result<Vec<ProductDay>, Failure> {
        unreachable!("these are told anew")
    }

    fn successor(&mut self) -> Result<Option<String>, Failure> {
        unreachable!("figures are told of a sealed store too")
    }

    fn servers(&mut self) -> Result<Vec<ServerStatus>, Failure> {
        unreachable!("figures are of all servers")
    }

    fn check(&mut self) -> Result<StoreCheck, Failure> {
        unreachable!("figures believe the log")
    }
}

/// A license that one held all along, and each day another for an hour.
fn thirty_days() -> (Pool, Vec<Entry>) {
    let clock = Arc::new(ManualClock::new("2026-01-05T10:00:00Z".parse().unwrap()));
    let pool = Pool::options().clock(clock.clone()).open("memory:").unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    let retain = |session: &str| pool.retain("0009", session, Session::rest("ann", session, "::1"));
    retain("kept").unwrap().keep();
    for day in 0..30 {
        let seat = retain(&format!("job-{day}")).unwrap();
        clock.advance(SignedDuration::from_hours(1));
        seat.release().unwrap();
        clock.advance(SignedDuration::from_hours(23));
    }
    let entries = pool.history().map(Result::unwrap).collect();
    (pool, entries)
}

#[test]
fn what_is_deleted_while_it_is_read_changes_no_figure() {
    let (pool, entries) = thirty_days();
    let now = entries.last().unwrap().time.timestamp();
    let told = |entries: &[Entry], goes_at| {
        let (pool, entries) = (pool.clone(), entries.to_vec());
        let mut licenses = Shrinking { pool, entries, asked: 0, goes_at };
        let question = Question {
            part: Part::default(),
            zone: TimeZone::get("Asia/Kolkata").unwrap(),
            within: Timestamp::MIN..Timestamp::MAX,
        };
        let told = tell(&mut licenses, &question, now, &mut |_, _| ());
        (told.unwrap_or_else(|failure| panic!("{}", failure.in_one_line())), licenses.asked)
    };
    let (whole, asked) = told(&entries, 0);
    assert_eq!(whole.since, None);
    for left in [&entries[..], &entries[5..]] {
        for goes_at in 2..=asked {
            let (shrunk, _) = told(left, goes_at);
            let since = shrunk
                .since
                .map_or(String::new(), |it| (it + SignedDuration::from_hours(6)).to_string());
            let expected: Vec<_> = whole
                .days
                .iter()
                .filter(|day| *day.date.to_string() >= since[..since.len().min(10)])
                .collect();
            assert!(shrunk.days.iter().eq(expected), "{goes_at}: {:?}", shrunk.days);
            assert!(shrunk.days.len() > 10, "{goes_at}");
        }
    }
}

#[test]
fn what_is_deleted_while_it_is_verified_is_no_fault() {
    let (pool, entries) = thirty_days();
    for goes_at in 1..12 {
        let (pool, entries) = (pool.clone(), entries.clone());
        let mut licenses = Shrinking { pool, entries, asked: 0, goes_at };
        let check = verify(&mut licenses, &mut |_| ()).unwrap_or_else(|_| panic!("{goes_at}"));
        assert!(check.fault.is_none(), "{goes_at}: {check:?}");
        assert_eq!(check.last, 62, "{goes_at}");
    }
    for missing in [1, 30] {
        let (pool, mut entries) = (pool.clone(), entries.clone());
        entries.remove(missing);
        let mut licenses = Shrinking { pool, entries, asked: 0, goes_at: 0 };
        let check = verify(&mut licenses, &mut |_| ()).unwrap_or_else(|_| panic!("{missing}"));
        assert!(check.fault.is_some(), "somebody else deleted entry {}", missing + 1);
    }
}
