//! Who waits in line at a process: nobody who comes later gets ahead, and nobody waits for what is
//! free.

use std::collections::BTreeMap;
use std::mem;

use license_types::{ProductId, SessionId};

use super::client::Wish;
use super::replies::{Answer, Question};
use super::truth::Grant;
use super::world::{World, ledger_id};

/// A session that asked here keeps its place for so long after its last answer.
const PLACE_KEPT: u64 = 15_000;

/// What is free is noticed within so many milliseconds: a poll, and what it takes to act.
const NOTICED: u64 = 1_000;

/// When each session came that asks for a license here.
#[derive(Default)]
pub(super) struct Line {
    /// Whether nobody but the process knows who came before and who kept its place: it waited for the
    /// store in the middle of a step, or who asked was forgotten when the store went back.
    pub(super) is_vague: bool,
    /// Whether a license was installed or uninstalled between those whom the process saw last: who came
    /// before that was served before the others were seen.
    is_parted: bool,
    came: u64,
    /// Who asked since the process was driven last, and whether it waits.
    fresh: Vec<(Seeker, bool)>,
    /// Whether they are parted.
    parts: bool,
    /// The places of those who wait, or waited a moment ago.
    places: BTreeMap<Seeker, Place>,
    /// When those came who did not wait.
    passing: BTreeMap<Seeker, u64>,
}

/// A session of a ledger, and what it asks for.
pub(super) type Seeker = (usize, SessionId, ProductId);

struct Place {
    /// Its number in the order in which all came.
    number: u64,
    /// How many of its requests are not answered yet.
    waiting: u64,
    /// Until when it keeps its place, where none is.
    until: u64,
}

impl Line {
    pub(super) fn arrive(&mut self, seeker: Seeker, waits: bool) {
        self.fresh.push((seeker, waits));
    }

    /// A license is installed or uninstalled after those who came, and before those who come.
    pub(super) fn part(&mut self) {
        self.parts = true;
    }

    /// Forgets who asked here, though the process does not.
    pub(super) fn forget(&mut self) {
        *self = Line { is_vague: true, ..Line::default() };
    }

    /// The process is driven: now it sees who came.
    pub(super) fn see(&mut self, now: u64) {
        // Who asked again and again meanwhile may be granted what he asked for first.
        let mut passing = BTreeMap::new();
        self.is_parted = mem::take(&mut self.parts);
        for (seeker, waits) in mem::take(&mut self.fresh) {
            self.came += 1;
            let number = self.came;
            if !waits {
                passing.entry(seeker).or_insert(number);
                continue;
            }
            let place = self.places.entry(seeker);
            let place = place.or_insert(Place { number, waiting: 0, until: 0 });
            if place.waiting == 0 && place.until <= now {
                place.number = number;
            }
            place.waiting += 1;
        }
        self.passing.extend(passing);
    }

    fn answered(&mut self, seeker: Seeker, granted: bool, now: u64) {
        if let Some(place) = self.places.get_mut(&seeker) {
            place.waiting = place.waiting.saturating_sub(1);
            place.until = if granted { 0 } else { now + PLACE_KEPT };
        }
    }

    /// The place of one who waits.
    fn place(&self, seeker: &Seeker) -> Option<u64> {
        self.places.get(seeker).filter(|place| place.waiting > 0).map(|place| place.number)
    }

    /// The first place that one can claim who was granted a license just now.
    fn claim(&self, seeker: &Seeker) -> Option<u64> {
        let waited = self.places.get(seeker).map(|place| place.number);
        waited.into_iter().chain(self.passing.get(seeker).copied()).min()
    }
}

impl World {
    /// Notes that somebody who asked for a license has an answer.
    pub(super) fn answered(&mut self, server: usize, question: &Question, answer: &Answer) {
        let Answer::Granted(answer) = answer else { return };
        let Wish::Retain { wait: 1.. } = question.wish else { return };
        self.tally.waited += u64::from(answer.is_ok());
        let Some(client) = question.client.map(|client| &self.clients[client]) else { return };
        let seeker = (question.ledger, question.session.clone(), client.product);
        let now = self.time.now();
        self.servers[server].line.answered(seeker, answer.is_ok(), now);
    }

    /// Judges what was granted at a process in the step that ends, and who still waits there.
    pub(super) fn judge_line(&self, server: usize) -> Result<(), String> {
        let it = &self.servers[server];
        for owed in &it.owed {
            let Question { client, wish, ledger, asked, session, .. } = &owed.question;
            let (Wish::Retain { wait: 1.. }, ledger) = (wish, *ledger) else { continue };
            let Some(waiter) = client.map(|client| &self.clients[client]) else { continue };
            let Some(history) = self.truth.ledger(ledger_id(ledger)) else { continue };
            let seeker = (ledger, session.clone(), waiter.product);
            let Some(place) = it.line.place(&seeker) else { continue };
            if history.holding(session, waiter.product).is_some() {
                continue;
            }
            let overtakes = |grant: &&Grant| {
                grant.server == it.name
                    && grant.ledger == ledger_id(ledger)
                    && grant.product == waiter.product
                    && it.line.claim(&(ledger, grant.session.clone(), grant.product)) > Some(place)
            };
            let is_clear = !it.line.is_vague && !it.line.is_parted;
            if let Some(grant) = self.granted.iter().filter(|_| is_clear).find(overtakes) {
                return Err(format!(
                    "server-{server}: {} got a license ahead of {}, which waits longer",
                    grant.session, session
                ));
            }
            if let (Some(calm), Some(freed)) = (self.calm_since, history.is_free(waiter.product))
                && self.time.now().saturating_sub(freed.max(calm).max(*asked)) > NOTICED
            {
                return Err(format!(
                    "server-{server}: {session} waits, and a license is free since {freed} ms"
                ));
            }
        }
        Ok(())
    }
}
