//! The pool as an engine of the ledger scripts, on either log.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use license_pool::log::MemoryLog;
use license_pool::{
    Clock, Error, LOCAL, ManualClock, Pool, Principal, ProductId, Refusal, Release, Retain, Seat,
    ServerName, Session, Target,
};

use super::world::{Store, reports};
use crate::postgres::server::Database;
use crate::scripts::engine::{Engine, Outcome};
use crate::scripts::script::{Need, Operation, Step};
use crate::{postgres, scripts};

#[test]
fn a_pool_in_memory_answers_every_script_as_written() {
    scripts::run_all(|| PoolEngine::new(Backend::Memory(MemoryLog::default())));
}

#[test]
fn a_pool_on_sqlite_answers_every_script_as_written() {
    scripts::run_all(|| PoolEngine::new(Backend::Sqlite(Store::new())));
}

#[test]
fn a_pool_on_postgresql_answers_every_script_as_written() {
    // One server for all of them.
    let Some(_database) = postgres::server::database() else { return };
    scripts::run_all(|| {
        let database = postgres::server::database().expect("there was one before");
        PoolEngine::new(Backend::Postgres(database))
    });
}

enum Backend {
    Memory(MemoryLog),
    Sqlite(Store),
    Postgres(Database),
}

struct PoolEngine {
    /// One pool for each server, as one process is.
    pools: BTreeMap<String, Pool>,
    backend: Backend,
    clock: Arc<ManualClock>,
    /// The latest time that any entry can bear.
    latest: Timestamp,
}

impl PoolEngine {
    fn new(backend: Backend) -> PoolEngine {
        let latest = Timestamp::MIN;
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        PoolEngine { pools: BTreeMap::new(), backend, clock, latest }
    }

    fn pool(&mut self, server: &str) -> Pool {
        let (backend, clock) = (&self.backend, &self.clock);
        let open = || {
            let options =
                Pool::options().clock(clock.clone()).server(ServerName::new(server).unwrap());
            match backend {
                Backend::Memory(log) => options.open_log(log.clone()).unwrap(),
                Backend::Sqlite(store) => options.open(&store.url()).unwrap(),
                // Its ledger is not the first connection's.
                Backend::Postgres(database) => {
                    options.open(&format!("{}?connections=2", database.address())).unwrap()
                }
            }
        };
        self.pools.entry(server.to_owned()).or_insert_with(open).clone()
    }

    fn acting(&mut self, step: &Step) -> Pool {
        let pool = self.pool(step.server.as_deref().unwrap_or(LOCAL));
        match &step.principal {
            Some(principal) => pool.acting_for(Principal::new(principal.name.as_str()).unwrap()),
            None => pool,
        }
    }

    fn ask(&mut self, step: &Step) -> Result<Outcome, Error> {
        let pool = self.acting(step);
        Ok(match &step.operation {
            Operation::Install { document, replaces } => {
                let used = |product: ProductId| {
                    pool.availability(product).map_or(0, |available| available.used_count.get())
                };
                let text = document.json(self.latest, used);
                let options =
                    license_pool::InstallOptions { replaces: replaces.clone(), dry_run: false };
                Outcome::Installed(pool.install_with(text.as_bytes(), options).wait()?)
            }
            Operation::Retain { product, session, reason, describe } => {
                let describe = describe
                    .clone()
                    .unwrap_or_else(|| Session::rest("tester", session.as_str(), "127.0.0.1"));
                let mut retain = Retain::new(*product, session.clone(), describe);
                if let Some(reason) = reason {
                    retain.reason = Arc::new(reason.parse().unwrap());
                }
                retain.max_seats = step.principal.as_ref().and_then(|it| it.max_seats);
                let seat = pool.retain_with(retain).wait()?;
                let receipt = seat.receipt();
                Seat::keep(seat);
                Outcome::Retained(receipt)
            }
            Operation::Renew { session, state } => {
                Outcome::Renewed(pool.renew(session.as_str(), *state)?)
            }
            Operation::Release { session, product, token } => {
                let session = Arc::new(session.clone());
                let target = Target::Session { session, product: *product, token: *token };
                Outcome::Released(pool.release_with(Release::new(target)).wait()?)
            }
            Operation::ReleaseToken(token) => {
                let release = Release::new(Target::Token(*token));
                Outcome::Released(pool.release_with(release).wait()?)
            }
            Operation::Usage { server } => Outcome::Usage(pool.usage(server.as_deref())?),
            Operation::Info => Outcome::Info(pool.info()?),
            Operation::Available(product) => Outcome::Available(pool.availability(*product)?),
            Operation::History => {
                let entries: Result<_, Error> = pool.history().collect();
                Outcome::History(entries?)
            }
            Operation::At(_) | Operation::Restart => {
                unreachable!("{:?} is the runner's", step.words)
            }
        })
    }
}

impl Engine for PoolEngine {
    fn offers(&self, need: Need) -> bool {
        match need {
            Need::Servers | Need::Principals => true,
        }
    }

    fn set_clock(&mut self, now: Timestamp) {
        // Time that passes, unless somebody sets the clock back.
        match now.duration_since(self.clock.now()) {
            passed if passed.is_positive() => self.clock.advance(passed),
            _ => self.clock.set(now),
        }
        self.latest = self.latest.max(now);
    }

    fn restart(&mut self) {
        let before = reports(&self.pool(LOCAL));
        self.pools.clear();
        assert_eq!(reports(&self.pool(LOCAL)), before);
        let check = self.pool(LOCAL).check().unwrap();
        assert!(check.ledgers.iter().all(|ledger| ledger.sound), "{check:?}");
    }

    fn execute(&mut self, step: &Step) -> Vec<String> {
        let outcome = self.ask(step).unwrap_or_else(|error| {
            let Error::Refused(refusal) = error else { panic!("{:?}: {error:?}", step.words) };
            let counts = match &refusal {
                Refusal::NoLicenseLeft { allowed_count, used_count, .. } => {
                    Some((*allowed_count, *used_count))
                }
                _ => None,
            };
            Outcome::Refused { code: refusal.code().to_string(), counts }
        });
        outcome.lines()
    }
}
