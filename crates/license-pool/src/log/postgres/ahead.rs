//! Turns that are decided *ahead*: on what the log held when it was last seen. They look whether it
//! still does in the same trip in which they write, and write only if so. While nobody else writes,
//! a turn then waits for the database once instead of twice.
//!
//! A turn for which it did not hold is *overtaken*: nothing was written, and its ledgers are read
//! again, which costs. So turns are decided ahead only while it is [`Calm`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use license_core::{Entry, Head};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresLog;
use super::connection::Connection;
use super::error::Trouble;
use super::news::Question;
use super::register::Served;
use super::row::{self, Column, escaped, signed, unescaped};
use crate::log::{
    Append, Asked, Found, LedgerId, Log as _, LogError, News, Server, Since, Turn, TurnError,
};

/// For how long nobody else must have written before a turn is decided ahead.
const CALM: Duration = Duration::from_millis(250);

/// One part in so many of the time may be lost to turns that were overtaken.
const PARTS: u32 = 100;

/// For how long the database's clock is extrapolated by our own.
const CARRIED: Duration = Duration::from_secs(1);

/// Whether turns may be decided ahead. The more the last overtaken turn cost, the longer nobody else
/// must have written before it is tried again.
pub(super) struct Calm {
    /// When somebody else last wrote, as far as is known.
    since: Instant,
    /// When a turn was overtaken, until its ledgers are read again.
    overtaken: Option<Instant>,
    /// How long it took to read the ledgers of the last overtaken turn again.
    cost: Duration,
    /// What the database's clock last showed, and when.
    clock: Option<(Timestamp, Instant)>,
}

/// What became of a turn that was decided ahead.
struct Answer {
    /// Whether everything was as assumed: then it is durable, and otherwise nothing was written.
    holds: bool,
    own: bool,
    sealed_to: Option<String>,
    time: Timestamp,
}

impl Calm {
    pub(super) fn new() -> Calm {
        Calm { since: Instant::now(), overtaken: None, cost: Duration::ZERO, clock: None }
    }

    /// Ends the calm: somebody else wrote, or it is not certain what we wrote.
    pub(super) fn end(&mut self) {
        self.since = Instant::now();
    }

    /// Notes what was seen in the log.
    pub(super) fn note(&mut self, news: &News) {
        let all = |held: fn(&Since) -> bool| news.ledgers.iter().all(|(_, since)| held(since));
        // A ledger of which nothing was known does not show whether others wrote.
        if !all(|since| matches!(since, Since::Reload) || is_nothing(since)) {
            self.end();
        }
        if let Some(overtaken) =
            self.overtaken.filter(|_| all(|it| matches!(it, Since::Entries(_))))
        {
            self.cost = overtaken.elapsed();
            self.overtaken = None;
        }
        self.clock = news.time.map(|time| (time, Instant::now()));
    }

    fn overtaken(&mut self) -> TurnError {
        self.end();
        self.overtaken = Some(Instant::now());
        TurnError::Overtaken
    }

    /// The time by the database's clock, as long as it is known and calm.
    fn time(&self) -> Option<Timestamp> {
        let (shown, at) = self.clock?;
        let passed = at.elapsed();
        let calm = self.since.elapsed() >= CALM.max(self.cost * PARTS);
        shown.checked_add(passed).ok().filter(|_| calm && passed <= CARRIED)
    }
}

impl PostgresLog {
    /// What a turn would begin with if nobody else wrote, where that is likely.
    pub(super) fn assume(&self, asked: &[Asked]) -> Option<News> {
        let time = self.calm.time()?;
        if self.server.is_none() || self.connection.is_none() || self.unsettled || asked.is_empty()
        {
            return None;
        }
        let led = |asked: &Asked| asked.known.map(|(ledger, _)| ledger);
        let led: Vec<LedgerId> = asked.iter().map(led).collect::<Option<_>>()?;
        let ledgers: BTreeSet<LedgerId> = led.iter().copied().collect();
        Some(News {
            found: led.into_iter().map(Found::Ledger).collect(),
            ledgers: ledgers.into_iter().map(|id| (id, Since::Entries(Vec::new()))).collect(),
            time: Some(time),
            sealed_to: None,
            assumed: true,
        })
    }

    /// Makes a turn that was decided on what was [assumed](Self::assume).
    pub(super) fn turn_ahead(&mut self, asked: &[Asked], turn: Turn) -> Result<(), TurnError> {
        if turn.appends.is_empty() && turn.ends.is_empty() {
            // There is nothing to write, so only look.
            let news = self.catch_up(asked).map_err(TurnError::Dropped)?;
            return match news.sealed_to {
                Some(target) => Err(TurnError::Dropped(LogError::Sealed { target })),
                None if is_as_assumed(asked, &news) => Ok(()),
                None => Err(self.calm.overtaken()),
            };
        }
        match &self.server {
            Some(server) if is_plain(asked, &turn, server) => {
                let server = server.clone();
                self.advance(asked, &turn, &server)
            }
            _ => {
                let mut turn = Some(turn);
                self.turn_looking(asked, &mut |news| {
                    turn.take_if(|_| is_as_assumed(asked, &news)).unwrap_or_default()
                })?;
                if turn.is_none() { Ok(()) } else { Err(self.calm.overtaken()) }
            }
        }
    }

    /// Writes a turn if nothing else was written, in one trip.
    fn advance(&mut self, asked: &[Asked], turn: &Turn, server: &Server) -> Result<(), TurnError> {
        let question = Question::new(asked, Some(server));
        let connection = self.connection.take().expect("nothing is assumed without a connection");
        let process = connection.process.clone();
        let answer = self.end(connection, async |connection: &Connection| {
            advance(connection, &question, &turn.appends).await
        });
        let Answer { holds, own, sealed_to, time } = answer.map_err(|trouble| {
            self.calm.end();
            if trouble.is_refusal() {
                return TurnError::Dropped(trouble.into_log("write"));
            }
            // It may still be under way without holding any lock, or not even have arrived.
            self.doubtful.push(process);
            TurnError::Unknown(trouble.into_log("commit"))
        })?;
        self.calm.clock = Some((time, Instant::now()));
        match sealed_to {
            _ if holds => Ok(()),
            _ if !own => Err(TurnError::Dropped(question.fenced())),
            Some(target) => Err(TurnError::Dropped(LogError::Sealed { target })),
            None => Err(self.calm.overtaken()),
        }
    }
}

async fn advance(
    connection: &Connection,
    question: &Question<'_>,
    appends: &[Append],
) -> Result<Answer, Trouble> {
    let answers = match Single::of(question, appends) {
        Some(single) => advance_one(connection, question, &single).await?,
        None => advance_all(connection, question, appends).await?,
    };
    let row = answers.first().and_then(|rows| rows.first()).ok_or(Trouble::Nonsense)?;
    let time = Timestamp::from_microsecond(row.try_get("time")?).map_err(|_| Trouble::Nonsense)?;
    let sealed_to: Option<&str> = row.try_get("sealed_to")?;
    let sealed_to = sealed_to.map(|target| unescaped(target).into_owned());
    Ok(Answer { holds: row.try_get("holds")?, own: row.try_get("own")?, sealed_to, time })
}

async fn advance_all(
    connection: &Connection,
    question: &Question<'_>,
    appends: &[Append],
) -> Result<Vec<Vec<Row>>, Trouble> {
    let ledgers: Vec<LedgerId> = appends.iter().filter_map(|append| append.ledger).collect();
    let (name, instance) = question.server();
    let only = question.only_known();
    let mut sequences = question.heads.clone();
    let known: Vec<String> = question.known.values().map(|head| head.chain.to_string()).collect();
    let mut chains = known.clone();
    for append in appends {
        let at = question.ids.iter().position(|id| append.ledger == Some(LedgerId(*id)));
        if let (Some(at), Some(last)) = (at, append.entries.last()) {
            (sequences[at], chains[at]) = (signed(last.sequence), last.chain.to_string());
        }
    }
    let Served { begun, ceased } = Served::of(&ledgers, appends);
    let columns = row::columns(&ledgers, appends);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &name,
        &instance,
        &only,
        &question.ids,
        &question.heads,
        &known,
        &sequences,
        &chains,
        &begun.0,
        &begun.1,
        &ceased.0,
        &ceased.1,
    ];
    values.extend(columns.iter().map(Column::parameter));
    connection.commit_with(&[(&connection.statements.advance, &values)]).await
}

async fn advance_one(
    connection: &Connection,
    question: &Question<'_>,
    Single { ledger, known, entries, last }: &Single<'_>,
) -> Result<Vec<Vec<Row>>, Trouble> {
    let (name, instance) = question.server();
    let only = question.only_known();
    let (known, known_chain) = (signed(known.sequence), known.chain.to_string());
    let (moved, moved_chain) = (signed(last.sequence), last.chain.to_string());
    let (epoch, batch) = (signed(last.stamp.epoch), last.stamp.batch.as_str());
    let columns = row::differing(entries);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &name,
        &instance,
        &only,
        ledger,
        &known,
        &known_chain,
        &moved,
        &moved_chain,
        &epoch,
        &batch,
    ];
    values.extend(columns.iter().map(Column::parameter));
    connection.commit_with(&[(&connection.statements.advance_one, &values)]).await
}

/// A turn that appends to the only ledger that it looked for, and does nothing else.
struct Single<'a> {
    ledger: i64,
    known: Head,
    entries: &'a [Entry],
    last: &'a Entry,
}

impl Single<'_> {
    fn of<'a>(question: &Question<'_>, appends: &'a [Append]) -> Option<Single<'a>> {
        let ([append], [ledger]) = (appends, &*question.ids) else { return None };
        let known = *question.known.get(ledger)?;
        let last = append.entries.last()?;
        let alike = |entry: &Entry| {
            let (stamp, lasts) = (&entry.stamp, &last.stamp);
            stamp.batch == lasts.batch && stamp.epoch == lasts.epoch && stamp.server == lasts.server
        };
        let own = escaped(last.stamp.server.as_str().into()) == question.server().0;
        (append.ledger == Some(LedgerId(*ledger))
            && append.serving.is_empty()
            && own
            && append.entries.iter().all(alike))
        .then_some(Single { ledger: *ledger, known, entries: &append.entries, last })
    }
}

/// Whether a turn does nothing but append to known ledgers in its server's own name. Everything else
/// is rare and takes trips of its own.
fn is_plain(asked: &[Asked], turn: &Turn, server: &Server) -> bool {
    let is_plain = |append: &Append| {
        append.ledger.is_some_and(|id| asked.iter().any(|asked| asked.known_of(id).is_some()))
            && append.number.is_none()
            && !append.uninstalls
            && append.figures.is_empty()
            && append.void_from.is_none()
            && append.serving.iter().all(|(name, _)| *name == server.name)
    };
    turn.ends.is_empty() && turn.appends.iter().all(is_plain)
}

/// Whether a log holds what was assumed.
fn is_as_assumed(asked: &[Asked], news: &News) -> bool {
    let leads =
        |(asked, found): (&Asked, &Found)| asked.known.map(|(ledger, _)| ledger) == found.ledger();
    asked.iter().zip(&news.found).all(leads)
        && news.ledgers.iter().all(|(_, since)| is_nothing(since))
}

pub(super) fn is_nothing(since: &Since) -> bool {
    match since {
        Since::Entries(entries) => entries.is_empty(),
        Since::Reload | Since::WentBack => false,
    }
}
