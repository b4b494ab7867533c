//! The log: its entries so far (history), and new ones as they are appended (events).
//!
//! Both are streams that read the log in pages. A history that cannot be sent to its end breaks off,
//! which HTTP shows to the client, so that nobody takes a part for the whole.
//!
//! A stream of events begins with a comment, or with the `id` from which it goes on. If nothing happens
//! it sends a comment every 15 seconds, so that both sides notice when the other is gone. An event
//! `reset` says that what the client has seen does not lead to what comes: the store was put back, or
//! entries in between were deleted.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use license_pool::{Line, Pool, Selection};
use license_types::{Count, Entry, LogReset, ProblemCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};

use crate::answer::{EVENTS, NDJSON, body};
use crate::call::Call;
use crate::checked;
use crate::failure::Failure;
use crate::routes::Answer;
use crate::state::State;

/// How many entries are read at once.
const PAGE: usize = 512;

/// How long a stream waits after it sent entries, to send those of the meantime together: on a busy
/// server each follower would otherwise be woken and written to for each commit.
const TOGETHER: Duration = Duration::from_millis(10);

/// Bytes of an event beside its data, roughly: its id and the names of the fields.
const BESIDE: usize = 32;

/// How often a stream on which nothing happens sends a comment, to notice that its client has gone.
const QUIET: Duration = Duration::from_secs(15);

/// `GET /v1/licenses/{n}/history`
pub(super) async fn history(call: &Call) -> Answer {
    let mut pages = History {
        pool: call.pool(),
        wanted: call.parameters.selection(),
        after: call.parameters.after.unwrap_or(0),
        left: call.parameters.limit.unwrap_or(u64::MAX),
        begun: false,
    };
    // The first page is read before the answer begins, since it may find that there is no such license.
    let first = pages.next().await?;
    let rest = stream::unfold((pages, false), async |(mut pages, failed)| {
        if failed {
            return None;
        }
        match pages.next().await {
            Ok(None) => None,
            Ok(Some(page)) => Some((Ok(page), (pages, false))),
            // Breaks the answer off, so that nobody takes a part for the whole.
            Err(Failure { problem, .. }) => {
                tracing::warn!(detail = problem.detail, "a history breaks off");
                Some((Err(std::io::Error::other(problem.detail)), (pages, true)))
            }
        }
    });
    let first = stream::iter(first.map(Ok));
    let content = Body::from_stream(first.chain(rest));
    Ok(body(StatusCode::OK, NDJSON, content))
}

/// A history that is being sent.
struct History {
    pool: Pool,
    wanted: Selection,
    after: u64,
    left: u64,
    /// Whether any line was sent.
    begun: bool,
}

impl History {
    /// The next lines, at least one; none at the end. Fails if entries were deleted between those that
    /// were sent and those that come next, since nobody would notice the gap.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while self.left > 0 {
            let limit = usize::try_from(self.left).unwrap_or(PAGE).min(PAGE);
            let page = self.pool.stretch(self.after, limit, self.wanted.clone()).await?;
            if self.begun && page.begin > self.after + 1 {
                let detail = "entries were deleted before they could be told: ask again";
                return Err(Failure::new(ProblemCode::StoreUnavailable, detail));
            }
            let is_end = page.reached == page.end;
            self.after = page.reached;
            self.left -= u64::try_from(page.entries.len()).unwrap_or(self.left).min(self.left);
            if is_end {
                self.left = 0;
            }
            if !page.entries.is_empty() {
                self.begun = true;
                let lines: String = page.entries.iter().map(|entry| line(entry) + "\n").collect();
                return Ok(Some(lines.into()));
            }
        }
        Ok(None)
    }
}

fn line(entry: &Entry) -> String {
    let line = serde_json::to_string(entry).expect("an entry has only text keys");
    checked::check_line("entry", line.as_bytes());
    line
}

/// `GET /v1/licenses/{n}/events`
pub(super) async fn events(call: &Call) -> Answer {
    let last = call.parameters.after;
    let place = call.state.place()?;
    // One that is installed beside it later, or takes its place, must not end what is followed.
    let pool = match (call.pool(), &call.parameters.license) {
        (pool, Some(_)) => pool,
        (pool, None) => match pool.info_async().await? {
            Some(info) => pool.license(info.license_number),
            None => pool,
        },
    };
    let head = pool.head_async().await?.sequence;
    let after = last.unwrap_or(head);
    // A log that ends before was put back: what the client knows of it is not so any more.
    let reset = after > head;
    let follow = Follow {
        state: call.state.clone(),
        pool,
        after: if reset { head } else { after },
        last: None,
        told: None,
        _place: place,
        greeting: Some(match last {
            Some(_) if reset => told_reset(head),
            Some(_) => ": following\n\n".to_owned(),
            // Whoever loses the connection before anything happens knows from where to go on.
            None => format!("id: {head}\n: following\n\n"),
        }),
    };
    let events = stream::unfold(follow, async |mut follow| {
        let text = follow.next().await?;
        Some((Ok::<Bytes, Infallible>(text.into()), follow))
    });
    let events = events.take_until(call.ended());
    Ok(body(StatusCode::OK, EVENTS, Body::from_stream(events)))
}

/// A stream of events.
struct Follow {
    state: State,
    pool: Pool,
    after: u64,
    /// The entry that was sent last.
    last: Option<Arc<Line>>,
    /// When that was sent, if it was the newest.
    told: Option<Instant>,
    /// Bounds how many streams there are.
    _place: OwnedSemaphorePermit,
    greeting: Option<String>,
}

impl Follow {
    /// What happened since. The stream ends when the server stops, or the store fails.
    async fn next(&mut self) -> Option<String> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let drained = self.state.drained();
        tokio::select! {
            () = drained => None,
            page = self.page() => page,
        }
    }

    async fn page(&mut self) -> Option<String> {
        if let Some(told) = self.told.take() {
            sleep_until(told + TOGETHER).await;
        }
        // With nothing new for that long, look whether the log now ends earlier.
        let lines = match timeout(QUIET, self.pool.follow(self.after, PAGE)).await {
            Err(_) => return Some(self.quiet().await),
            Ok(lines) => lines.ok()?,
        };
        let (first, last) = (lines.first()?, lines.last()?);
        // They do not follow if entries were deleted, or the store was put back and went on from there.
        let follows = match &self.last {
            Some(last) => first.follows(last),
            None => first.sequence() == self.after + 1,
        };
        let mut events = if follows { String::new() } else { told_reset(self.after) };
        events.reserve(lines.iter().map(|line| line.json().len() + BESIDE).sum());
        (self.after, self.last) = (last.sequence(), Some(last.clone()));
        // After a full page there is more: send that without a pause.
        self.told = (lines.len() < PAGE).then(Instant::now);
        for line in &lines {
            let (sequence, json) = (line.sequence(), line.json());
            checked::check_line("entry", json.as_bytes());
            // Writing to a `String` cannot fail.
            let _ = write!(events, "id: {sequence}\ndata: {json}\n\n");
        }
        Some(events)
    }

    /// A comment, so that a client that has gone is noticed; or a reset, if the log now ends earlier.
    async fn quiet(&mut self) -> String {
        match self.pool.head_async().await {
            Ok(head) if head.sequence < self.after => {
                (self.after, self.last) = (head.sequence, None);
                told_reset(head.sequence)
            }
            Ok(_) | Err(_) => ": quiet\n\n".to_owned(),
        }
    }
}

/// The event that says that what the client has seen does not lead to what comes.
fn told_reset(after: u64) -> String {
    let reset = LogReset { sequence: Count::new(after).expect("no log is longer") };
    let data = serde_json::to_string(&reset).expect("a reset has only text keys");
    checked::check_line("log-reset", data.as_bytes());
    format!("id: {after}\nevent: reset\ndata: {data}\n\n")
}
