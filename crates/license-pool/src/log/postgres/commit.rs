//! The end of a turn: what it decided is written and committed in one trip; if the commit got no
//! answer, the first entry is looked for.

use tokio_postgres::types::ToSql;

use super::connection::{Connection, Process};
use super::error::Trouble;
use super::figure;
use super::register::{self, Served};
use super::row::{self, Column, escaped, signed};
use super::statements::Statements;
use crate::log::{Append, LedgerId, Mark, Turn, TurnError};

/// Writes and commits what a turn decided.
pub(super) async fn write(connection: &Connection, turn: &Turn) -> Result<(), TurnError> {
    let Turn { appends, ends } = turn;
    register::end(connection, ends).await?;
    if appends.is_empty() && ends.is_empty() {
        return connection.commit(&[]).await.map_err(dropped("confirm what it told"));
    }
    let mut ledgers = Vec::with_capacity(appends.len());
    for append in appends {
        ledgers.push(point(connection, append).await.map_err(dropped("write"))?);
    }
    figure::insert(connection, &ledgers, appends).await.map_err(dropped("write"))?;
    let columns = row::columns(&ledgers, appends);
    let values: Vec<_> = columns.iter().map(Column::parameter).collect();
    let (ids, sequences, chains) = row::heads(&ledgers, appends);
    let Served { begun, ceased } = Served::of(&ledgers, appends);
    let Statements { insert, heads, serve, cease, forget_ended, .. } = &connection.statements;
    let heads_values: [&(dyn ToSql + Sync); 3] = [&ids, &sequences, &chains];
    let (begun, ceased): ([&(dyn ToSql + Sync); 2], [&(dyn ToSql + Sync); 2]) =
        ([&begun.0, &begun.1], [&ceased.0, &ceased.1]);
    let mut write = vec![(insert, &*values), (heads, &heads_values)];
    if !ends.is_empty() || appends.iter().any(|append| !append.serving.is_empty()) {
        write.extend([(serve, &begun[..]), (cease, &ceased[..]), (forget_ended, &[])]);
    }
    let committed = connection.commit(&write).await;
    // Whatever went wrong, only a look at the store tells what became of the commit.
    committed.map_err(|trouble| TurnError::Unknown(trouble.into_log("commit")))
}

/// The ledger of an append, to which its number points from now on. A new one takes a trip more.
async fn point(connection: &Connection, append: &Append) -> Result<LedgerId, Trouble> {
    let statements = &connection.statements;
    let ledger = match append.ledger {
        Some(ledger) => ledger.0,
        None => {
            let rows = connection.ask(&statements.add_ledger, &[]).await?;
            rows.first().ok_or(Trouble::Nonsense)?.try_get(0)?
        }
    };
    if let (Some(number), Some(entry)) = (&append.number, append.entries.first()) {
        let (number, installed) = (escaped((&**number).into()), signed(entry.sequence));
        let rows = connection.ask(&statements.point, &[&number, &ledger, &installed]).await?;
        rows.first().ok_or(Trouble::Nonsense)?;
    }
    if append.uninstalls {
        connection.ask(&statements.void, &[&ledger]).await?;
    }
    Ok(LedgerId(ledger))
}

/// Ends what may still carry out a turn that got no answer, so that it is certain to have ended.
pub(super) async fn end_all(connection: &Connection, doubtful: &[Process]) -> Result<(), Trouble> {
    for Process { id, started } in doubtful {
        let rows = connection.ask(&connection.statements.end_connection, &[id, started]).await?;
        for row in rows {
            if !row.try_get::<_, bool>("ended")? {
                return Err(Trouble::Lingers);
            }
        }
    }
    Ok(())
}

/// Looks for a turn's first entry, once that turn is certain to have ended.
pub(super) async fn look_for(connection: &Connection, mark: &Mark) -> Result<bool, Trouble> {
    let statements = &connection.statements;
    connection.ask(&statements.begin_turn, &[]).await?;
    let ledger = match (mark.ledger, &mark.number) {
        (None, Some(number)) => {
            connection.ask(&statements.await_store, &[]).await?;
            let number = escaped((&**number).into());
            let rows = connection.ask(&statements.numbers, &[&[&*number].as_slice()]).await?;
            rows.first().map(|row| row.try_get("ledger")).transpose()?
        }
        (ledger, _) => ledger.map(|ledger| ledger.0),
    };
    let mut landed = false;
    if let Some(ledger) = ledger {
        connection.ask(&statements.await_turn, &[&ledger]).await?;
        let at = signed(mark.head.sequence);
        let rows = connection.ask(&statements.chain, &[&ledger, &at]).await?;
        let chain: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?;
        landed = chain.is_some_and(|chain| chain == mark.head.chain.to_string());
    }
    // What was found may not have reached the standby yet. Once this commit has, it has too.
    connection.commit(&[]).await?;
    Ok(landed)
}

/// A turn of which nothing was written.
pub(super) fn dropped(action: &'static str) -> impl FnOnce(Trouble) -> TurnError {
    move |trouble| TurnError::Dropped(trouble.into_log(action))
}
