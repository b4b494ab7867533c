//! Copies of whole stores, between the kinds of them, and what becomes of a store that was sealed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use jiff::SignedDuration;
use license_pool::{
    CopyError, CopyOptions, CredentialRole, Entry, Error, KeptCredential, OpenError, Options, Pool,
    Release, Retain, Session, StoreUrl, Target, copy,
};
use rusqlite::Connection;

use super::world::{Store, clock, holders, license, options, reports, retain};
use crate::postgres::server::database;

const SEAL: CopyOptions = CopyOptions { seal: true, password: None, target_password: None };

fn url(text: &str) -> StoreUrl {
    text.parse().unwrap()
}

fn open(url: &StoreUrl) -> Pool {
    options().must_exist().open_url(url).unwrap()
}

fn history(pool: &Pool, number: &str) -> Vec<Entry> {
    pool.license(number).history().map(Result::unwrap).collect()
}

/// Two licenses, one of which was renewed under another number, and something of every kind held.
fn busy(pool: &Pool) {
    pool.install(license("A", 3).as_bytes()).unwrap();
    pool.install(license("B", 1).as_bytes()).unwrap();
    let renewal = license_pool::InstallOptions { replaces: Some("A".to_owned()), dry_run: false };
    pool.install_with(license("A-2", 2).as_bytes(), renewal).wait().unwrap();
    for (number, session) in [("A-2", "one"), ("A-2", "two"), ("B", "three")] {
        retain(&pool.license(number), "0009", session).unwrap().keep();
    }
    retain(&pool.license("A"), "0009", "refused").unwrap_err();
    pool.license("A").release("one", None).unwrap();
}

/// A place for a store, which goes with the test.
struct Place {
    url: StoreUrl,
    _goes: Box<dyn Any>,
}

fn file() -> Place {
    let store = Store::new();
    Place { url: url(&store.url()), _goes: Box::new(store) }
}

/// A place of each kind.
fn places() -> Vec<Place> {
    let database = database();
    let database = database.map(|it| Place { url: url(&it.address()), _goes: Box::new(it) });
    [Some(file()), database].into_iter().flatten().collect()
}

#[test]
fn a_copy_is_the_same_store_wherever_it_is() {
    for from in places() {
        busy(&options().open_url(&from.url).unwrap());
        for to in places() {
            let copied = copy(&from.url, &to.url, &CopyOptions::default(), |_, _| {}).unwrap();
            assert_eq!((copied.ledgers.get(), copied.entries.get()), (2, 8));
            assert!(copied.faults.is_empty(), "{:?}", copied.faults);
            let (before, after) = (open(&from.url), open(&to.url));
            for number in ["A", "B"] {
                assert_eq!(history(&after, number), history(&before, number));
                let [before, after] = [&before, &after].map(|pool| pool.license(number));
                assert_eq!(reports(&after), reports(&before));
            }
            let check = after.check().unwrap();
            assert!(check.faults.is_empty() && check.ledgers.iter().all(|l| l.sound), "{check:?}");
            // It goes on where the other was.
            assert_eq!(retain(&after.license("A"), "0009", "four").unwrap().token().get(), 3);
            after.install(license("C", 1).as_bytes()).unwrap();
            assert_eq!(after.licenses().unwrap(), ["A-2", "B", "C"]);
        }
    }
}

#[test]
fn both_kinds_of_store_have_the_same_tables_and_columns() {
    let Some(database) = database() else { return };
    let store = Store::new();
    drop((store.open(), database.open()));
    let file = Connection::open(store.path()).unwrap();
    let mut statement = file
        .prepare(
            "SELECT made.name || '.' || part.name || CASE WHEN part.pk > 0 THEN ' ' || part.pk ELSE '' END
             FROM sqlite_schema AS made JOIN pragma_table_info(made.name) AS part
             WHERE made.type = 'table' AND made.name NOT GLOB 'sqlite_*' AND made.name <> 'store'",
        )
        .unwrap();
    let columns = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut columns: Vec<String> = columns.map(Result::unwrap).collect();
    columns.sort();
    let others = database.sql(
        "SELECT part.table_name || '.' || part.column_name
                || coalesce(' ' || key.ordinal_position, '')
         FROM information_schema.columns AS part
         JOIN information_schema.tables AS made USING (table_schema, table_name)
         LEFT JOIN information_schema.key_column_usage AS key
           ON key.table_schema = part.table_schema AND key.table_name = part.table_name
              AND key.column_name = part.column_name AND key.constraint_name LIKE '%_pkey'
         WHERE part.table_schema = 'license' AND made.table_type = 'BASE TABLE'
           AND part.table_name <> 'store'",
    );
    let mut others: Vec<String> = others.lines().map(str::to_owned).collect();
    others.sort();
    assert_eq!(columns, others);
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let (from, to) = (Store::new(), Store::new());
    busy(&from.open());
    to.open().install(license("OTHER", 1).as_bytes()).unwrap();
    let before = to.content();
    let copied = copy(&url(&from.url()), &url(&to.url()), &SEAL, |_, _| {});
    assert!(matches!(copied, Err(CopyError::Target(OpenError::Occupied { .. }))), "{copied:?}");
    assert_eq!(to.content(), before);
    std::fs::write(to.path(), "no store at all, but a text of somebody").unwrap();
    let copied = copy(&url(&from.url()), &url(&to.url()), &SEAL, |_, _| {});
    assert!(matches!(copied, Err(CopyError::Target(OpenError::Occupied { .. }))), "{copied:?}");
    // Nothing was sealed for a copy that was never made.
    retain(&from.open().license("A"), "0009", "four").unwrap().keep();
    let memory = copy(&StoreUrl::Memory, &url(&to.url()), &SEAL, |_, _| {});
    assert!(matches!(memory, Err(CopyError::Memory)));
}

#[test]
fn a_copy_that_was_interrupted_is_no_store_and_another_begins_anew() {
    for Place { url: to, _goes } in places() {
        let from = Store::new();
        busy(&from.open());
        let interrupted = catch_unwind(AssertUnwindSafe(|| {
            copy(&url(&from.url()), &to, &SEAL, |_, _| panic!("the machine goes down"))
        }));
        assert!(interrupted.is_err());
        let opened = options().open_url(&to).unwrap_err();
        assert!(matches!(opened, OpenError::Unfinished { .. }), "{opened:?}");
        // The store that was to be copied goes on, and what it learns is copied the next time.
        retain(&from.open().license("A"), "0009", "four").unwrap().keep();
        copy(&url(&from.url()), &to, &SEAL, |_, _| {}).unwrap();
        assert_eq!(history(&open(&to), "A"), history(&local(&from), "A"));
        assert_eq!(holders(&open(&to).license("A")), ["two", "four"]);
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_is_replaced_while_it_is_copied_is_not_said_to_be_copied_or_sealed() {
    let (from, to) = (Store::new(), Store::new());
    busy(&from.open());
    let aside = from.path().with_extension("aside");
    let copied = copy(&url(&from.url()), &url(&to.url()), &SEAL, |_, _| {
        std::fs::copy(from.path(), &aside).unwrap();
        std::fs::rename(&aside, from.path()).unwrap();
    });
    assert!(matches!(copied, Err(CopyError::Read(_))), "{copied:?}");
    retain(&from.open().license("A"), "0009", "four").unwrap().keep();
}

#[test]
fn two_copies_never_go_to_one_place_at_once() {
    for Place { url: to, _goes } in places() {
        let (from, other) = (Store::new(), Store::new());
        busy(&from.open());
        busy(&other.open());
        copy(&url(&from.url()), &to, &CopyOptions::default(), |_, _| {
            let second = copy(&url(&other.url()), &to, &CopyOptions::default(), |_, _| {});
            let error = second.unwrap_err();
            let CopyError::Target(OpenError::Unavailable { source, .. }) = error else {
                panic!("{error:?}");
            };
            assert!(source.to_string().contains("copies to the same place"), "{source}");
        })
        .unwrap();
    }
}

/// A log of more entries than are copied at once, in which only `kept` holds anything.
fn long(pool: &Pool) {
    pool.install(license("A", 9999).as_bytes()).unwrap();
    let kept = pool.retain("0009", "kept", Session::rest("user of kept", "kept", "::1")).unwrap();
    kept.keep();
    let mut seats = Vec::new();
    for job in 0..1200 {
        let session = format!("job-{job}");
        let described = Session::rest(format!("user of {session}"), &session, "::1");
        let (product, session) = ("0009".parse().unwrap(), session.parse().unwrap());
        seats.push(pool.retain_with(Retain::new(product, session, described)));
    }
    // Seats of a pool that was closed are not released.
    let seats: Vec<_> = seats.into_iter().map(|seat| seat.wait().unwrap()).collect();
    let released: Vec<_> = seats
        .iter()
        .map(|seat| pool.release_with(Release::new(Target::Token(seat.token()))))
        .collect();
    released.into_iter().for_each(|released| drop(released.wait().unwrap()));
}

#[test]
fn what_is_erased_or_deleted_while_it_is_copied_is_in_no_copy() {
    let erases: fn(Options) -> Options = |options| options.identities(Duration::ZERO);
    let deletes: fn(Options) -> Options = |options| options.history(Duration::ZERO);
    for (forgets, seal) in [(erases, true), (deletes, false)] {
        for from in places() {
            long(&options().open_url(&from.url).unwrap());
            let to = file();
            let mut forgot = false;
            let seal = CopyOptions { seal, ..CopyOptions::default() };
            let copied = copy(&from.url, &to.url, &seal, |_, _| {
                if !std::mem::replace(&mut forgot, true) {
                    let clock = clock();
                    clock.advance(SignedDuration::from_hours(1));
                    let options = forgets(Pool::options().local().clock(clock));
                    options.open_url(&from.url).unwrap().archive().unwrap();
                }
            });
            assert!(copied.unwrap().faults.is_empty());
            let local = |url| options().local().must_exist().open_url(url).unwrap();
            assert!(history(&local(&to.url), "A") == history(&local(&from.url), "A"));
            assert!(local(&to.url).check().unwrap().ledgers[0].sound);
            assert_eq!(holders(&local(&to.url)), ["kept"]);
            let StoreUrl::Sqlite(path) = &to.url else { unreachable!("it is a file") };
            let bytes = std::fs::read(path).unwrap();
            let found = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
            assert!(found("user of kept") && !found("user of job-"));
        }
    }
}

/// The store as a single command has it, for which no server needs to be registered.
fn local(store: &Store) -> Pool {
    options().local().must_exist().open(&store.url()).unwrap()
}

#[test]
fn a_sealed_store_can_only_be_read_whoever_has_it_open() {
    for from in places() {
        let to = file();
        can_only_be_read(&from.url, &to.url);
    }
}

fn can_only_be_read(from: &StoreUrl, to: &StoreUrl) {
    let serving = options().server("db1:7427".parse().unwrap()).open_url(from).unwrap();
    busy(&serving);
    let command = options().local().open_url(from).unwrap();
    assert!(copy(from, to, &SEAL, |_, _| {}).unwrap().sealed);
    let target = to.to_string();
    let sealed = |error: Error| {
        assert!(matches!(&error, Error::Sealed { target: named } if *named == target), "{error:?}");
        assert!(!error.is_transient());
    };
    for pool in [serving, command, options().local().open_url(from).unwrap()] {
        let license_a = pool.license("A");
        sealed(retain(&license_a, "0009", "four").unwrap_err());
        sealed(license_a.renew("two", None).unwrap_err());
        sealed(license_a.release("two", None).unwrap_err());
        sealed(pool.install(license("C", 1).as_bytes()).unwrap_err());
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        let (kept, _) = KeptCredential::make(CredentialRole::Admin, None, now, None).unwrap();
        sealed(pool.keep_credential(kept).wait().unwrap_err());
        assert_eq!(holders(&license_a), ["two"]);
        assert_eq!(history(&pool, "A"), history(&open(to), "A"));
        assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
    }
    let opened = options().open_url(from).unwrap_err();
    let OpenError::Sealed { target: named, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(named, target);
    let elsewhere = Store::new();
    let again = copy(from, &url(&elsewhere.url()), &SEAL, |_, _| {}).unwrap_err();
    assert!(matches!(again, CopyError::Source(OpenError::Sealed { .. })), "{again:?}");
    // The server goes on with the copy, under its name.
    let moved = options().server("db1:7427".parse().unwrap()).open_url(to).unwrap();
    moved.license("A").release("two", None).unwrap();
}

#[test]
fn what_others_retain_and_release_meanwhile_is_in_the_copy_or_was_refused() {
    for Place { url: from, _goes } in places() {
        options().open_url(&from).unwrap().install(license("A", 32767).as_bytes()).unwrap();
        let (began, begun) = mpsc::channel();
        let to = file();
        let acknowledged: Vec<Vec<String>> = std::thread::scope(|scope| {
            let worker = |name: &'static str| {
                let (from, began) = (&from, began.clone());
                scope.spawn(move || work_until_it_is_sealed(from, name, &began))
            };
            let workers = [worker("a"), worker("b")];
            begun.recv().unwrap();
            begun.recv().unwrap();
            copy(&from, &to.url, &SEAL, |_, _| {}).unwrap();
            workers.map(|worker| worker.join().unwrap()).into()
        });
        // A single command takes nothing over; to a server, those who served the source are dead.
        let copied = options().local().open_url(&to.url).unwrap();
        let (mut held, mut found) = (acknowledged.concat(), holders(&copied));
        held.sort();
        found.sort();
        assert_eq!(found, held);
        assert!(held.len() > 10);
        assert!(copied.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
    }
}

/// Retains and releases in turn; gives what is held then, of what was acknowledged. Tells when it is
/// well under way.
fn work_until_it_is_sealed(store: &StoreUrl, name: &str, began: &mpsc::Sender<()>) -> Vec<String> {
    let pool = options().open_url(store).unwrap();
    let mut held = Vec::new();
    for number in 0..5_000 {
        if number == 20 {
            began.send(()).unwrap();
        }
        let session = format!("{name}{number}");
        match retain(&pool, "0009", &session) {
            Ok(seat) => seat.keep(),
            Err(Error::Sealed { .. }) => break,
            Err(error) => panic!("{error:?}"),
        };
        held.push(session.clone());
        if number % 2 == 1 {
            match pool.release(&session, None) {
                Ok(_) => drop(held.pop()),
                Err(Error::Sealed { .. }) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    held
}
