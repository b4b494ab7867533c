//! The real binary: how it is wired to the process around it, and what outlives the process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const LICENSE: &str = include_str!("../demo/license.json");

fn license(directory: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_license"));
    command.args(words.split_whitespace()).current_dir(directory);
    command.env_remove("LICENSE_STORE").env_remove("LICENSE_NUMBER").stdin(Stdio::null());
    command
}

/// Runs a command that succeeds and gives what it printed.
fn run(directory: &Path, words: &str) -> String {
    let Output { status, stdout, stderr } = license(directory, words).output().unwrap();
    assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// A directory with a license installed in `license.db`.
fn installed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("license.json"), LICENSE).unwrap();
    run(directory.path(), "install license.json");
    directory
}

#[test]
fn streams_and_exit_codes_are_those_of_the_process() {
    let directory = installed();
    let mut install = license(directory.path(), "install - --json");
    let mut child = install.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(LICENSE.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"unchanged\""));

    let refused = license(directory.path(), "retain --product 12 --session a").output().unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(3), 0));
    assert!(refused.stderr.starts_with(b"license: "));

    let store = directory.path().join("license.db");
    let mut elsewhere = license(&std::env::temp_dir(), "info --json");
    let output = elsewhere.env("LICENSE_STORE", format!("sqlite:{}", store.display())).output();
    assert!(String::from_utf8(output.unwrap().stdout).unwrap().contains("DEMO-2001"));
}

#[test]
fn what_a_process_retained_outlives_it_and_one_that_is_killed_leaves_no_harm() {
    let directory = installed();
    run(directory.path(), "retain --product 0025 --session job-7");
    let mut watch = license(directory.path(), "usage --watch");
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("TOKEN"), "the store is open");
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(run(directory.path(), "usage --json").contains("\"sessionID\": \"job-7\""));
    assert!(run(directory.path(), "store check").contains("sound"));
    run(directory.path(), "release --session job-7");
    assert_eq!(run(directory.path(), "usage --json"), "[]\n");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let directory = installed();
    for words in ["info", "usage --json", "history", "schema", "--help", "demo --print rest"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = license(directory.path(), words).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}");
        assert!(output.stderr.is_empty(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn who_watches_ends_with_its_reader_although_nothing_changes() {
    let directory = installed();
    let mut watch = license(directory.path(), "usage --watch --json");
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "[]\n");
    drop(reader);
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(watch.wait().unwrap()));
    let ended = ended.recv_timeout(Duration::from_secs(60));
    // Who finds out by writing only ends now.
    run(directory.path(), "retain --product 0009 --session job-7");
    assert_eq!(ended.expect("it watches for nobody").code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let directory = installed();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = license(directory.path(), "info").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stdout"));
}

#[test]
fn arguments_need_not_be_text() {
    let directory = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"a\xff");
    let refused = license(directory.path(), "schema").arg(name).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    fs::write(directory.path().join(name), "[]").unwrap();
    let read = license(directory.path(), "validate").arg(name).output().unwrap();
    assert_eq!(read.status.code(), Some(0));
}

#[test]
fn a_record_names_the_user_and_the_time_of_the_machine() {
    let directory = installed();
    let receipt = run(directory.path(), "retain --product 0009 --session a --json");
    let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    let retention = &receipt["retention"];
    assert_eq!(retention["session"]["userName"], license_cli::user_name());
    assert!(retention["time"].as_str().unwrap() > "2026-01-01", "{retention}");
}
