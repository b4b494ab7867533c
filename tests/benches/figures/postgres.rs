//! The pool on PostgreSQL: what is gained on one hot ledger, where every operation needs the same row.
//!
//! The yardstick is what one writes first: for each operation a transaction that locks the license's
//! row, counts, notes what happened and commits. As many callers as the pool has, each with a
//! connection of its own; the same server, the same disk.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use license_pool::{Pool, SAMPLE_LICENSE};
use license_tests::load::many_callers;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::figure::{Bound, Figure, median};

#[path = "../../it/postgres/server.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod server;

const ROUNDS: usize = 5;
/// How long one side of a round is measured.
const SIDE: Duration = Duration::from_secs(2);

const GOALS: [(usize, f64); 2] = [(8, 10.0), (64, 100.0)];

/// P8: one hot ledger ÷ naive `FOR UPDATE` for each operation.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let Some(database) = server::database() else { return };
    let pool = Pool::open(&database.address()).unwrap();
    pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    database.sql(
        "CREATE TABLE license (id bigint PRIMARY KEY, allowed bigint, used bigint);
         CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, license bigint,
                             session text, kind text, time timestamptz);
         INSERT INTO license VALUES (1, 1000, 0)",
    );
    for (callers, goal) in GOALS {
        let mut naive: Vec<Naive> = (0..callers).map(|_| Naive::connect(&database)).collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(many_callers(&pool, "caller", callers, SIDE).rate());
            theirs.push(Naive::rate(&mut naive));
        }
        let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect());
        let [ours, theirs] = [ours, theirs].map(median);
        report(Figure {
            goal: "P8",
            part: format!("pool on PostgreSQL, one hot ledger, {callers} callers: {ours:.0}/s"),
            value: ratio,
            bound: Some(Bound::AtLeast(goal)),
            yardstick: format!(
                "a transaction with FOR UPDATE for each operation, {callers} connections: \
                 {theirs:.0}/s"
            ),
            unit: "ratio",
        });
    }
}

/// One who retains and releases in a transaction each.
struct Naive {
    runtime: Runtime,
    client: Client,
    /// Begin, lock, count, note, commit.
    statements: [Statement; 5],
}

impl Naive {
    fn connect(database: &server::Database) -> Naive {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let config: Config = database.address().parse().unwrap();
        let (client, statements) = runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            let mut statements = Vec::new();
            for text in [
                "BEGIN",
                "SELECT allowed, used FROM license WHERE id = 1 FOR UPDATE",
                "UPDATE license SET used = used + $1 WHERE id = 1",
                "INSERT INTO entry (license, session, kind, time) VALUES (1, $1, $2, now())",
                "COMMIT",
            ] {
                statements.push(client.prepare(text).await.unwrap());
            }
            (client, statements.try_into().ok().unwrap())
        });
        Naive { runtime, client, statements }
    }

    /// Operations a second of all together.
    fn rate(all: &mut [Naive]) -> f64 {
        let begin = Barrier::new(all.len());
        let start = Instant::now();
        let operations: u64 = thread::scope(|scope| {
            let callers: Vec<_> = all
                .iter_mut()
                .enumerate()
                .map(|(index, naive)| {
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        naive.run(&format!("caller-{index}"))
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        operations as f64 / start.elapsed().as_secs_f64()
    }

    fn run(&mut self, session: &str) -> u64 {
        let Naive { runtime, client, statements: [begin, lock, count, note, commit] } = self;
        runtime.block_on(async {
            let (start, mut operations) = (Instant::now(), 0);
            while start.elapsed() < SIDE {
                for (change, kind) in [(1_i64, "retained"), (-1, "released")] {
                    client.execute(&*begin, &[]).await.unwrap();
                    let row = client.query_one(&*lock, &[]).await.unwrap();
                    assert!(row.get::<_, i64>(1) < row.get::<_, i64>(0));
                    client.execute(&*count, &[&change]).await.unwrap();
                    client.execute(&*note, &[&session, &kind]).await.unwrap();
                    client.execute(&*commit, &[]).await.unwrap();
                    operations += 1;
                }
            }
            operations
        })
    }
}
