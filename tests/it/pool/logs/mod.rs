//! What every log promises to a pool, and to who writes another one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{
    Description, Digest, Entry, Event, Head, Identity, Installed, License, Refused, Released,
    Retained, Stamp, Whom,
};
use license_pool::log::{
    Append, Asked, Found, LedgerId, Log, MemoryLog, ServerRow, Since, SqliteLog, Turn, TurnError,
    Which,
};
use license_pool::{RefusalCode, ReleaseCause, SAMPLE_LICENSE, Session, SessionState};

use super::world::Store;
use crate::postgres::server::database;

mod archive;
mod entries;
mod register;

/// Two logs on one store, as two processes have them, for each kind of store.
fn on_every_log(test: impl Fn(&mut dyn Log, &mut dyn Log)) {
    on_every_log_in(|log, other, _| test(log, other));
}

/// Likewise, with the folder of the file that two processes share.
fn on_every_log_in(test: impl Fn(&mut dyn Log, &mut dyn Log, Option<&Path>)) {
    let log = MemoryLog::default();
    test(&mut log.clone(), &mut log.clone(), None);
    let store = Store::new();
    let open = || SqliteLog::open(&store.path(), true, Duration::from_secs(60)).unwrap();
    test(&mut open(), &mut open(), store.path().parent());
    if let Some(database) = database() {
        test(&mut database.log(), &mut database.log(), None);
    }
}

fn turn(log: &mut dyn Log, appends: Vec<Append>, ends: Vec<ServerRow>) -> Result<(), TurnError> {
    let mut turn = Some(Turn { appends, ends });
    log.turn(&[], &mut |_| turn.take().expect("a turn decides once"))
}

fn append(log: &mut dyn Log, ledger: Option<LedgerId>, number: Option<&str>, entries: &[Entry]) {
    let number = number.map(Arc::from);
    let append = Append { ledger, number, entries: entries.to_vec(), ..Append::default() };
    turn(log, vec![append], Vec::new()).unwrap();
}

fn since(log: &mut dyn Log, known: Option<Head>) -> Since {
    let known = known.map(|head| (LedgerId(1), head));
    let mut news = log.catch_up(&[Asked { license: Which::Only, known }]).unwrap();
    assert_eq!(news.found, [Found::Ledger(LedgerId(1))]);
    news.ledgers.remove(0).1
}

fn head(entry: &Entry) -> Head {
    Head { sequence: entry.sequence, chain: entry.chain }
}

/// One entry of each kind, with and without what is optional. They do not follow from each other.
fn every_kind() -> Vec<Entry> {
    let session = Arc::new("job-7".parse().unwrap());
    let product = "0009".parse().unwrap();
    let token = license_pool::Token::new(7).unwrap();
    let reason: Arc<license_pool::Reason> = Arc::new("why \"so\"".parse().unwrap());
    let described =
        |name: &str| Identity::Kept(Description::new(Session::rest(name, "x", "\u{202e}\n'")));
    let erased = Identity::Erased(Digest::of(b"erased"));
    let license = Arc::new(License::parse(SAMPLE_LICENSE.as_bytes()).unwrap());
    let retained = Retained {
        session: Arc::clone(&session),
        product,
        product_name: "4D Client".into(),
        used_count: 1,
        balance: 9_007_199_254_740_991,
        global_used_count: 2,
        token,
        reason: reason.clone(),
        lease_seconds: Some(license_pool::LeaseSeconds::new(90).unwrap()),
        identity: described("ann"),
    };
    let released = Released {
        token,
        session: session.clone(),
        product,
        cause: ReleaseCause::Revoked,
        note: Some("because".into()),
    };
    let refused = Refused {
        product,
        code: RefusalCode::NoLicenseLeft,
        allowed_count: 1,
        used_count: 1,
        times: 3,
        whom: Whom::Session {
            session: session.clone(),
            reason,
            identity: described("eve"),
            waited_seconds: Some(30),
        },
    };
    let others = Refused { whom: Whom::Others { sessions: 2 }, ..refused.clone() };
    let installed = Installed { license, replaced_number: Some("OLD".into()), signed: true };
    let events = [
        Event::Installed(Installed { replaced_number: None, signed: false, ..installed.clone() }),
        Event::Installed(installed),
        Event::Retained(Arc::new(Retained {
            lease_seconds: None,
            identity: erased.clone(),
            ..retained.clone()
        })),
        Event::Retained(Arc::new(retained)),
        Event::Released(Released { note: None, ..released.clone() }),
        Event::Released(released),
        Event::Refused(Box::new(refused)),
        Event::Refused(Box::new(others)),
        Event::StateChanged { session: session.clone(), state: SessionState::Sleeping },
        Event::Described { session: session.clone(), identity: erased },
        Event::Described { session: session.clone(), identity: described("zoë") },
        Event::Moved { sessions: vec![session.clone(), Arc::new("job-8".parse().unwrap())] },
        Event::Adopted { from_server: Arc::new("db1".parse().unwrap()), from_epoch: 3 },
        Event::ClockCorrected,
        Event::Uninstalled { number: "SAMPLE-0001".into() },
    ];
    let stamp = Stamp {
        server: Arc::new("db2:7427".parse().unwrap()),
        epoch: 4,
        batch: Arc::new("0123456789abcdef0123456789abcdef".parse().unwrap()),
        principal: Some(Arc::new("lk_3f9a".parse().unwrap())),
    };
    let time = |at: i64| Timestamp::from_millisecond(1_767_607_200_123 + at).unwrap();
    let entries = events.into_iter().zip(1..).map(|(event, sequence)| Entry {
        sequence,
        time: time(sequence.cast_signed()),
        stamp: if sequence % 2 == 0 { stamp.clone() } else { Stamp::local() },
        event,
        chain: Digest::of(&sequence.to_be_bytes()),
    });
    entries.collect()
}
