//! What is told when the store, its clock or a license is not as it should be: a code for each, and
//! never an answer from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use license_http::Options;
use license_pool::log::{Asked, Log as _, LogError, Mark, MemoryLog, News, Turn, TurnError};
use license_pool::{Pool, Retain, Session};
use license_tests::around::{Around, Outside};
use rusqlite::Connection;
use serde_json::json;

use super::world::{SAMPLE, World, described};
use crate::pool::world::{Store, clock, license, options, sample};

/// A store that is there, away, full, or does not say what became of a commit.
struct Troubled {
    log: MemoryLog,
    mood: Arc<AtomicU8>,
}

const THERE: u8 = 0;
const AWAY: u8 = 1;
const SILENT: u8 = 2;
const BUSY: u8 = 3;
const FULL: u8 = 4;

impl Troubled {
    /// A server on it, and what sets its mood.
    fn world() -> (World, impl Fn(u8)) {
        let mood = Arc::new(AtomicU8::new(THERE));
        let log = Outside(Troubled { log: MemoryLog::default(), mood: mood.clone() });
        let pool = options().patience(Duration::ZERO).open_log(log).unwrap();
        pool.install(SAMPLE.as_bytes()).unwrap();
        let world = World::over(pool, Options::new()).administered();
        (world, move |now| mood.store(now, Ordering::SeqCst))
    }

    fn is(&self, mood: u8) -> bool {
        self.mood.load(Ordering::SeqCst) == mood
    }
}

fn broken() -> LogError {
    LogError::Unavailable { action: "answer", source: "the test says so".into() }
}

impl Around for Troubled {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        let is_broken = self.is(AWAY) || self.is(FULL) && action == "beat";
        if is_broken { Err(broken()) } else { Ok(()) }
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        if self.is(BUSY) {
            return Err(TurnError::Dropped(LogError::Busy { holder: Some(4711) }));
        }
        self.reach("").map_err(TurnError::Dropped)?;
        self.log.turn(asked, decide)?;
        if self.is(SILENT) { Err(TurnError::Unknown(broken())) } else { Ok(()) }
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        if self.is(THERE) { self.log.landed(mark) } else { Err(broken()) }
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.reach("")?;
        self.log.catch_up(asked)
    }
}

const ACTIVE: &str = "/v1/licenses/active";

#[test]
fn a_store_that_is_away_is_said_and_never_answered_for() {
    let (world, mood) = Troubled::world();
    world.retain("0009", "job-7").expect(201);
    world.get("/readyz").expect(200);
    mood(AWAY);
    world.get("/healthz").expect(200);
    let paths = ["", "/usage", "/products/0009/availability", "/sessions/job-7", "/history"];
    let paths = paths.map(|path| format!("{ACTIVE}{path}")).into_iter();
    for path in paths.chain(["/readyz", "/metrics", "/v1/servers", "/v1/licenses"].map(Into::into))
    {
        let answer = world.get(&path);
        assert_eq!(answer.problem(), "503 store_unavailable", "{path}");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
        assert!(!answer.text.contains("the test says so"), "the cause is for the log alone");
    }
    assert_eq!(world.retain("0009", "job-8").problem(), "503 store_unavailable");
    mood(THERE);
    world.get("/readyz").expect(200);
    assert_eq!(world.get(&format!("{ACTIVE}/usage")).expect(200).value()[0]["token"], 1);
}

#[test]
fn who_can_only_read_its_store_is_not_ready() {
    let (world, mood) = Troubled::world();
    mood(FULL);
    // A beat that the store does not take.
    assert_eq!(world.get("/v1/servers").problem(), "503 store_unavailable");
    assert_eq!(world.get("/readyz").problem(), "503 store_unavailable");
    world.get(&format!("{ACTIVE}/usage")).expect(200);
    world.get("/healthz").expect(200);
    mood(THERE);
    world.get("/readyz").expect(200);
}

#[test]
fn a_store_that_is_busy_is_told_with_the_process_that_keeps_it_busy() {
    let (world, mood) = Troubled::world();
    world.get(ACTIVE).expect(200);
    mood(BUSY);
    let answer = world.retain("0009", "job-7");
    assert_eq!(answer.problem(), "503 store_busy");
    assert_eq!(answer.header("retry-after"), "1");
    let detail = answer.value()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("process 4711"), "{detail}");
}

#[test]
fn an_unknown_outcome_is_told_and_asking_again_gives_the_same_token() {
    let (world, mood) = Troubled::world();
    // What is known of the log is up to date, so that the first turn decides.
    world.get(ACTIVE).expect(200);
    mood(SILENT);
    let answer = world.retain("0009", "job-7");
    assert_eq!(answer.problem(), "503 outcome_unknown");
    assert_eq!(answer.header("retry-after"), "1");
    mood(THERE);
    let again = world.retain("0009", "job-7").expect(200).value();
    assert_eq!(again["retention"]["token"], 1);
    assert_eq!(world.get(&format!("{ACTIVE}/usage")).value().as_array().unwrap().len(), 1);
}

#[test]
fn a_clock_that_jumped_is_said_and_decides_nothing_that_hangs_on_it() {
    let machine = clock();
    let pool = Pool::options().clock(machine.clone()).open("memory:").unwrap();
    let dated = r#""rights": [{"count": 1, "expirationDate": {"day": 20, "month": 1, "year": 2026}}]},
        {"id": 808464437, "name": "Desktop", "usedCount": 0, "allowedCount": 1, "rights": ["#;
    pool.install(license("A", 1).replace(r#""rights": ["#, dated).as_bytes()).unwrap();
    let world = World::over(pool, Options::new()).administered();
    world.get("/readyz").expect(200);
    machine.set("2026-02-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.get("/readyz").problem(), "503 clock_skew");
    assert_eq!(world.retain("0009", "job-7").problem(), "503 clock_skew");
    world.retain("0005", "job-7").expect(201);
    machine.set("2026-01-05T10:00:00Z".parse().unwrap());
    world.get("/readyz").expect(200);
    world.retain("0009", "job-7").expect(201);
}

#[test]
fn a_license_whose_log_was_changed_is_said_and_others_go_on() {
    let store = Store::new();
    let pool = store.open();
    for number in ["A", "B"] {
        pool.install(license(number, 3).as_bytes()).unwrap();
    }
    drop(pool);
    let change = "UPDATE entry SET document = replace(document, '3', '9') WHERE ledger = 1";
    assert_eq!(Connection::open(store.path()).unwrap().execute(change, []).unwrap(), 1);
    let world = World::over(store.open(), Options::new()).administered();
    assert_eq!(world.get("/v1/licenses/A").problem(), "503 ledger_faulted");
    assert_eq!(world.get("/v1/licenses/A/usage").problem(), "503 ledger_faulted");
    world.get("/v1/licenses/B").expect(200);
    assert_eq!(world.get(ACTIVE).problem(), "409 ambiguous_license");
    let list = world.get("/v1/licenses").expect(200).value();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["licenseNumber"], "B");
    assert!(world.get("/metrics").expect(200).text.contains(r#"license="B""#));
    world.get("/readyz").expect(200);
}

#[test]
fn a_refusal_says_how_it_stands_and_when_to_ask_again() {
    let world = World::sample();
    world.retain("0025", "first").expect(201);
    let refused = world.retain("0025", "second");
    assert_eq!(refused.problem(), "409 no_license_left");
    let problem = refused.value();
    assert_eq!((&problem["allowedCount"], &problem["usedCount"]), (&json!(1), &json!(1)));
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(world.retain("0042", "second").problem(), "404 unknown_product");
    assert_eq!(world.delete(&format!("{ACTIVE}/sessions/second")).problem(), "404 not_retained");
    let other = world.delete(&format!("{ACTIVE}/sessions/first?token=7"));
    assert_eq!(other.problem(), "404 not_retained");
}

#[test]
fn a_lease_is_fixed_by_who_asks_first() {
    let world = World::sample();
    let retain = |seconds: u64| {
        let body = json!({ "session": described("job-7"), "leaseSeconds": seconds });
        let path = format!("{ACTIVE}/sessions/job-7/products/0009");
        world.ask("PUT", &path).json(&body).send()
    };
    let lease = retain(30).expect(201).value()["lease"].clone();
    assert_eq!((&lease["leaseSeconds"], &lease["renewAfterSeconds"]), (&json!(30), &json!(10)));
    assert_eq!(lease["expiresAt"], "2026-01-05T10:00:30.000Z");
    assert_eq!(retain(600).expect(200).value()["lease"], lease);
    for seconds in [14, 86_401] {
        assert_eq!(retain(seconds).problem(), "422 schema_violation", "{seconds}");
    }
}

#[test]
fn what_expired_is_said_and_counted() {
    let pool = options().open("memory:").unwrap();
    let dated = r#""expirationDate": {"day": 4, "month": 1, "year": 2026}, "products": ["#;
    pool.install(license("A", 1).replace(r#""products": ["#, dated).as_bytes()).unwrap();
    let world = World::over(pool, Options::new()).administered();
    let refused = world.retain("0009", "job-7");
    assert_eq!(refused.problem(), "409 license_expired");
    let detail = refused.value()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("2026-01-04"), "{detail}");
    assert_eq!(refused.header("retry-after"), "", "asking again does not help");
    let counted = r#"license_refusals_total{product="808464441",code="license_expired"} 1"#;
    assert!(world.get("/metrics").text.contains(counted));
}

#[test]
fn where_too_many_wait_already_it_is_said_when_to_come_again() {
    let pool = sample();
    let world = World::over(pool.clone(), Options::new()).administered();
    world.retain("0025", "first").expect(201);
    let wait = |at: usize| {
        let session = format!("waits-{at}");
        let description = Session::rest("ann", &session, "192.0.2.1");
        let (product, session) = ("0025".parse().unwrap(), session.parse().unwrap());
        pool.grant(Retain::new(product, session, description), Some(Duration::from_secs(60)))
    };
    let waiting: Vec<_> = (0..1000).map(wait).collect();
    let full = world.retain_by("0025", "late", "?wait=1s");
    assert_eq!(full.problem(), "503 queue_full");
    assert_eq!(full.header("retry-after"), "5");
    drop(waiting);
}

#[test]
fn who_follows_a_log_that_is_put_back_to_an_earlier_state_is_told_so() {
    let log = MemoryLog::default();
    let pool = options().open_log(log.clone()).unwrap();
    pool.install(SAMPLE.as_bytes()).unwrap();
    let world = World::hurried(pool).administered();
    let backup = log.backup();
    world.retain("0009", "job-7").expect(201);
    let mut events = world.ask("GET", &format!("{ACTIVE}/events?after=2")).follow();
    assert_eq!(events.next(), ": following\n\n");
    log.restore(&backup);
    assert_eq!(events.told(), "id: 1\nevent: reset\ndata: {\"sequence\":1}\n\n");
    // What comes now follows from there.
    world.retain("0009", "job-8").expect(201);
    let heard = events.told();
    assert!(heard.starts_with("id: 2\n") && heard.contains("job-8"), "{heard}");
}

#[test]
fn who_follows_a_log_that_is_put_back_and_goes_on_beyond_is_told_so() {
    let log = MemoryLog::default();
    let pool = options().open_log(log.clone()).unwrap();
    pool.install(SAMPLE.as_bytes()).unwrap();
    let world = World::hurried(pool).administered();
    let backup = log.backup();
    let mut events = world.ask("GET", &format!("{ACTIVE}/events?after=1")).follow();
    assert_eq!(events.next(), ": following\n\n");
    world.retain("0009", "job-7").expect(201);
    assert!(events.told().starts_with("id: 2\n"));
    log.restore(&backup);
    world.retain("0009", "job-8").expect(201);
    world.retain("0009", "job-9").expect(201);
    let heard = events.told();
    let reset = "id: 2\nevent: reset\ndata: {\"sequence\":2}\n\nid: 3\n";
    assert!(heard.starts_with(reset) && heard.contains("job-9"), "{heard}");
}

#[test]
fn what_happens_right_after_what_was_told_is_told_together() {
    let pool = sample();
    let world = World::hurried(pool.clone()).administered();
    let retain = |session: &str| {
        let ann = Session::rest("ann", session, "192.0.2.1");
        pool.retain("0007", session, ann).unwrap().keep();
    };
    let mut events = world.ask("GET", &format!("{ACTIVE}/events")).follow();
    assert!(events.told().ends_with(": following\n\n"));
    retain("first");
    assert!(events.told().contains("first"));
    retain("second");
    assert!(events.waits());
    retain("third");
    let heard = events.told();
    assert!(heard.contains("second") && heard.contains("third"), "{heard}");
}
