//! Every command of the README runs, and so does what it shows of the client: it works on a fresh
//! clone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

mod reader;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use reader::Reader;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_command_of_the_readme_works() {
    let root = root();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let checks = fs::read_to_string(root.join(".ci/run")).unwrap();
    let mut reader = Reader::new();
    for command in commands(&readme) {
        // The tests cannot run themselves; who runs them all runs this very command.
        if command.starts_with("cargo test") {
            assert!(checks.contains(command), "`.ci/run` does not run `{command}`");
            continue;
        }
        // The binary was built for this test already.
        let line = command.replace("cargo run -q -p license-cli -- ", "license ");
        // What is a chore of the checkout runs there; what leaves files behind runs elsewhere.
        if line.starts_with("cargo") {
            let output =
                Command::new("sh").args(["-c", &line]).current_dir(&root).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "`{command}` says: {said}");
            continue;
        }
        reader.follow("sh", &line.replace("crates/", &format!("{}/crates/", root.display())));
    }
    reader.end();
}

/// The lines of the shell examples.
fn commands(readme: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut in_shell = false;
    for line in readme.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            line if in_shell => commands.push(line),
            _ => {}
        }
    }
    assert!(commands.len() > 10, "the README shows too few commands: {commands:?}");
    commands
}

#[test]
fn what_the_readme_shows_of_the_client_runs() {
    let pool = license_pool::Pool::open("memory:").unwrap();
    pool.install(license_pool::SAMPLE_LICENSE.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = license_http::start(listener, pool.clone(), license_http::Options::new()).unwrap();
    example(&server.url()).unwrap();
    assert!(pool.usage(None).unwrap().is_empty());

    // It is what the README shows, but for the address.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, shown) = readme.split_once("```rust,no_run\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let address = r#"let client = Client::connect("http://127.0.0.1:7427")?;"#;
    assert!(shown.contains(address), "{shown}");
    let shown = shown.replace(address, "let client = Client::connect(url)?;");
    let here = include_str!("readme.rs");
    let here: Vec<&str> = here.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = shown.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown: Vec<&str> = shown.filter(|line| !line.starts_with('#')).collect();
    assert!(here.windows(shown.len()).any(|lines| lines == shown), "{shown:#?}");
}

#[expect(clippy::print_stdout, reason = "the README shows it so")]
fn example(url: &str) -> Result<(), license_client::Error> {
    use license_client::{Client, Session};

    let client = Client::connect(url)?;
    let seat = client.retain("0009", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
    if let Some(notice) = seat.notices().try_next() {
        println!("{notice:?}");
    }
    drop(seat);
    client.close().wait()
}
