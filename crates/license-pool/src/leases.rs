//! When each session that this server serves was last heard, and when its lease runs out. Time is
//! counted as far as the server vouches for it, never by a clock that can be set. A renewal costs one
//! look-up.
//!
//! # Silences
//!
//! A renewal is no entry, so the log does not say who was heard when. After a restart all leases begin
//! afresh; but then a server that restarts again and again would keep dead sessions for ever. So with
//! its beats a server tells the store which sessions have been *silent* for how long, and whoever
//! begins to vouch for a session counts that in (`silent_before`). Only silences that last are told:
//! see [`Lease::is_worth_telling`].
//!
//! A silence is told by the token that the session retained last. Retaining or releasing breaks a
//! silence, so one that is told by an older token says nothing. When a session is heard whose silence
//! was told, it may be answered only after the store was told that the silence is over
//! ([`must_tell`](Leases::must_tell)): else a restart would count on, and end a lease too early.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use license_core::Held;
use license_types::{SessionId, SessionState, Token};

use crate::log::{LedgerId, Silence};
use crate::turn::VouchedTime;

/// How long a session that sleeps is kept, by default.
pub(crate) const SLEEP: Duration = Duration::from_secs(172_800);

/// A session of a ledger.
pub(crate) type Key = (LedgerId, Arc<SessionId>);

/// The sessions that hold by a lease.
pub(crate) struct Leases {
    sessions: BTreeMap<Key, Lease>,
    /// When to look at each session next; never later than its lease runs out.
    agenda: BTreeSet<(VouchedTime, Key)>,
    /// When all leases last began afresh.
    afresh: VouchedTime,
    /// How long a session that sleeps is kept.
    sleep: Duration,
    /// Silences that were told and are over, which is not told yet.
    over: Vec<(LedgerId, Token)>,
    /// Whether some of them are over because the session was heard: that must be told before the
    /// session is answered.
    must_tell: bool,
}

struct Lease {
    /// When it was last heard, or when this server began to vouch for it.
    heard: VouchedTime,
    /// Its silence before that, as far as it was told.
    silent_before: Duration,
    /// Whether it was never heard since this server began to vouch for it.
    unheard: bool,
    /// The shortest of its leases, or one that is shorter still.
    term: Term,
    /// When it is on the agenda.
    due: VouchedTime,
    /// The token by which its silence was told, if that is told.
    told_by: Option<Token>,
}

impl Lease {
    /// For how long the session has been silent.
    fn silence(&self, now: VouchedTime) -> Duration {
        self.silent_before + now.since(self.heard)
    }

    /// Whether the silence has lasted long enough to be told. Few last so long, which keeps answers
    /// quick: the end of a silence that was told must be told before the session is answered. A session
    /// that sleeps, or was not heard since a restart, is told of sooner, so that restarts never reset
    /// the count.
    fn is_worth_telling(&self, now: VouchedTime) -> bool {
        let Term { whole, third } = self.term;
        let sleeps = whole > third * 4;
        let least = if self.unheard || sleeps { third / 2 } else { whole / 2 };
        self.silence(now) >= least
    }
}

/// How long a retention lives without a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Term {
    /// The lease; for a session that sleeps, how long that is kept, if longer.
    whole: Duration,
    /// A third of the lease: the least time that a client has, after a restart, to be heard again.
    third: Duration,
}

impl Term {
    /// The term of a retention; none where it has no lease.
    fn of(held: &Held, sleep: Duration) -> Option<Term> {
        let lease = Duration::from_secs(held.record.lease_seconds?.get());
        let sleeps = held.state == Some(SessionState::Sleeping);
        Some(Term { whole: if sleeps { lease.max(sleep) } else { lease }, third: lease / 3 })
    }

    /// What is left of the term when leases begin afresh after a silence: the rest, but at least a
    /// third of a lease, unless the silence would outlast the term by more than that third.
    fn left(self, silence: Duration) -> Duration {
        let granted = self.whole.saturating_sub(silence).max(self.third);
        granted.min((self.whole + self.third).saturating_sub(silence))
    }
}

impl Leases {
    pub(crate) fn new(sleep: Duration) -> Leases {
        Leases {
            sessions: BTreeMap::new(),
            agenda: BTreeSet::new(),
            afresh: VouchedTime::START,
            sleep,
            over: Vec::new(),
            must_tell: false,
        }
    }

    /// How long a retention lives from a renewal on; none where it needs none.
    pub(crate) fn whole(&self, held: &Held) -> Option<Duration> {
        Term::of(held, self.sleep).map(|term| term.whole)
    }

    /// How long a session that holds this is silent, at most, between two renewals in time.
    pub(crate) fn third(&self, held: &[Held]) -> Duration {
        self.shortest(held).map_or(Duration::ZERO, |term| term.third)
    }

    /// A session was heard: all its leases begin anew. `held` is what it holds, or part of it.
    pub(crate) fn heard(&mut self, ledger: LedgerId, held: &[Held], now: VouchedTime) {
        let Some(term) = self.shortest(held) else { return };
        let key = (ledger, held[0].record.session.clone());
        match self.sessions.get_mut(&key) {
            Some(lease) => {
                (lease.heard, lease.silent_before, lease.unheard) = (now, Duration::ZERO, false);
                if let Some(token) = lease.told_by.take() {
                    self.over.push((ledger, token));
                    self.must_tell = true;
                }
                if term < lease.term {
                    lease.term = term;
                    let due = now + term.whole;
                    if due < lease.due {
                        self.agenda.remove(&(lease.due, key.clone()));
                        lease.due = due;
                        self.agenda.insert((due, key));
                    }
                }
            }
            None => self.begin(key, now, term, None),
        }
    }

    /// A session came from another server and was heard: silences that the other told are over.
    pub(crate) fn came(&mut self, ledger: LedgerId, held: &[Held], now: VouchedTime) {
        if self.shortest(held).is_none() {
            return;
        }
        self.heard(ledger, held, now);
        self.void(ledger, held);
    }

    /// Any silence that was told by one of these tokens is over.
    pub(crate) fn void(&mut self, ledger: LedgerId, held: &[Held]) {
        self.over.extend(held.iter().map(|held| (ledger, held.record.token)));
        self.must_tell = true;
    }

    /// Begins to vouch for a session that may be silent already, as the store tells. Nothing changes
    /// for a session that this server vouches for already.
    pub(crate) fn take_over(
        &mut self,
        ledger: LedgerId,
        held: &[Held],
        silence: Option<Silence>,
        now: VouchedTime,
    ) {
        let Some(term) = self.shortest(held) else { return };
        let key = (ledger, held[0].record.session.clone());
        if self.sessions.contains_key(&key) {
            return;
        }
        self.begin(key.clone(), now, term, silence.as_ref());
        if let Some(lease) = self.sessions.get_mut(&key) {
            lease.unheard = true;
        }
    }

    fn begin(&mut self, key: Key, now: VouchedTime, term: Term, silence: Option<&Silence>) {
        let mut lease = Lease {
            heard: now,
            silent_before: silence.map_or(Duration::ZERO, |silence| silence.silent),
            unheard: false,
            term,
            due: now,
            told_by: silence.map(|silence| silence.token),
        };
        lease.due = self.end(&lease, term);
        self.agenda.insert((lease.due, key.clone()));
        self.sessions.insert(key, lease);
    }

    /// Forgets a session that this server no longer serves, or that holds nothing by a lease any
    /// more. Its silence is over.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(lease) = self.sessions.remove(key) {
            self.over.extend(lease.told_by.map(|token| (key.0, token)));
            self.agenda.remove(&(lease.due, key.clone()));
        }
    }

    /// Forgets a session that another server served meanwhile. Its silence is that server's to tell.
    pub(crate) fn estrange(&mut self, key: &Key) {
        if let Some(lease) = self.sessions.remove(key) {
            self.agenda.remove(&(lease.due, key.clone()));
        }
    }

    /// Forgets all sessions of these ledgers: nothing that was counted or told of them is true.
    pub(crate) fn estrange_all(&mut self, ledgers: &BTreeSet<LedgerId>) {
        let Leases { sessions, agenda, over, .. } = self;
        sessions.retain(|(ledger, _), _| !ledgers.contains(ledger));
        agenda.retain(|(_, (ledger, _))| !ledgers.contains(ledger));
        over.retain(|(ledger, _)| !ledgers.contains(ledger));
    }

    /// Forgets all: this server vouches for nothing any more.
    pub(crate) fn clear(&mut self) {
        *self = Leases::new(self.sleep);
    }

    /// The ledgers of all sessions.
    pub(crate) fn ledgers(&self) -> BTreeSet<LedgerId> {
        self.sessions.keys().map(|(ledger, _)| *ledger).collect()
    }

    /// Whether this server vouches for a session already.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.sessions.contains_key(key)
    }

    /// Every session that holds by a lease here.
    pub(crate) fn sessions(&self) -> Vec<Key> {
        self.sessions.keys().cloned().collect()
    }

    /// All leases begin afresh: nobody could be heard for a while.
    pub(crate) fn begin_afresh(&mut self, now: VouchedTime) {
        self.afresh = now;
    }

    /// When a lease may run out next.
    pub(crate) fn due(&self) -> Option<VouchedTime> {
        self.agenda.first().map(|(due, _)| *due)
    }

    /// Up to `limit` sessions of which some lease may have run out at `now`. They stay on the agenda
    /// in case they cannot be dealt with now, for as much later as `pause` says.
    pub(crate) fn overdue(&mut self, now: VouchedTime, pause: Duration, limit: usize) -> Vec<Key> {
        let mut overdue = Vec::new();
        while overdue.len() < limit && self.due().is_some_and(|due| due <= now) {
            let Some((_, key)) = self.agenda.pop_first() else { break };
            let Some(lease) = self.sessions.get(&key) else { continue };
            let mut next = self.end(lease, lease.term);
            if next <= now {
                overdue.push(key.clone());
                next = now + pause;
            }
            if let Some(lease) = self.sessions.get_mut(&key) {
                lease.due = next;
            }
            self.agenda.insert((next, key));
        }
        overdue
    }

    /// Whether the lease of this retention has run out.
    pub(crate) fn has_run_out(&self, ledger: LedgerId, held: &Held, now: VouchedTime) -> bool {
        let lease = self.sessions.get(&(ledger, held.record.session.clone()));
        match (lease, Term::of(held, self.sleep)) {
            (Some(lease), Some(term)) => self.end(lease, term) <= now,
            (None, _) | (_, None) => false,
        }
    }

    /// What is left of the lease of a retention; none if it has no lease, or another server judges it.
    pub(crate) fn left(&self, ledger: LedgerId, held: &Held, now: VouchedTime) -> Option<Duration> {
        let lease = self.sessions.get(&(ledger, held.record.session.clone()))?;
        Some(self.end(lease, Term::of(held, self.sleep)?).since(now))
    }

    /// Works out again when the leases of a session run out, from what it holds now.
    pub(crate) fn reconsider(&mut self, key: &Key, held: &[Held]) {
        let Some(term) = self.shortest(held) else { return self.forget(key) };
        let Some(mut lease) = self.sessions.remove(key) else { return };
        self.agenda.remove(&(lease.due, key.clone()));
        lease.term = term;
        lease.due = self.end(&lease, term);
        self.agenda.insert((lease.due, key.clone()));
        self.sessions.insert(key.clone(), lease);
    }

    /// The silences to tell: those that are over, and those that last long enough, by the token that
    /// `last` gives as the session's last.
    pub(crate) fn silences(
        &mut self,
        now: VouchedTime,
        last: impl Fn(&Key) -> Option<Token>,
    ) -> Vec<Silence> {
        let Leases { sessions, over, .. } = self;
        let mut silent = Vec::new();
        for (key, lease) in sessions {
            if lease.is_worth_telling(now)
                && let Some(token) = last(key)
            {
                let before = lease.told_by.replace(token).filter(|before| *before != token);
                over.extend(before.map(|before| (key.0, before)));
                silent.push(Silence { ledger: key.0, token, silent: lease.silence(now) });
            }
        }
        let mut silences = self.over();
        silences.append(&mut silent);
        silences
    }

    /// The silences that were told and are over.
    pub(crate) fn over(&self) -> Vec<Silence> {
        let over = |(ledger, token): &(LedgerId, Token)| Silence {
            ledger: *ledger,
            token: *token,
            silent: Duration::ZERO,
        };
        self.over.iter().map(over).collect()
    }

    /// The ledgers of the sessions that are silent long enough to tell.
    pub(crate) fn silent(&self, now: VouchedTime) -> BTreeSet<LedgerId> {
        let silent = self.sessions.iter().filter(|(_, lease)| lease.is_worth_telling(now));
        silent.map(|((ledger, _), _)| *ledger).collect()
    }

    /// Whether a session was heard whose silence was told, and the store does not know yet that it is
    /// over.
    pub(crate) fn must_tell(&self) -> bool {
        self.must_tell
    }

    /// Notes that the silences were told.
    pub(crate) fn note_told(&mut self) {
        self.over.clear();
        self.must_tell = false;
    }

    /// The shortest term of what a session holds; none if nothing of it has a lease.
    fn shortest(&self, held: &[Held]) -> Option<Term> {
        held.iter().filter_map(|held| Term::of(held, self.sleep)).min()
    }

    /// When a lease of this term runs out.
    fn end(&self, lease: &Lease, term: Term) -> VouchedTime {
        let from = lease.heard.max(self.afresh);
        let silence = lease.silence(from);
        // Within a sixth of its lease a session has missed no renewal, so that does not count.
        from + if silence < term.third / 2 { term.whole } else { term.left(silence) }
    }
}
