//! What is said and done when it is us who are wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser as _;
use license_pool::ManualClock;
use license_validate::Profile;

use super::*;
use crate::arguments::{Arguments, Command};
use crate::environment::Env;
use crate::exports;

const RECORD: &str = r#"{"productId":1,"productName":"","productUsedCount":1,"productBalance":0,"token":1,"time":"2021-12-01T15:36Z","reason":"","session":{"IPAddress":"","userAgent":"","userName":"","userId":1}}"#;

/// Reads a value that it takes for valid.
type Reader = for<'a> fn(&'a [u8]) -> Option<&'a [u8]>;

/// Accepts any line that is whole, as no validator should.
fn wrong(_: &str, _: Profile) -> Option<Reader> {
    Some(|text| {
        let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        text[..end].ends_with(b"}}").then_some(&text[end..])
    })
}

fn wrong_judge() -> Judge {
    Judge::new(Profile::Observed).lines(true).fast(wrong)
}

/// Of three thousand records, the one in a thousand that is looked at twice is invalid as well.
fn archive() -> Vec<u8> {
    let invalid = RECORD.replace("\"token\":1", "\"token\":0");
    let mut lines = vec![RECORD; 3000];
    lines[2000] = &invalid;
    for line in lines.iter_mut().skip(1023).step_by(1024) {
        *line = &invalid;
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// Runs `act` on a command line, in a world where stdin is the archive: how it ended, what it wrote
/// and what it said.
fn run(
    line: &str,
    act: impl FnOnce(&Command, &mut Context<'_, '_>) -> Result<Exit, Failure>,
) -> (Result<Exit, Failure>, String, String) {
    let (mut stdin, mut stdout, mut stderr) = (&archive()[..], Vec::new(), Vec::new());
    let mut env = Env {
        stdin: &mut stdin,
        stdout: &mut stdout,
        stderr: &mut stderr,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        terminal_width: None,
        variables: BTreeMap::new(),
        directory: "/nonexistent".into(),
        user_name: "ann".to_owned(),
        clock: Arc::new(ManualClock::new("2026-01-05T10:00:00Z".parse().unwrap())),
        stdout_is_read: &|| true,
        wait: &mut |_| ControlFlow::Break(()),
    };
    let words = ["license"].into_iter().chain(line.split(' '));
    let Arguments { everywhere, command } = Arguments::try_parse_from(words).unwrap();
    let exit = act(&command, &mut Context { env: &mut env, everywhere, typed: &[] });
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (exit, stdout, stderr)
}

#[test]
fn our_own_fault_wins_over_all_that_is_wrong_with_the_input() {
    let clean = Summary { records: 1, valid: 1, ..Summary::default() };
    assert_eq!(exit(&clean, 0), Exit::Done);
    let invalid = Summary { valid: 0, violations: 1, ..clean };
    assert_eq!(exit(&invalid, 0), Exit::Refused);
    assert_eq!(exit(&invalid, 1), Exit::Usage);
    let malformed = Summary { malformed: 1, ..invalid };
    assert_eq!(exit(&malformed, 0), Exit::Usage);
    assert_eq!(exit(&Summary { disagreements: 1, ..malformed }, 1), Exit::Fault);
}

#[test]
fn a_validator_that_is_wrong_is_our_fault_and_the_record_is_named() {
    for jobs in ["1", "2"] {
        let (exit, stdout, stderr) =
            run(&format!("validate - --jobs {jobs}"), |command, context| {
                let Command::Validate(arguments) = command else { panic!("{command:?}") };
                let judge = wrong_judge().jobs(arguments.jobs.unwrap());
                judged(&judge, arguments, context)
            });
        assert_eq!(exit.unwrap(), Exit::Fault);
        let sentence = "0 is less than the minimum of 1 (/$defs/Token/minimum)";
        let place = |line: u64| format!("<stdin>:{line}:81");
        assert_eq!(
            stdout,
            format!("{}: /token: {sentence}\n{}: /token: {sentence}\n", place(1024), place(2048))
        );
        assert_eq!(
            stderr,
            format!(
                "license: <stdin>:1024:1: {OUR_FAULT}\nlicense: <stdin>:2048:1: {OUR_FAULT}\n\
                 license: 3000 records: 2 invalid, with 2 violations\n"
            )
        );
    }
}

#[test]
fn exported_reports_are_not_read_past_our_own_fault() {
    let (exit, stdout, _) = run("usage --from -", |command, context| {
        let Command::Usage(arguments) = command else { panic!("{command:?}") };
        let export = exports::list(&arguments.exports, context)?.remove(0);
        export.read_by(&wrong_judge(), context, |_| Ok(())).map(|_| Exit::Done)
    });
    let failure = exit.unwrap_err();
    assert_eq!((failure.exit(), stdout.as_str()), (Exit::Fault, ""));
    let told = failure.to_string();
    assert!(told.starts_with("<stdin>:1024:1: the two validators disagree"), "{told}");
}
