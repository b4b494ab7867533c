//! A server's way to the store: it fails, loses answers, and lies where a fault is planted.

use std::mem;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use license_core::{Entry, Event};
use license_pool::Driver;
use license_pool::log::{
    Append, Asked, Found, LedgerId, Log, LogError, Mark, MemoryLog, News, Since, Turn, TurnError,
};
use license_types::Token;

use super::Planted;
use crate::around::{Around, Outside};

/// How badly a way to the store treats its server; shared with the world.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) rng: Rng,
    /// The store cannot be reached.
    pub(super) away: bool,
    /// By this handle alone, if any.
    pub(super) away_for: Option<u8>,
    /// How many handles it has, beside the first.
    pub(super) handles: u8,
    /// In a thousand.
    pub(super) fails: u64,
    pub(super) unanswered: u64,
    pub(super) crashes: u64,
    /// The process died in a turn.
    pub(super) crashed: bool,
    /// Commits without an answer.
    pub(super) unknown: u64,
    /// The store went away in the middle of a commit just now.
    pub(super) lost: bool,
    pub(super) planted: Option<Planted>,
    /// Whether the process was started again: then a planted fault forgets a token.
    pub(super) restarted: bool,
    /// Where the step that runs is to wait for the store.
    pub(super) stall: Option<Stall>,
}

/// A wait for the store in the middle of a step, while the world goes on.
#[derive(Debug)]
pub(super) struct Stall {
    /// So many times the store is reached at once before, or answers.
    pub(super) before: u64,
    pub(super) tell: Sender<Told>,
    /// Tells when it is over, or that the process is no more.
    pub(super) over: Receiver<()>,
}

/// What becomes of a step that may wait for the store.
pub(super) enum Told {
    Waits,
    /// It is done; the process is driven again then.
    Done(Box<Driver>, Option<Duration>),
}

impl Trouble {
    fn happens(&mut self, chance: u64) -> bool {
        chance > 0 && self.rng.u64(0..1000) < chance
    }

    fn is_away(&self, handle: u8) -> bool {
        self.away && self.away_for.is_none_or(|only| only == handle)
    }
}

/// The log as one server reaches it.
pub(super) struct Link {
    store: MemoryLog,
    /// The store, as no server has it.
    plain: MemoryLog,
    trouble: Arc<Mutex<Trouble>>,
    /// Its number among those of the server.
    handle: u8,
}

impl Link {
    pub(super) fn log(store: MemoryLog, trouble: Arc<Mutex<Trouble>>) -> Outside<Link> {
        Outside(Link { plain: store.clone(), store, trouble, handle: 0 })
    }

    /// The store takes its time, where it is to.
    fn pass(&self) {
        let mut trouble = self.trouble();
        let crashed = trouble.crashed;
        match trouble.stall.take() {
            Some(Stall { before: 0, tell, over }) if !crashed => {
                drop(trouble);
                if tell.send(Told::Waits).is_ok() {
                    let _ = over.recv();
                }
            }
            Some(stall) => {
                trouble.stall = Some(Stall { before: stall.before.saturating_sub(1), ..stall });
            }
            None => {}
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Around for Link {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.store
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        self.pass();
        let mut trouble = self.trouble();
        let fails = trouble.fails;
        if trouble.crashed || trouble.is_away(self.handle) || trouble.happens(fails) {
            Err(unavailable(action))
        } else {
            Ok(())
        }
    }

    fn written(&mut self, action: &'static str) -> Result<(), LogError> {
        self.pass();
        let mut trouble = self.trouble();
        let Trouble { unanswered, crashes, .. } = *trouble;
        trouble.crashed = trouble.happens(crashes);
        if trouble.crashed || trouble.happens(unanswered) {
            return Err(unavailable(action));
        }
        Ok(())
    }

    fn for_writer(&self) -> Option<Box<dyn Log>> {
        let (store, plain, trouble) =
            (self.store.clone(), self.plain.clone(), self.trouble.clone());
        let mut shared = self.trouble();
        shared.handles += 1;
        Some(Box::new(Outside(Link { store, plain, trouble, handle: shared.handles })))
    }

    fn for_archivist(&self) -> Option<Box<dyn Log>> {
        Some(Box::new(Link::log(self.plain.clone(), self.trouble.clone())))
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.reach("begin").map_err(TurnError::Dropped)?;
        let (trouble, lie, handle) = (self.trouble.clone(), self.trouble().planted, self.handle);
        let mut fate = Fate::Committed;
        let mut lied = |news: News| {
            let news = if lie == Some(Planted::NoHeadCheck) { stale(asked, news) } else { news };
            let mut turn = decide(news);
            if turn.appends.is_empty() && turn.ends.is_empty() {
                return turn;
            }
            let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
            fate = Fate::of(&mut trouble, handle);
            match lie {
                Some(Planted::ReplyBeforeDurability) if trouble.happens(50) => {
                    return Turn::default();
                }
                Some(Planted::ReleaseTwice) => turn.appends.iter_mut().for_each(release_twice),
                Some(Planted::TokenReused) if trouble.restarted => {
                    trouble.restarted = !turn.appends.iter_mut().any(reuse_token);
                }
                _ => {}
            }
            if fate.made() { turn } else { Turn::default() }
        };
        self.store.turn(asked, &mut lied)?;
        self.pass();
        match fate {
            Fate::Committed => Ok(()),
            Fate::Dropped | Fate::Crashed { .. } => Err(TurnError::Dropped(unavailable("write"))),
            Fate::Unanswered { .. } if lie == Some(Planted::UnknownTakenForFailed) => {
                Err(TurnError::Dropped(unavailable("write")))
            }
            Fate::Unanswered { .. } => Err(TurnError::Unknown(unavailable("commit"))),
        }
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        self.reach("look")?;
        self.store.landed(mark)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.reach("read")?;
        let planted = self.trouble().planted;
        if planted == Some(Planted::AnswerFromMemory)
            && asked.iter().all(|asked| asked.known.is_some())
        {
            return Ok(remembered(asked));
        }
        let news = self.store.catch_up(asked);
        self.pass();
        news
    }
}

/// What becomes of a turn that appends.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Committed,
    Dropped,
    /// The commit gets no answer, made or not.
    Unanswered {
        made: bool,
    },
    /// The process dies, with the commit made or not.
    Crashed {
        made: bool,
    },
}

impl Fate {
    fn of(trouble: &mut Trouble, handle: u8) -> Fate {
        let Trouble { fails, unanswered, crashes, .. } = *trouble;
        if trouble.happens(crashes) {
            trouble.crashed = true;
            Fate::Crashed { made: trouble.rng.bool() }
        } else if trouble.happens(unanswered) {
            trouble.unknown += 1;
            trouble.lost = trouble.rng.u8(0..3) == 0;
            if trouble.lost {
                trouble.away = true;
                trouble.away_for = trouble.rng.bool().then_some(handle);
            }
            Fate::Unanswered { made: trouble.rng.bool() }
        } else if trouble.happens(fails) {
            Fate::Dropped
        } else {
            Fate::Committed
        }
    }

    fn made(self) -> bool {
        match self {
            Fate::Committed => true,
            Fate::Dropped => false,
            Fate::Unanswered { made } | Fate::Crashed { made } => made,
        }
    }
}

fn unavailable(action: &'static str) -> LogError {
    LogError::Unavailable { action, source: "the simulation says so".into() }
}

/// News as if nobody else had appended anything to what is known.
fn stale(asked: &[Asked], mut news: News) -> News {
    for (id, since) in &mut news.ledgers {
        let known = asked.iter().any(|asked| asked.known.is_some_and(|(known, _)| known == *id));
        if known {
            *since = Since::Entries(Vec::new());
        }
    }
    news
}

/// Writes each release down twice, with sequences that fit.
fn release_twice(append: &mut Append) {
    let mut more = 0;
    for mut entry in mem::take(&mut append.entries) {
        entry.sequence += more;
        append.entries.push(entry.clone());
        if matches!(entry.event, Event::Released(_)) {
            more += 1;
            append.entries.push(Entry { sequence: entry.sequence + 1, ..entry });
        }
    }
}

/// Gives the token before to the first retention; false where there is none.
fn reuse_token(append: &mut Append) -> bool {
    let retained = append.entries.iter_mut().find_map(|entry| match &mut entry.event {
        Event::Retained(retained) if retained.token > Token::MIN => Some(Arc::make_mut(retained)),
        _ => None,
    });
    let Some(retained) = retained else { return false };
    retained.token = Token::new(retained.token.get() - 1).expect("it was above the least");
    true
}

/// News as if nothing had happened since, whoever asks.
fn remembered(asked: &[Asked]) -> News {
    let known = || asked.iter().filter_map(|asked| asked.known.map(|(ledger, _)| ledger));
    let mut ledgers: Vec<LedgerId> = known().collect();
    ledgers.sort_unstable();
    ledgers.dedup();
    News {
        found: known().map(Found::Ledger).collect(),
        ledgers: ledgers.into_iter().map(|id| (id, Since::Entries(Vec::new()))).collect(),
        ..News::default()
    }
}
