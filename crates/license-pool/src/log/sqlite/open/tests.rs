//! What a store stands on, and what it was written by, as far as a test cannot arrange it for real.

use tempfile::TempDir;

use super::*;
use crate::log::{Archive as _, LedgerId, Log as _, LogError, Server};

const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/stores/format-1.db");

#[test]
fn where_processes_do_not_see_each_others_locks_no_store_is_opened_or_created() {
    let (_folder, path) = place();
    let open = |create, file_system: Option<&str>| {
        let unfit = file_system.map(str::to_owned);
        open_on(&path, create, Duration::ZERO, |_| Ok(Ground { unfit, read_only: false }))
    };
    let error = open(true, Some("NFS")).unwrap_err();
    assert!(matches!(&error, OpenError::FileSystem { file_system, .. } if file_system == "NFS"));
    assert!(error.to_string().contains("`license serve`"), "{error}");
    assert!(!path.exists());
    drop(open(true, None).unwrap());
    assert!(matches!(open(false, Some("9p")), Err(OpenError::FileSystem { .. })));
    drop(open(false, None).unwrap());
}

#[cfg(unix)]
#[test]
fn whatever_name_leads_to_a_store_those_who_share_it_meet() {
    let (folder, path) = place();
    let mut one = open(&path, true, Duration::ZERO).unwrap();
    one.register(server("west", "a")).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut other = open(&link, false, Duration::ZERO).unwrap();
    let error = other.register(server("west", "b")).unwrap_err();
    assert!(matches!(error, LogError::Taken { .. }), "{error:?}");
    one.line_up();
    let error = other.register(server("east", "c")).unwrap_err();
    assert!(matches!(error, LogError::Busy { .. }), "{error:?}");
}

#[test]
fn a_store_of_any_format_is_read_where_nothing_can_be_written() {
    for older in [true, false] {
        let (folder, path) = place();
        fs::copy(FORMAT_1, &path).unwrap();
        if !older {
            drop(open(&path, false, Duration::ZERO).unwrap());
        }
        let before = content(&folder);
        let mut log = open_read_only(&path).unwrap();
        assert_eq!(log.format().unwrap(), format::FORMAT);
        assert_eq!(log.page(LedgerId(1), 0, 100).unwrap().len(), 6);
        assert!(log.damage().unwrap().is_empty());
        let turn = log.turn(&[], &mut |_| panic!("nothing is decided")).unwrap_err();
        let error = std::error::Error::source(&turn).unwrap();
        let cause = error.source().unwrap().to_string();
        assert_eq!(cause, "it lies where nothing can be written");
        assert!(log.connection.execute("DELETE FROM entry", []).is_err());
        drop(log);
        assert!(content(&folder) == before);
    }
}

#[test]
fn a_store_whose_last_entries_cannot_be_read_is_not_read_as_less_than_it_is() {
    let (_folder, path) = place();
    let mut busy = open(&path, true, Duration::ZERO).unwrap();
    busy.register(server("busy", "a")).unwrap();
    let error = open_read_only(&path).unwrap_err();
    let OpenError::Unavailable { source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("-wal"), "{source}");
    drop(busy);
    open_read_only(&path).unwrap();
}

#[test]
fn a_store_that_an_older_server_uses_is_read_and_left_as_it_is() {
    let (_folder, path) = place();
    fs::copy(FORMAT_1, &path).unwrap();
    let name = ServerName::new("db1:7427").unwrap();
    let lives = Presences::of(&path).take(&name).ok().unwrap();
    let mut log = open(&path, true, Duration::ZERO).unwrap();
    assert_eq!(log.page(LedgerId(1), 0, 100).unwrap().len(), 6);
    assert_eq!(log.ledgers().unwrap().len(), 2);
    assert!(log.damage().unwrap().is_empty());
    assert_eq!(log.catch_up(&[]).unwrap().sealed_to, None);
    let error = log.turn(&[], &mut |_| panic!("nothing is decided")).unwrap_err();
    let reason = crate::explained(&error);
    assert!(reason.contains("`db1:7427`") && reason.contains("update it"), "{reason}");
    let error = log.register(server("west", "a")).unwrap_err();
    assert!(crate::explained(&error).ends_with("the store can only be read"), "{error}");
    assert!(log.connection.execute("DELETE FROM entry", []).is_err());
    assert!(fs::read(&path).unwrap() == fs::read(FORMAT_1).unwrap());
    assert!(fs::read(path.with_extension("db-wal")).unwrap().is_empty());
    // What the older server writes is seen by who was there before.
    let older = connect(&path).unwrap();
    assert_eq!(log.changed().unwrap(), Some(true));
    assert_eq!(log.changed().unwrap(), Some(false));
    older.execute("INSERT INTO license_number VALUES ('again', 1, 1)", []).unwrap();
    assert_eq!(log.changed().unwrap(), Some(true));
    let numbers = log.ledgers().unwrap().remove(0).numbers;
    assert!(numbers.iter().any(|number| number == "again"), "{numbers:?}");
    assert_eq!(format::of(&older).unwrap(), 1);
    drop((log, lives));
    let mut raised = open(&path, false, Duration::ZERO).unwrap();
    raised.register(server("west", "a")).unwrap();
    assert_eq!(format::of(&older).unwrap(), 2);
}

#[test]
fn a_store_that_a_newer_version_raises_is_used_no_more_by_who_has_it_open() {
    let (_folder, path) = place();
    let mut log = open(&path, true, Duration::ZERO).unwrap();
    assert!(log.catch_up(&[]).is_ok());
    connect(&path).unwrap().execute("UPDATE store SET format = format + 1", []).unwrap();
    let newer = |error: &dyn std::error::Error| {
        let reason = crate::explained(error);
        assert!(reason.contains("store format 3"), "{reason}");
    };
    newer(&log.turn(&[], &mut |_| panic!("nothing is decided")).unwrap_err());
    newer(&log.register(server("west", "a")).unwrap_err());
    newer(&log.catch_up(&[]).unwrap_err());
    newer(&log.discard_snapshots(LedgerId(1), 1).unwrap_err());
}

#[test]
fn whoever_writes_keeps_nobody_from_opening_a_store_and_reading_it() {
    let (_folder, path) = place();
    drop(open(&path, true, Duration::ZERO).unwrap());
    let writer = connect(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut log = open(&path, false, Duration::ZERO).unwrap();
    assert!(log.ledgers().unwrap().is_empty());
}

#[test]
fn a_name_is_taken_for_as_long_as_its_server_lives() {
    let (folder, path) = place();
    let log = || open(&path, true, Duration::from_secs(600)).unwrap();
    let [mut first, mut second, mut other] = [log(), log(), log()];
    first.register(server("../db1: 7427/\u{1F600}", "a")).unwrap();
    let error = second.register(server("../db1: 7427/\u{1F600}", "b")).unwrap_err();
    let LogError::Taken { holder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*holder, Some(std::process::id()));
    // Nothing of the first was touched; it ends like a process that is killed.
    first.catch_up(&[]).unwrap();
    drop(first);
    assert_eq!(second.register(server("../db1: 7427/\u{1F600}", "b")).unwrap(), 2);
    // Whoever comes removes what the dead left, and whoever leaves removes the own.
    drop(second);
    other.register(server("pool", "c")).unwrap();
    let files = || fs::read_dir(folder.path().join("license.db-servers")).unwrap().count();
    assert_eq!(files(), 1);
    other.leave().unwrap();
    assert_eq!(files(), 0);
}

fn server(name: &str, instance: &str) -> Server {
    Server {
        name: ServerName::new(name).unwrap(),
        instance: instance.to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: false,
    }
}

fn place() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("license.db");
    (folder, path)
}

fn open_read_only(path: &Path) -> Result<SqliteLog, OpenError> {
    open_on(path, false, Duration::ZERO, |_| Ok(Ground { unfit: None, read_only: true }))
}

/// Every file of the folder.
fn content(folder: &TempDir) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}
