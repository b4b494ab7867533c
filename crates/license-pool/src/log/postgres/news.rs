//! What a turn or a reader is told of the database, and what that means for a log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use license_core::Head;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::{Connection, FORMAT, READ, Sent, Trip};
use super::error::Trouble;
use super::row::{self, escaped, signed, unescaped};
use super::statements::Statements;
use crate::log::{Asked, Found, LedgerId, LogError, News, Server, Since, Which};

/// How many entries are read within a turn, for which others wait; of more, the ledger is read anew.
const NEWS_MAX: usize = 1024;
const NEWS_LIMIT: i64 = NEWS_MAX as i64;

/// What is asked, as the statements take it.
pub(super) struct Question<'a> {
    asked: &'a [Asked],
    numbers: Vec<String>,
    only: bool,
    /// Whether every license is known to lead to a ledger, which it does for good.
    all_known: bool,
    pub(super) known: BTreeMap<i64, Head>,
    pub(super) ids: Vec<i64>,
    /// Their last sequences.
    pub(super) heads: Vec<i64>,
    server: Option<(String, &'a str)>,
}

/// What some of the statements are given.
struct Values<'t> {
    numbers: [&'t (dyn ToSql + Sync); 1],
    news: [&'t (dyn ToSql + Sync); 3],
}

/// The answer of one moment.
pub(super) struct Answer {
    own: bool,
    store: Vec<Row>,
    numbers: Vec<Row>,
    in_force: Vec<Row>,
    entries: Vec<Row>,
    /// The ledgers whose turn this is.
    locked: Option<Vec<Row>>,
}

impl<'a> Question<'a> {
    pub(super) fn new(asked: &'a [Asked], server: Option<&'a Server>) -> Question<'a> {
        let numbers = asked.iter().filter_map(|asked| match &asked.license {
            Which::Number(number) => Some(escaped((&**number).into()).into_owned()),
            Which::Only => None,
        });
        let known: BTreeMap<i64, Head> =
            asked.iter().filter_map(|asked| asked.known).map(|(id, head)| (id.0, head)).collect();
        Question {
            asked,
            numbers: numbers.collect(),
            all_known: asked.iter().all(|asked| asked.known.is_some()),
            only: asked.iter().any(|asked| asked.license == Which::Only),
            ids: known.keys().copied().collect(),
            heads: known.values().map(|head| signed(head.sequence)).collect(),
            known,
            server: server.map(|server| (name(server), &*server.instance)),
        }
    }

    /// Begins a turn: after this nobody else appends to the ledgers asked for.
    pub(super) async fn begin_turn(&self, connection: &Connection) -> Result<Answer, Trouble> {
        let statements = &connection.statements;
        let (name, instance) = self.server();
        let values = self.values();
        let (own, locks) = ([&name as _, &instance as _], [&self.numbers as _, &self.only as _]);
        let mut trip: Vec<Sent<'_>> = vec![(&statements.begin_turn, &[])];
        if self.server.is_some() {
            trip.push((&statements.own_locked, &own));
        }
        if !self.all_known {
            trip.push((&statements.lock_store, &locks));
        }
        trip.push((&statements.lock_ledgers, &locks));
        self.look(connection, &values, &mut trip);
        let mut answers = connection.trip(&trip).await?.into_iter().skip(1);
        let mut next = || answers.next().unwrap_or_default();
        let own = self.server.is_none() || !next().is_empty();
        if !self.all_known {
            next();
        }
        let locked = Some(next());
        Ok(self.answer(own, locked, next))
    }

    /// The same, without taking anything from anybody.
    pub(super) async fn read(&self, connection: &Connection) -> Result<Answer, Trouble> {
        let statements = &connection.statements;
        let (name, instance) = self.server();
        let values = self.values();
        let own = [&name as _, &instance as _];
        let mut trip: Vec<Sent<'_>> = vec![(&statements.begin_moment, &[])];
        if self.server.is_some() {
            trip.push((&statements.own, &own));
        }
        self.look(connection, &values, &mut trip);
        trip.push((&statements.commit, &[]));
        let mut answers = connection.trip_within(READ, &trip).await?.into_iter().skip(1);
        let mut next = || answers.next().unwrap_or_default();
        let own = self.server.is_none() || !next().is_empty();
        Ok(self.answer(own, None, next))
    }

    /// Looks for what is new: nothing is asked for that cannot be answered.
    fn look<'t>(
        &'t self,
        connection: &'t Connection,
        values: &'t Values<'t>,
        trip: &mut Vec<Sent<'t>>,
    ) {
        let statements = &connection.statements;
        trip.push((&statements.store, &[]));
        if !self.numbers.is_empty() {
            trip.push((&statements.numbers, &values.numbers));
        }
        if self.only {
            trip.push((&statements.ledgers_in_force, &[]));
        }
        if !self.ids.is_empty() {
            trip.push((&statements.news, &values.news));
        }
    }

    /// What was answered to that.
    fn answer(
        &self,
        own: bool,
        locked: Option<Vec<Row>>,
        mut next: impl FnMut() -> Vec<Row>,
    ) -> Answer {
        let mut next_if = |asked: bool| if asked { next() } else { Vec::new() };
        Answer {
            own,
            locked,
            store: next_if(true),
            numbers: next_if(!self.numbers.is_empty()),
            in_force: next_if(self.only),
            entries: next_if(!self.ids.is_empty()),
        }
    }

    fn values(&self) -> Values<'_> {
        Values { numbers: [&self.numbers], news: [&self.ids, &self.heads, &NEWS_LIMIT] }
    }

    /// What the answer says.
    pub(super) fn news(&self, answer: Answer) -> Result<News, LogError> {
        if !answer.own {
            return Err(self.fenced());
        }
        let is_turn = answer.locked.is_some();
        let news = self.told(answer).map_err(|trouble| trouble.into_log("find a license"))?;
        match news.sealed_to {
            Some(target) if is_turn => Err(LogError::Sealed { target }),
            _ => Ok(news),
        }
    }

    fn told(&self, answer: Answer) -> Result<News, Trouble> {
        let numbers: BTreeMap<&str, LedgerId> = pairs(&answer.numbers)?;
        let found = self.asked.iter().map(|asked| match (&asked.license, &*answer.in_force) {
            (Which::Number(number), _) => {
                let number = escaped((&**number).into());
                Ok(numbers.get(&*number).copied().map_or(Found::Unknown, Found::Ledger))
            }
            (Which::Only, []) => Ok(Found::Unknown),
            (Which::Only, [only]) => Ok(Found::Ledger(LedgerId(only.try_get(0)?))),
            (Which::Only, several) => {
                let named = several.iter().map(|row| row.try_get::<_, Option<&str>>(1));
                let named = named.filter_map(|number| Some(number.transpose()?.map(unescaped)));
                Ok(Found::Several(named.map(|n| n.map(Into::into)).collect::<Result<_, _>>()?))
            }
        });
        let found = found.collect::<Result<Vec<Found>, tokio_postgres::Error>>()?;

        let mut entries: BTreeMap<LedgerId, Vec<Row>> = BTreeMap::new();
        for row in answer.entries {
            entries.entry(LedgerId(row.try_get("ledger")?)).or_default().push(row);
        }
        let mut ledgers: BTreeMap<LedgerId, Since> = BTreeMap::new();
        for id in found.iter().filter_map(Found::ledger) {
            let rows = entries.remove(&id).unwrap_or_default();
            ledgers.entry(id).or_insert_with(|| match self.known.get(&id.0) {
                Some(known) => since(id, *known, &rows),
                None => Since::Reload,
            });
        }
        if let Some(locked) = &answer.locked {
            for id in ledgers.keys() {
                // Whoever adds a ledger keeps the statements of others from missing it.
                if !locked.iter().any(|row| row.try_get(0).is_ok_and(|locked: i64| locked == id.0))
                {
                    return Err(Trouble::Nonsense);
                }
            }
        }
        let store = answer.store.first().ok_or(Trouble::Nonsense)?;
        let sealed_to = sealed_to(store)?;
        let time = Timestamp::from_microsecond(store.try_get(1)?);
        let time = time.map_err(|_| Trouble::Nonsense)?;
        let ledgers = ledgers.into_iter().collect();
        Ok(News { found, ledgers, sealed_to, time: Some(time), assumed: false })
    }

    /// Somebody else has the server's name.
    pub(super) fn fenced(&self) -> LogError {
        let (server, _) = self.server();
        LogError::Fenced { server: unescaped(server).into_owned() }
    }

    /// Where the only license was known to lead, if that is asked for.
    pub(super) fn only_known(&self) -> Option<i64> {
        let only = self.asked.iter().find(|asked| asked.license == Which::Only)?;
        only.known.map(|(ledger, _)| ledger.0)
    }

    pub(super) fn server(&self) -> (&str, &str) {
        self.server.as_ref().map_or(("", ""), |(name, instance)| (name, instance))
    }
}

/// Begins to write beside the entries. Where another store took the place of this one, it is told and
/// nothing is begun.
pub(super) async fn begin_beside(connection: &Connection) -> Result<Option<String>, Trouble> {
    let Statements { begin_turn, hold_store, rollback, .. } = &connection.statements;
    let holding: &Trip<'_> = &[(begin_turn, &[]), (hold_store, &[])];
    let rows = connection.trip(holding).await?.pop().unwrap_or_default();
    let sealed_to = sealed_to(rows.first().ok_or(Trouble::Nonsense)?)?;
    if sealed_to.is_some() {
        connection.ask(rollback, &[]).await?;
    }
    Ok(sealed_to)
}

/// The store that took the place of this one, by a row of the store. Fails where a newer version
/// raised the store since it was opened: a log that acts as no server is not fenced by that.
pub(super) fn sealed_to(store: &Row) -> Result<Option<String>, Trouble> {
    let format = u64::try_from(store.try_get::<_, i64>("format")?).or(Err(Trouble::Nonsense))?;
    if format > FORMAT {
        return Err(Trouble::Newer(format));
    }
    let sealed_to: Option<&str> = store.try_get("sealed_to")?;
    Ok(sealed_to.map(|target| unescaped(target).into()))
}

/// What a ledger holds beyond `known`. An entry that cannot be read is left to the one who reads
/// the ledger from its start: it must not keep the other ledgers of a turn waiting.
fn since(ledger: LedgerId, known: Head, rows: &[Row]) -> Since {
    let news = match rows {
        // The log ends before what is known, or has another entry in its place.
        [] if known.sequence > 0 => return Since::WentBack,
        [first, ..] if is_at(first, known) && !bears(first, known) => return Since::WentBack,
        _ if rows.len() >= NEWS_MAX => return Since::Reload,
        // A lost end is told to whoever reads the ledger from its start.
        [.., last] if last.try_get("ends_at").ok() != last.try_get::<_, i64>("sequence").ok() => {
            return Since::Reload;
        }
        news if known.sequence == 0 => news,
        [last, news @ ..] if bears(last, known) => news,
        _ => return Since::Reload,
    };
    row::read(ledger, news).map_or(Since::Reload, Since::Entries)
}

/// Whether the row is an entry in the place of the one that `head` tells of.
fn is_at(row: &Row, head: Head) -> bool {
    row.try_get("sequence").is_ok_and(|found: i64| found == signed(head.sequence))
}

/// Whether the row is the entry that `head` tells of.
fn bears(row: &Row, head: Head) -> bool {
    is_at(row, head)
        && row.try_get("chain").is_ok_and(|chain: &str| chain == head.chain.to_string())
}

fn pairs(rows: &[Row]) -> Result<BTreeMap<&str, LedgerId>, tokio_postgres::Error> {
    rows.iter().map(|row| Ok((row.try_get(0)?, LedgerId(row.try_get(1)?)))).collect()
}

/// A server's name, as the database keeps it.
pub(super) fn name(server: &Server) -> String {
    escaped(server.name.as_str().into()).into_owned()
}
