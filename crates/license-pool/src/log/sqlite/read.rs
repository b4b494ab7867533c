//! What a turn or a reader wants to know of the file.

use std::collections::BTreeSet;

use license_core::{Entry, Head};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{failed_to, row, trouble};
use crate::log::{Asked, Found, LedgerId, LedgerNumbers, LogError, Mark, News, Since, Which};

/// How many entries are read within a turn, for which others wait; of more, the ledger is read anew.
const NEWS_MAX: usize = 1024;

/// How many numbers are named to a caller that must choose one.
const NAMED_MAX: usize = 100;

pub(super) fn news(connection: &Connection, asked: &[Asked]) -> Result<News, LogError> {
    let found: Result<Vec<Found>> =
        asked.iter().map(|asked| resolve(connection, &asked.license)).collect();
    let found = found.map_err(failed_to("find a license"))?;
    let ids: BTreeSet<LedgerId> = found.iter().filter_map(Found::ledger).collect();
    let mut ledgers = Vec::with_capacity(ids.len());
    for id in ids {
        let known = asked.iter().find_map(|asked| asked.known_of(id));
        ledgers.push((id, since(connection, id, known)?));
    }
    Ok(News { found, ledgers, ..News::default() })
}

fn resolve(connection: &Connection, license: &Which) -> Result<Found> {
    match license {
        Which::Number(number) => {
            Ok(find(connection, number)?.map_or(Found::Unknown, Found::Ledger))
        }
        Which::Only => {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT ledger FROM license_number WHERE installed > 0 LIMIT 2",
            )?;
            let ids = statement.query_map([], |row| row.get(0).map(LedgerId))?;
            match *ids.collect::<Result<Vec<LedgerId>>>()? {
                [] => Ok(Found::Unknown),
                [only] => Ok(Found::Ledger(only)),
                _ => Ok(Found::Several(in_force(connection)?)),
            }
        }
    }
}

fn find(connection: &Connection, number: &str) -> Result<Option<LedgerId>> {
    connection
        .prepare_cached("SELECT ledger FROM license_number WHERE number = ?1")?
        .query_row([number], |row| row.get(0).map(LedgerId))
        .optional()
}

fn in_force(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT number, max(installed) FROM license_number WHERE installed > 0
         GROUP BY ledger ORDER BY ledger LIMIT ?1",
    )?;
    statement.query_map([NAMED_MAX], |row| row.get(0))?.collect()
}

/// What `ledger` holds beyond `known`. An entry that cannot be read is left to whoever reads
/// the ledger from its start: it must not keep the other ledgers of a turn waiting.
fn since(
    connection: &Connection,
    ledger: LedgerId,
    known: Option<Head>,
) -> Result<Since, LogError> {
    let Some(known) = known else { return Ok(Since::Reload) };
    if ends_with(connection, ledger, known).map_err(failed_to("read"))? {
        return Ok(Since::Entries(Vec::new()));
    }
    if !bears(connection, ledger, known).map_err(failed_to("read"))? {
        let gone = was_deleted(connection, ledger, known).map_err(failed_to("read"))?;
        return Ok(if gone { Since::Reload } else { Since::WentBack });
    }
    match page(connection, ledger, known.sequence, NEWS_MAX) {
        Ok(entries) if entries.len() < NEWS_MAX => Ok(Since::Entries(entries)),
        Ok(_) | Err(LogError::Entry { .. }) => Ok(Since::Reload),
        Err(error) => Err(error),
    }
}

/// Whether this ledger's history ends with `head`: then nothing is new.
fn ends_with(connection: &Connection, ledger: LedgerId, head: Head) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM ledger WHERE id = ?1 AND sequence = ?2 AND chain = ?3")?
        .exists(params![ledger.0, head.sequence, head.chain.to_string()])
}

/// Whether this ledger's history went on after `head`, the entry of which is no longer kept.
fn was_deleted(connection: &Connection, ledger: LedgerId, head: Head) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM ledger WHERE id = ?1 AND sequence > ?2
             AND NOT EXISTS (SELECT 1 FROM entry WHERE ledger = ?1 AND sequence = ?2)",
        )?
        .exists(params![ledger.0, head.sequence])
}

/// Whether this ledger's history has `head` in it.
fn bears(connection: &Connection, ledger: LedgerId, head: Head) -> Result<bool> {
    if head.sequence == 0 {
        return Ok(true);
    }
    let chain: Option<String> = connection
        .prepare_cached("SELECT chain FROM entry WHERE ledger = ?1 AND sequence = ?2")?
        .query_row(params![ledger.0, head.sequence], |row| row.get(0))
        .optional()?;
    Ok(chain.is_some_and(|chain| chain == head.chain.to_string()))
}

pub(super) fn landed(connection: &Connection, mark: &Mark) -> Result<bool> {
    let ledger = match (mark.ledger, &mark.number) {
        (None, Some(number)) => find(connection, number)?,
        (ledger, _) => ledger,
    };
    ledger.map_or(Ok(false), |ledger| bears(connection, ledger, mark.head))
}

pub(super) fn page(
    connection: &Connection,
    ledger: LedgerId,
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, LogError> {
    let mut statement = connection.prepare_cached(row::SELECT).map_err(failed_to("read"))?;
    let mut rows = statement.query(params![ledger.0, after]).map_err(failed_to("read"))?;
    let mut entries = Vec::new();
    while entries.len() < limit {
        let Some(row) = rows.next().map_err(failed_to("read"))? else { break };
        let entry = row::read(ledger, entries.last(), row)?;
        entries.push(entry);
    }
    if entries.len() < limit {
        ends_as_its_head_says(connection, ledger, after, entries.last())?;
    }
    Ok(entries)
}

/// Checks the end of a ledger's log, as it was read after `after`, against the ledger's row.
pub(super) fn ends_as_its_head_says(
    connection: &Connection,
    ledger: LedgerId,
    after: u64,
    last: Option<&Entry>,
) -> Result<(), LogError> {
    let head: Option<(u64, String)> = connection
        .prepare_cached("SELECT sequence, chain FROM ledger WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row([ledger.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failed_to("read the head of a ledger"))?;
    let (head, chain) = head.unwrap_or_default();
    LogError::unless_it_ends_at(ledger, (head, &chain), after, last)
}

/// What SQLite finds wrong with the file; a few of many findings say enough. It may be so damaged that
/// it cannot be examined.
pub(super) fn damage(connection: &Connection) -> Result<Vec<String>> {
    match examined(connection) {
        Err(error) if trouble::is_damage(&error) => Ok(vec![error.to_string()]),
        examined => examined,
    }
}

fn examined(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(5)")?;
    let mut damage: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    damage.retain(|finding| finding != "ok");
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    if let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        damage.push(format!("a row of `{table}` names no row of `{parent}`"));
    }
    Ok(damage)
}

/// A number that changes when another connection has written.
pub(super) fn version(connection: &Connection) -> Result<u64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

pub(super) fn ledgers(connection: &Connection) -> Result<Vec<LedgerNumbers>> {
    let mut statement = connection.prepare(
        "SELECT id, number, installed > 0 FROM ledger LEFT JOIN license_number ON ledger = id
         ORDER BY id, abs(installed)",
    )?;
    let mut ledgers: Vec<LedgerNumbers> = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: Option<String> = row.get(1)?;
        let in_force: Option<bool> = row.get(2)?;
        let number = number.map(|number| (number, in_force.unwrap_or(false)));
        LedgerNumbers::gather(&mut ledgers, LedgerId(row.get(0)?), number);
    }
    Ok(ledgers)
}
