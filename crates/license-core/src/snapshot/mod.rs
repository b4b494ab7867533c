//! Snapshots: a whole ledger as bytes, so that it can be read back without its log.
//!
//! A snapshot is a sequence of items, cut into chunks at items, so that it can be written and read
//! in small pieces. The items are written as [postcard](https://postcard.jamesmunns.com) has it: a
//! varint for the kind of item, in the order of [`Item`], then its fields in order. The first item
//! is the [`Start`], which tells the version; names that many items share follow where they are
//! first needed and are numbered from 0 in that order, each sort on its own; then every retention in
//! the order of the tokens, and the end. The digest of the last chunk is the SHA-256 of all chunks.
//!
//! The same ledger gives the same bytes everywhere. What a snapshot says is believed only whole: if
//! the digest is not that of its bytes, or anything in it contradicts itself, there is no ledger.

use std::{collections::BTreeMap, sync::Arc};

use license_types::{Principal, SessionId, SessionState};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Digest, Head, Identity, Ledger,
    day::{Day, Refused},
    figure::Running,
    session::{self, Live, Session},
    tokens::Tokens,
};

mod restore;

pub use restore::{Restoration, RestoreError};

/// The version that the first item states; the only one that is read. Changing it takes a new format
/// of the stores: the entries that a snapshot covers may be deleted, so a program that could not read
/// the snapshot would be left with nothing.
const VERSION: u64 = 1;

/// How many bytes a chunk has at least, but for the last.
const CHUNK: usize = 256 * 1024;

/// A piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of all chunks up to this one; only the last chunk has it.
    pub digest: Option<Digest>,
}

/// A ledger at one moment, to be written chunk by chunk while the ledger goes on. It shares the
/// retentions with the ledger, and lets go of them as it is written.
#[derive(Clone, Debug)]
pub struct Snapshot {
    head: Head,
    held: u64,
    /// What is still to be written.
    retentions: Tokens<Live>,
    ended: bool,
    bytes: Vec<u8>,
    names: Names,
    told: u64,
    hasher: Sha256,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly all items are of the largest one")]
enum Item<'a> {
    #[serde(borrow)]
    Start(Box<Start<'a>>),
    Server(&'a str),
    Principal(&'a str),
    Reason(&'a str),
    ProductName(&'a str),
    #[serde(borrow)]
    Retention(Retention<'a>),
    /// How many retentions there were.
    End(u64),
}

/// All that a ledger knows beside what is held.
#[derive(Serialize, Deserialize)]
struct Start<'a> {
    version: u64,
    sequence: u64,
    chain: [u8; 32],
    /// Of the last entry, in milliseconds of the epoch, as all times here.
    time: i64,
    last_token: u64,
    /// The text of the license that is in force.
    license: Option<&'a str>,
    #[serde(borrow)]
    numbers: Vec<&'a str>,
    /// In the order in which they are listed.
    #[serde(borrow)]
    products: Vec<Product<'a>>,
    #[serde(borrow)]
    day: Today<'a>,
}

#[derive(Serialize, Deserialize)]
struct Product<'a> {
    id: u64,
    name: &'a str,
    listed: bool,
    used: u64,
    running: Running,
}

/// The day that runs.
#[derive(Serialize, Deserialize)]
struct Today<'a> {
    now: i64,
    start: Option<i64>,
    refused: Vec<(u64, Refused)>,
    #[serde(borrow)]
    sessions: Vec<(u64, &'a str)>,
    /// In the order of time.
    #[serde(borrow)]
    hopes: Vec<(i64, u64, &'a str)>,
    #[serde(borrow)]
    gone: Vec<(u64, &'a str, Running)>,
}

#[derive(Serialize, Deserialize)]
struct Retention<'a> {
    token: u64,
    time: i64,
    product: u64,
    product_name: u64,
    used_count: u64,
    balance: u64,
    global_used_count: u64,
    reason: u64,
    lease_seconds: Option<u64>,
    principal: Option<u64>,
    digest: [u8; 32],
    /// Absent where it was erased.
    #[serde(borrow)]
    description: Option<Description<'a>>,
    #[serde(borrow)]
    holder: Holder<'a>,
}

#[derive(Serialize, Deserialize)]
struct Description<'a> {
    text: &'a str,
    state: u8,
    has_token: bool,
}

#[derive(Serialize, Deserialize)]
enum Holder<'a> {
    /// A session that holds nothing of a lower token.
    New { id: &'a str, server: u64, principal: Option<u64>, state: u8, described: Vec<[u8; 32]> },
    /// The one that holds this token.
    Of(u64),
}

impl Ledger {
    /// The ledger as bytes, in chunks. However much is held, beginning takes only a moment: no
    /// retention is copied.
    ///
    /// ```
    /// use license_core::{Event, Ledger, Restoration, Stamp};
    ///
    /// let mut ledger = Ledger::new();
    /// let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), "2026-01-05T10:00Z".parse()?);
    /// ledger.apply(&entry)?;
    ///
    /// let mut restoration = Restoration::new();
    /// let mut digest = None;
    /// for chunk in ledger.snapshot() {
    ///     restoration.read(&chunk.bytes)?;
    ///     digest = chunk.digest;
    /// }
    /// let restored = restoration.finish(digest.expect("the last chunk has a digest"))?;
    /// assert_eq!(restored.head(), ledger.head());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let mut bytes = Vec::new();
        write(&mut bytes, &Item::Start(Box::new(self.start())));
        Snapshot {
            head: self.head,
            held: self.held_count(),
            retentions: self.retentions.clone(),
            ended: false,
            bytes,
            names: Names::default(),
            told: 0,
            hasher: Sha256::new(),
        }
    }

    fn start(&self) -> Start<'_> {
        Start {
            version: VERSION,
            sequence: self.head.sequence,
            chain: *self.head.chain.bytes(),
            time: self.time.as_millisecond(),
            last_token: self.last_token,
            license: self.license.as_deref().map(|license| license.text()),
            numbers: self.license_numbers().collect(),
            products: self
                .listed_products()
                .map(|(id, product)| Product {
                    id: id.get(),
                    name: &product.name,
                    listed: product.rights.is_some(),
                    used: product.used,
                    running: product.running.clone(),
                })
                .collect(),
            day: today(&self.day),
        }
    }
}

fn today(day: &Day) -> Today<'_> {
    Today {
        now: day.now,
        start: day.start,
        refused: day.refused.iter().map(|(id, refused)| (id.get(), *refused)).collect(),
        sessions: day.sessions.iter().map(|(id, session)| (id.get(), session.as_str())).collect(),
        hopes: day
            .queue
            .iter()
            .map(|(until, (id, session))| (*until, id.get(), session.as_str()))
            .collect(),
        gone: day.gone.iter().map(|(id, (name, it))| (id.get(), &**name, it.clone())).collect(),
    }
}

/// The names that were written, and their numbers.
#[derive(Clone, Debug, Default)]
struct Names {
    servers: Told,
    principals: Told,
    reasons: Told,
    products: Told,
}

type Told = BTreeMap<Box<str>, u64>;

impl Snapshot {
    /// Where the log ended.
    pub fn head(&self) -> Head {
        self.head
    }

    /// How many retentions were live.
    pub fn held_count(&self) -> u64 {
        self.held
    }

    /// The sessions that held something, but for those that were written already.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<SessionId>> {
        let firsts = self.retentions.values();
        let firsts = firsts.filter(|live| matches!(live.holder, session::Holder::First(_)));
        firsts.map(|live| &live.record.session)
    }
}

impl Iterator for Snapshot {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.ended {
            return None;
        }
        while self.bytes.len() < CHUNK {
            let Some(page) = self.retentions.pop_first() else {
                self.ended = true;
                write(&mut self.bytes, &Item::End(self.told));
                break;
            };
            for live in page.values() {
                tell(live, &mut self.bytes, &mut self.names);
                self.told += 1;
            }
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.hasher.update(&bytes);
        let digest = self.ended.then(|| Digest::from_hasher(self.hasher.clone()));
        Some(Chunk { bytes, digest })
    }
}

fn tell(live: &Live, out: &mut Vec<u8>, names: &mut Names) {
    let record = &*live.record;
    let principal = principal(&live.principal, out, names);
    let holder = match &live.holder {
        session::Holder::First(session) => new(session, &record.session, out, names),
        session::Holder::Of(first) => Holder::Of(first.get()),
    };
    let product_name = number(&mut names.products, out, &record.product_name, Item::ProductName);
    let reason = number(&mut names.reasons, out, record.reason.as_str(), Item::Reason);
    let retention = Retention {
        token: record.token.get(),
        time: live.time.as_millisecond(),
        product: record.product.get(),
        product_name,
        used_count: record.used_count,
        balance: record.balance,
        global_used_count: record.global_used_count,
        reason,
        lease_seconds: record.lease_seconds.map(|lease| lease.get()),
        principal,
        digest: *record.identity.digest().bytes(),
        description: description(&record.identity),
        holder,
    };
    write(out, &Item::Retention(retention));
}

fn description(identity: &Identity) -> Option<Description<'_>> {
    identity.kept().map(|kept| Description {
        text: kept.text(),
        state: state(kept.state()),
        has_token: kept.has_token(),
    })
}

fn principal(
    principal: &Option<Arc<Principal>>,
    out: &mut Vec<u8>,
    names: &mut Names,
) -> Option<u64> {
    let name = principal.as_deref()?.as_str();
    Some(number(&mut names.principals, out, name, Item::Principal))
}

fn new<'l>(
    session: &'l Session,
    id: &'l SessionId,
    out: &mut Vec<u8>,
    names: &mut Names,
) -> Holder<'l> {
    Holder::New {
        id: id.as_str(),
        principal: principal(&session.principal, out, names),
        server: number(&mut names.servers, out, session.server.as_str(), Item::Server),
        state: state(session.state),
        described: session.described().iter().map(|digest| *digest.bytes()).collect(),
    }
}

/// 0 for none, else its place among all states, from 1.
fn state(state: Option<SessionState>) -> u8 {
    match state {
        None => 0,
        Some(SessionState::Active) => 1,
        Some(SessionState::Postponed) => 2,
        Some(SessionState::Sleeping) => 3,
    }
}

/// The number of a name. A new name is written first.
fn number<'l>(
    told: &mut Told,
    out: &mut Vec<u8>,
    name: &'l str,
    item: impl Fn(&'l str) -> Item<'l>,
) -> u64 {
    if let Some(number) = told.get(name) {
        return *number;
    }
    let number = told.len() as u64;
    told.insert(name.into(), number);
    write(out, &item(name));
    number
}

fn write(bytes: &mut Vec<u8>, item: &Item<'_>) {
    struct Sink<'b>(&'b mut Vec<u8>);
    impl Extend<u8> for Sink<'_> {
        fn extend<T: IntoIterator<Item = u8>>(&mut self, more: T) {
            self.0.extend(more);
        }
    }
    postcard::to_extend(item, Sink(bytes)).expect("a growing buffer takes every item");
}
