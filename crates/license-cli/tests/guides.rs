//! Every command of the guides runs, in the order in which it is written, as a reader would run it:
//! each page in a folder of its own, with the servers that it starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

mod reader;

use std::io::Write as _;
use std::process::Command;

use reader::Reader;

const CALL: &str = include_str!("../../license-client/src/guide.rs");
const SERVER: &str = include_str!("../../license-http/src/guide.rs");

/// What the call guide takes for granted.
const STARTED: [&str; 2] =
    ["license demo --print license > license.json", "license serve --license license.json"];

#[test]
fn calling_works_as_the_guide_says() {
    if !are_there(&["curl", "python3"]) {
        return;
    }
    let mut reader = Reader::new();
    STARTED.into_iter().for_each(|line| reader.follow("sh", line));
    follow(reader, CALL, "call", 6);
}

#[test]
fn running_works_as_the_guide_says() {
    if are_there(&["curl"]) {
        follow(Reader::new(), SERVER, "run", 10);
    }
}

#[test]
fn monitoring_works_as_the_guide_says() {
    if are_there(&["curl"]) {
        follow(Reader::new(), SERVER, "monitor", 13);
    }
}

#[test]
fn securing_works_as_the_guide_says() {
    if are_there(&["curl", "openssl"]) {
        follow(Reader::new(), SERVER, "secure", 14);
    }
}

/// The image is not built here; what would run in it runs beside it, on the same store.
#[test]
fn a_container_starts_as_the_guide_says() {
    follow(Reader::new(), SERVER, "container", 6);
}

/// Follows one page of a guide, which has so many commands, or more.
fn follow(mut reader: Reader, guide: &str, page: &str, least: usize) {
    let commands = commands(guide, page);
    assert!(commands.len() >= least, "{page} has too few commands: {commands:#?}");
    for (language, text) in commands {
        reader.follow(language, &text);
    }
    reader.end();
}

/// Whether programs are installed; said loudly where not.
fn are_there(programs: &[&str]) -> bool {
    let starts = |program: &&&str| Command::new(program).arg("--version").output().is_err();
    let Some(missing) = programs.iter().find(starts) else { return true };
    let required = std::env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
    assert!(!required, "the guides need {missing}");
    // Past the capture of the test runner: nobody may believe that this was tested.
    let _ = writeln!(std::io::stderr().lock(), "\nGUIDE NOT TESTED: {missing} is not installed\n");
    false
}

/// The shell commands and whole programs on one page, each with its language.
fn commands(guide: &str, page: &str) -> Vec<(&'static str, String)> {
    let end = format!("pub mod {page} {{}}");
    let page = &guide[..guide.find(&end).unwrap_or_else(|| panic!("no page ends with {end}"))];
    let page = page.rsplit("pub mod ").next().unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("///"));
    let mut commands: Vec<(&'static str, String)> = Vec::new();
    let mut language = None;
    for line in lines.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        match (line, language) {
            ("```sh", _) => language = Some("sh"),
            ("```python", _) => {
                language = Some("python");
                commands.push(("python", String::new()));
            }
            ("```", _) => language = None,
            (line, Some("sh")) => match commands.last_mut() {
                Some(("sh", before)) if before.ends_with('\\') => {
                    before.pop();
                    before.push_str(line);
                }
                _ => commands.push(("sh", line.to_owned())),
            },
            (line, Some(_)) => {
                let (_, program) = commands.last_mut().expect("it was begun");
                *program += &format!("{line}\n");
            }
            (_, None) => {}
        }
    }
    commands
}
