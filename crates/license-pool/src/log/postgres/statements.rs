//! The statements that a connection prepares once.

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Error, Statement};

macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// One for each file beside this one, under its name.
        pub(super) struct Statements {
            $(pub(super) $name: Statement,)*
            pub(super) commit: Statement,
            pub(super) rollback: Statement,
        }

        impl Statements {
            /// Prepares all of them in one trip.
            pub(super) async fn prepare(client: &Client) -> Result<Statements, Error> {
                let texts = [
                    $(include_str!(concat!("sql/", stringify!($name), ".sql")),)*
                    "COMMIT",
                    "ROLLBACK",
                ];
                let prepared = try_join_all(texts.map(|text| client.prepare(text))).await?;
                let mut prepared = prepared.into_iter();
                let mut next = || prepared.next().expect("one for each text");
                Ok(Statements { $($name: next(),)* commit: next(), rollback: next() })
            }
        }
    };
}

statements! {
    add_figure,
    add_ledger,
    advance,
    advance_one,
    await_store,
    await_turn,
    beat,
    begin_moment,
    begin_turn,
    cease,
    chain,
    changed,
    chunk,
    discard_entries,
    discard_snapshots,
    credentials,
    cut_figures,
    end,
    end_connection,
    erase,
    end_server,
    ends,
    forget_ended,
    figures,
    format,
    heads,
    hear,
    hold_server,
    hold_store,
    hush,
    insert,
    keep,
    keep_credential,
    leave,
    ledgers,
    ledgers_in_force,
    lock_ledgers,
    lock_store,
    news,
    numbers,
    own,
    own_locked,
    page,
    point,
    register,
    store,
    snapshots,
    serve,
    servers,
    serving,
    silences,
    unlimit,
    void,
    void_figures,
    wanted,
}
