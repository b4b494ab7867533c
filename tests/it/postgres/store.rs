//! The store in the database: ours, readable, and refused where it could lose what it acknowledged.

use std::sync::Arc;

use license_cli::Exit;
use license_core::{Chunk, Digest};
use license_pool::log::LedgerId;
use license_pool::{
    CredentialRole, Error, KeptCredential, Log as _, OpenError, Pool, explained, log,
};

use super::server::{self, Database, Server};
use crate::cli::shell::Shell;
use crate::pool::world::{holders, license, options, reports, retain};

#[test]
fn a_store_is_created_by_the_first_and_found_by_the_next() {
    let Some(database) = server::database() else { return };
    let error = options().must_exist().open(&database.address()).unwrap_err();
    assert!(matches!(&error, OpenError::Missing { store } if *store == database.address()));
    assert_eq!(database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'license'"), "0");

    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    let before = reports(&pool);
    drop(pool);
    let pool = database.open_as(options().must_exist());
    assert_eq!(reports(&pool), before);
    retain(&pool, "0009", "two").unwrap().keep();
    assert_eq!(holders(&pool), ["one", "two"]);
}

#[test]
fn pools_that_create_a_store_at_once_get_the_same() {
    let Some(database) = server::database() else { return };
    std::thread::scope(|scope| {
        let open = || scope.spawn(|| database.open());
        let pools: Vec<Pool> =
            [open(), open(), open(), open()].map(|pool| pool.join().unwrap()).into();
        pools[0].install(license("A", 2).as_bytes()).unwrap();
        for pool in &pools {
            assert_eq!(pool.licenses().unwrap(), ["A"]);
        }
    });
}

#[test]
fn pools_that_install_the_same_license_at_once_install_it_once() {
    let Some(database) = server::database() else { return };
    for number in ["A", "B", "C"] {
        let pools = [database.open(), database.open(), database.open()];
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| pool.install(license(number, 2).as_bytes()).unwrap());
            }
        });
    }
    assert_eq!(database.open().licenses().unwrap(), ["A", "B", "C"]);
    assert_eq!(database.sql("SELECT count(*) FROM license.ledger"), "3");
    assert_eq!(database.sql("SELECT count(*) FROM license.entry"), "3");
}

#[test]
fn an_auditor_reads_what_is_held() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 5).as_bytes()).unwrap();
    pool.install(license("B", 5).as_bytes()).unwrap();
    let (a, b) = (pool.license("A"), pool.license("B"));
    for (pool, session) in [(&a, "one"), (&b, "two"), (&a, "three")] {
        retain(pool, "0009", session).unwrap().keep();
    }
    a.release("one", None).unwrap();
    let held = "SELECT license_number, token, session_id FROM license.held";
    assert_eq!(database.sql(held), "A|2|three\nB|1|two");
    let kinds = "SELECT kind FROM license.entry WHERE ledger = 1 ORDER BY sequence";
    assert_eq!(database.sql(kinds), "installed\nretained\nretained\nreleased");
}

#[test]
fn a_schema_of_something_else_is_refused_and_left_as_it_is() {
    for made in [
        "CREATE SCHEMA license; CREATE TABLE license.customer (name text)",
        "CREATE SCHEMA license; CREATE TABLE license.store (shelf text)",
        "CREATE SCHEMA license; CREATE TABLE license.store (engine text, format bigint);
         INSERT INTO license.store VALUES ('another', 1)",
    ] {
        let Some(database) = server::database() else { return };
        database.sql(made);
        let relations = "SELECT relname FROM pg_class WHERE relnamespace = 'license'::regnamespace";
        let before = database.sql(relations);
        let error = options().open(&database.address()).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
        assert_eq!(database.sql(relations), before);
    }
}

#[test]
fn a_store_of_another_format_is_refused_and_left_as_it_is() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    drop(pool);
    for (format, cure) in [
        ("-1", "choose another place"),
        ("0", "put a backup in its place"),
        ("1", "put a backup in its place"),
        ("3", "use a newer version"),
        ("9007199254740993", "use a newer version"),
    ] {
        let rows = "SELECT format, sealed_to, (SELECT count(*) FROM license.entry),
            (SELECT string_agg(server::text, ';') FROM license.server) FROM license.store";
        database.sql(&format!("UPDATE license.store SET format = {format}"));
        let before = database.sql(rows);
        let error = options().open(&database.address()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(cure) && said.contains(&database.address()), "{format}: {said}");
        match error {
            OpenError::Newer { format: found, known: 2, .. }
            | OpenError::Unreadable { format: found, known: 2, .. } => {
                assert_eq!(found.to_string(), format);
            }
            error => assert!(matches!(error, OpenError::Foreign { .. }), "{format}: {error:?}"),
        }
        assert_eq!(database.sql(rows), before);
    }
    database.sql("UPDATE license.store SET format = 2");
    assert_eq!(database.open().licenses().unwrap(), ["A"]);
}

#[test]
fn a_store_that_a_newer_version_raises_is_used_no_more_by_who_has_it_open() {
    let Some(database) = server::database() else { return };
    let pool = database.open_as(options().local());
    pool.install(license("A", 2).as_bytes()).unwrap();
    let mut registers = database.log();
    let written = "SELECT (SELECT count(*) FROM license.entry),
        (SELECT count(*) FROM license.entry WHERE description IS NOT NULL),
        (SELECT count(*) FROM license.snapshot), (SELECT count(*) FROM license.credential),
        (SELECT count(*) FROM license.server)";
    retain(&pool, "0009", "kept").unwrap().keep();
    let (id, all) = (LedgerId(1), b"all".to_vec());
    let chunk = Chunk { digest: Some(Digest::of(&all)), bytes: all };
    // Each on a connection of its own: whoever was told opens another, and that looks anew.
    let [mut snapshots, mut chunks, mut keeps, mut discards, mut deletes, mut erases, mut kept] =
        std::array::from_fn(|_| database.log());
    for sequence in [2, 3] {
        keeps.archive().unwrap().keep(id, sequence, 0, &chunk).unwrap();
    }
    let before = database.sql(written);
    database.sql("UPDATE license.store SET format = 3");
    let newer = |error: &dyn std::error::Error| {
        let said = explained(error);
        assert!(said.contains("format 3, which a newer version wrote"), "{said}");
    };
    newer(&retain(&pool, "0009", "one").unwrap_err());
    newer(&pool.usage(None).unwrap_err());
    let east = log::Server {
        name: "east".parse().unwrap(),
        instance: "i".to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: false,
    };
    newer(&registers.register(east).unwrap_err());
    newer(&snapshots.archive().unwrap().snapshots(id).unwrap_err());
    newer(&chunks.archive().unwrap().chunk(id, 2, 0).unwrap_err());
    newer(&keeps.archive().unwrap().keep(id, 4, 0, &chunk).unwrap_err());
    newer(&discards.archive().unwrap().discard_snapshots(id, 1).unwrap_err());
    newer(&deletes.archive().unwrap().discard_entries(id, 1, 9).unwrap_err());
    newer(&erases.archive().unwrap().erase(id, &[2]).unwrap_err());
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    let (made, _) = KeptCredential::make(CredentialRole::Admin, None, now, None).unwrap();
    newer(&kept.keep_credential(&made).unwrap_err());
    assert_eq!(database.sql(written), before);
}

#[test]
fn a_database_that_may_lose_what_it_acknowledged_is_refused() {
    let Some(database) = server::database() else { return };
    for level in ["off", "local", "remote_write"] {
        database.sql(&format!("ALTER DATABASE {} SET synchronous_commit = {level}", database.name));
        let said = refusal(&database);
        assert!(said.contains(&format!("`synchronous_commit` at `{level}`")), "{said}");
        assert!(said.contains("`on` or `remote_apply`"), "{said}");
    }
    for level in ["on", "remote_apply"] {
        database.sql(&format!("ALTER DATABASE {} SET synchronous_commit = {level}", database.name));
        drop(database.open());
    }
    let server = Arc::new(Server::start(&[("fsync", "off")]).unwrap());
    let said = refusal(&server.database());
    assert!(said.contains("`fsync` at `off`") && said.contains("set it to `on`"), "{said}");
}

fn refusal(database: &Database) -> String {
    let error = options().open(&database.address()).unwrap_err();
    let OpenError::Unavailable { source, .. } = error else { panic!("{error:?}") };
    source.to_string()
}

#[test]
fn texts_that_postgresql_does_not_keep_come_back_as_they_were() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    let (number, name) = ("A\0\u{FDD0}", "4D\0 Client");
    let document = license("NUMBER", 3).replace("NUMBER", "A\\u0000\\uFDD0");
    let document = document.replace("4D Client", "4D\\u0000 Client");
    match pool.install(document.as_bytes()) {
        Ok(_) => {
            let pool = pool.license(number);
            assert_eq!(retain(&pool, "0009", "one").unwrap().record().product_name, name);
            assert_eq!(pool.licenses().unwrap(), [number]);
        }
        // Such a number may be refused for what it does to addresses.
        Err(error) => assert!(!error.is_transient(), "{error:?}"),
    }
    // Whatever may be asked for, it does not break the turn of others.
    pool.install(license("B", 3).as_bytes()).unwrap();
    let odd = pool.license("\0");
    let (odd, sound) = (odd.usage_async(None), pool.license("B").usage_async(None));
    assert!(!odd.wait().unwrap_err().is_transient());
    sound.wait().unwrap();
    assert!(database.open().check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
}

#[test]
fn a_log_that_lost_its_end_or_was_changed_is_found_out() {
    for (damage, place) in [
        ("DELETE FROM license.entry WHERE sequence = 3", 3),
        ("UPDATE license.entry SET session_id = 'two' WHERE sequence = 2", 2),
        ("UPDATE license.entry SET time = 'noon' WHERE sequence = 2", 2),
        ("UPDATE license.ledger SET chain = repeat('0', 64)", 3),
    ] {
        let Some(database) = server::database() else { return };
        let pool = database.open();
        pool.install(license("A", 2).as_bytes()).unwrap();
        retain(&pool, "0009", "one").unwrap().keep();
        pool.release("one", None).unwrap();
        drop(pool);
        database.sql(damage);
        let pool = database.open();
        let error = retain(&pool, "0009", "three").unwrap_err();
        assert!(
            matches!(error, Error::LedgerFaulted { sequence, .. } if sequence == place),
            "{error:?}"
        );
        assert!(!pool.check().unwrap().ledgers[0].sound);
    }
}

#[test]
fn an_end_that_is_lost_under_a_pool_is_found_out() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    // Another server appended an entry of which only the ledger's row is left.
    database.sql("UPDATE license.ledger SET sequence = 3, chain = repeat('0', 64)");
    let error = pool.usage(None).unwrap_err();
    assert!(matches!(error, Error::LedgerFaulted { sequence: 3, .. }), "{error:?}");
    let error = retain(&pool, "0009", "two").unwrap_err();
    assert!(matches!(error, Error::LedgerFaulted { sequence: 3, .. }), "{error:?}");
}

#[test]
fn the_command_line_takes_the_password_from_a_file_or_the_environment() {
    let Some(database) = server::database() else { return };
    let mut shell = Shell::new();
    shell.file("license.json", license("A", 2));
    shell.variables.insert("LICENSE_STORE".into(), database.address().into());
    let missing = shell.run("info");
    assert_eq!(missing.exit, Exit::Unreachable, "{missing}");
    let trial = shell.run("install license.json --dry-run");
    assert_eq!(trial.exit, Exit::Done, "{trial}");
    assert_eq!(shell.run("info").exit, Exit::Unreachable, "a trial creates nothing");
    for line in ["install license.json", "retain --product 0009 --session one", "store check"] {
        let output = shell.run(line);
        assert_eq!(output.exit, Exit::Done, "{line}: {output}");
    }
    assert_eq!(database.sql("SELECT session_id FROM license.held"), "one");

    // From here on the server asks for a password.
    let asks = database.name.clone() + "_user";
    database.sql(&format!("CREATE ROLE {asks} LOGIN SUPERUSER PASSWORD 'geheim'"));
    let rules = format!("local all {asks} scram-sha-256\nlocal all all trust\n");
    std::fs::write(database.server.data().join("pg_hba.conf"), rules).unwrap();
    database.sql("SELECT pg_reload_conf()");
    let address = database.address().replace("postgres@", &format!("{asks}@"));
    shell.variables.insert("LICENSE_STORE".into(), address.into());
    server::until("the server asks", || shell.run("usage").exit == Exit::Unreachable);
    shell.file("password", "geheim\n");
    shell.variables.insert("LICENSE_STORE_PASSWORD_FILE".into(), "password".into());
    assert_eq!(shell.run("usage").exit, Exit::Done);
    shell.variables.insert("LICENSE_STORE_PASSWORD".into(), "wrong".into());
    let output = shell.run("usage");
    assert_eq!(output.exit, Exit::Unreachable, "{output}");
    assert!(output.to_string().contains("password authentication failed"), "{output}");
}
