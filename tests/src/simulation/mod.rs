//! A deterministic simulation of servers that share a store: everything that can go wrong goes wrong,
//! from one seed, and an independent reading of the log judges every reply.
//!
//! Time, clocks, the network, the store's failures, crashes and the wishes of the clients are drawn
//! from the seed; the engine itself is the real one, driven without its thread. Clients hold by a
//! lease, by a seat of a library that they run in, or by what a single command retained; some wait in
//! line, some go by several products in one session and through several servers, some sleep, some
//! are renewed in lists, and some release whatever they hold by then. Servers spread the ledgers over
//! several connections.
//! Leases and graces differ between servers, the store takes its time in the middle of what a
//! server does, and clocks are said to be right. Licenses are replaced while they are held and
//! uninstalled while they are not, principals hold no more than they may, snapshots are written, and
//! the old entries that they know are deleted. What is checked:
//!
//! - the log: consecutive entries and tokens, no time that steps back, nothing sold twice, nothing
//!   released twice, counters that add up (the module `truth`);
//! - every reply against the log between the arrival of its request and the reply;
//! - what a client may rely on: while its lease runs, counted from when it sent the request, nobody
//!   releases its license, whatever servers, clocks and stores do; a seat lives as long as its
//!   process shows that it lives, and what a command retained until it is released, as long as its
//!   entry is kept;
//! - that nobody is overtaken who waits in line, nor waits for what is free (the module `line`);
//! - that nothing is deleted too early, and that whoever reads what is left knows all that there was
//!   (the module `past`);
//! - the end: when all is calm again, what dead clients and dead servers held becomes free in time.

#![allow(clippy::print_stderr, reason = "a run can be told")]

use std::fmt;
use std::ops::AddAssign;

mod chaos;
mod client;
mod clock;
mod judge;
mod line;
mod link;
mod orders;
mod past;
mod process;
mod replies;
mod scenario;
mod truth;
mod wishes;
mod world;

/// A lie told to the engine by its clock or its log: what the engine would do if one of its guards
/// were missing. The simulation must notice each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A turn begins with what its server remembers, not with what the log says.
    NoHeadCheck,
    /// A commit is confirmed before it is durable, and some are lost.
    ReplyBeforeDurability,
    /// Leases run by a clock that can be set.
    LeaseByWallClock,
    /// A clock that shows the year 2099 for a minute is believed.
    FarFutureBelieved,
    /// After a clock was set back by a year, time stands still.
    TimeStandsStill,
    /// After a restart the last token is given out again.
    TokenReused,
    /// A release is written down twice.
    ReleaseTwice,
    /// A server answers from memory, though others took over its sessions.
    AnswerFromMemory,
    /// A commit whose answer was lost is taken for one that was not made.
    UnknownTakenForFailed,
}

impl Planted {
    /// Every one.
    pub const ALL: [Planted; 9] = [
        Planted::NoHeadCheck,
        Planted::ReplyBeforeDurability,
        Planted::LeaseByWallClock,
        Planted::FarFutureBelieved,
        Planted::TimeStandsStill,
        Planted::TokenReused,
        Planted::ReleaseTwice,
        Planted::AnswerFromMemory,
        Planted::UnknownTakenForFailed,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Planted::NoHeadCheck => "no-head-check",
            Planted::ReplyBeforeDurability => "reply-before-durability",
            Planted::LeaseByWallClock => "lease-by-wall-clock",
            Planted::FarFutureBelieved => "far-future-believed",
            Planted::TimeStandsStill => "time-stands-still",
            Planted::TokenReused => "token-reused",
            Planted::ReleaseTwice => "release-twice",
            Planted::AnswerFromMemory => "answer-from-memory",
            Planted::UnknownTakenForFailed => "unknown-taken-for-failed",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Planted> {
        Planted::ALL.into_iter().find(|planted| planted.name() == name)
    }
}

/// What happened in a run that found nothing wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How often a server was driven.
    pub steps: u64,
    /// Replies that were judged.
    pub replies: u64,
    /// Entries that were judged.
    pub entries: u64,
    /// Licenses that were granted.
    pub grants: u64,
    /// Servers that crashed.
    pub crashes: u64,
    /// Sessions' servers that were declared dead.
    pub adoptions: u64,
    /// Commits without an answer.
    pub unknown: u64,
    /// Times the store went back to an earlier state of itself.
    pub restored: u64,
    /// Clients that were granted a license after they had waited in line.
    pub waited: u64,
    /// Renewals that came in a list.
    pub listed: u64,
    /// Steps that waited for the store.
    pub stalls: u64,
    /// Clocks that were said to be right.
    pub corrected: u64,
    /// Licenses that replaced one.
    pub replaced: u64,
    /// Licenses that were uninstalled.
    pub uninstalled: u64,
    /// Snapshots that were there in the end.
    pub snapshots: u64,
    /// Entries that were deleted.
    pub deleted: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.steps += other.steps;
        self.replies += other.replies;
        self.entries += other.entries;
        self.grants += other.grants;
        self.crashes += other.crashes;
        self.adoptions += other.adoptions;
        self.unknown += other.unknown;
        self.restored += other.restored;
        self.waited += other.waited;
        self.listed += other.listed;
        self.stalls += other.stalls;
        self.corrected += other.corrected;
        self.replaced += other.replaced;
        self.uninstalled += other.uninstalled;
        self.snapshots += other.snapshots;
        self.deleted += other.deleted;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            steps, replies, entries, grants, crashes, adoptions, unknown, restored, ..
        } = self;
        let Tally { waited, listed, stalls, corrected, replaced, uninstalled, .. } = self;
        let Tally { snapshots, deleted, .. } = self;
        write!(
            f,
            "{steps} steps, {replies} replies, {entries} entries, {grants} grants ({waited} after a \
             wait), {listed} renewals in lists, {crashes} crashes, {adoptions} adoptions, {unknown} commits without an answer, \
             {restored} restored backups, {stalls} waits for the store, {corrected} corrected clocks, \
             {replaced} replaced licenses, {uninstalled} uninstalled, {snapshots} snapshots, {deleted} \
             entries deleted"
        )
    }
}

/// What a run found.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// When, in milliseconds of the run.
    pub at: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} at {} ms: {}", self.seed, self.at, self.what)
    }
}

/// Runs the world of one seed.
///
/// # Errors
/// The first thing that is wrong.
pub fn run(seed: u64, planted: Option<Planted>) -> Result<Tally, Failure> {
    world::World::new(seed, planted, false).run()
}

/// Runs the world of one seed, and tells on stderr what happens in it.
///
/// # Errors
/// The first thing that is wrong.
pub fn tell(seed: u64, planted: Option<Planted>) -> Result<Tally, Failure> {
    world::World::new(seed, planted, true).run()
}
