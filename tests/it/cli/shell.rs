//! Runs `license` in-process: a directory, a clock and an environment of its own for each test.

use std::{
    collections::BTreeMap, ffi::OsString, fmt::Write as _, fs, io::Write, ops::ControlFlow,
    path::PathBuf, sync::Arc,
};

use jiff::SignedDuration;
use license_cli::{Env, Exit};
use license_pool::ManualClock;
use license_validate::{Profile, Validator};
use serde_json::Value;
use tempfile::TempDir;

/// A license of every kind of right, as text: 15 clients, one SQL connection, any REST session.
pub(crate) const LICENSE: &str = include_str!("../../../crates/license-cli/demo/license.json");

pub(crate) struct Shell {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) variables: BTreeMap<OsString, OsString>,
    /// Whether stdout and stderr are a terminal, and how wide.
    pub(crate) terminal: Option<u16>,
    pub(crate) stdin: Vec<u8>,
}

/// What one command left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shell {
    /// An empty directory, on 2026-01-05 at 10:00 UTC.
    pub(crate) fn new() -> Shell {
        Shell {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::new("2026-01-05T10:00:00Z".parse().unwrap())),
            variables: BTreeMap::new(),
            terminal: None,
            stdin: Vec::new(),
        }
    }

    /// The same with a license installed in `license.db`.
    pub(crate) fn installed() -> Shell {
        let shell = Shell::new();
        shell.file("license.json", LICENSE);
        assert_eq!(shell.run("install license.json").exit, Exit::Done);
        shell
    }

    /// Shows servers the credential of an administrator of `license.db` from now on.
    pub(crate) fn become_admin(&mut self) {
        let secret = self.run("credential create --role admin").stdout;
        self.variables.insert("LICENSE_CREDENTIAL".into(), secret.trim_end().into());
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs one command line; words are parted by spaces.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.run_words(line.split_whitespace())
    }

    pub(crate) fn run_words(&self, words: impl IntoIterator<Item = impl Into<OsString>>) -> Output {
        self.run_while(words, |_| ControlFlow::Break(()))
    }

    /// Runs one command; where it waits for changes, `wait` says how it goes on, told how often it
    /// waited before.
    pub(crate) fn run_while(
        &self,
        words: impl IntoIterator<Item = impl Into<OsString>>,
        wait: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Output {
        let mut stdout = Vec::new();
        let output = self.run_into(&mut stdout, words, wait);
        Output { stdout: self.readable(stdout), ..output }
    }

    /// The same, where somebody takes what it prints as it is printed.
    pub(crate) fn run_into(
        &self,
        stdout: &mut dyn Write,
        words: impl IntoIterator<Item = impl Into<OsString>>,
        mut wait: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Output {
        let mut stderr = Vec::new();
        let mut waited = 0;
        let mut env = Env {
            stdin: &mut &self.stdin[..],
            stdout,
            stderr: &mut stderr,
            stdout_is_terminal: self.terminal.is_some(),
            stderr_is_terminal: self.terminal.is_some(),
            terminal_width: self.terminal,
            variables: self.variables.clone(),
            directory: self.directory.path().to_owned(),
            user_name: "ann".to_owned(),
            clock: self.clock.clone(),
            stdout_is_read: &|| true,
            wait: &mut |_| {
                waited += 1;
                wait(waited)
            },
        };
        let words = words.into_iter().map(Into::into);
        let exit = license_cli::run([OsString::from("license")].into_iter().chain(words), &mut env);
        Output { exit, stdout: String::new(), stderr: self.readable(stderr) }
    }

    /// Where the test runs must not show in what it expects.
    fn readable(&self, bytes: Vec<u8>) -> String {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&*self.directory.path().to_string_lossy(), "/dir")
    }

    /// Runs a command that succeeds and prints JSON, which must conform to `schema`.
    pub(crate) fn json(&self, line: &str, schema: &str) -> Value {
        let output = self.run(line);
        assert_eq!(output.exit, Exit::Done, "{line}: {}", output.stderr);
        conforming(&output.stdout, schema)
    }

    /// Runs several commands, one a line and a minute apart, and shows what each wrote.
    pub(crate) fn transcript(&self, lines: &str) -> String {
        let mut page = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            writeln!(page, "$ license {line}\n{}", self.run(line)).unwrap();
            self.clock.advance(SignedDuration::from_mins(1));
        }
        page
    }
}

/// A JSON text that conforms to a schema of ours.
pub(crate) fn conforming(text: &str, schema: &str) -> Value {
    let validator = Validator::new(schema, Profile::Documented).unwrap();
    let violations = validator.check(text.as_bytes());
    assert!(violations.as_ref().is_ok_and(Vec::is_empty), "{schema}: {violations:?}\n{text}");
    serde_json::from_str(text).unwrap()
}

/// What it printed, what it said (after `!`) and how it ended (unless well).
impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stdout)?;
        self.stderr.lines().try_for_each(|line| writeln!(f, "! {line}"))?;
        match self.exit {
            Exit::Done => Ok(()),
            exit => writeln!(f, "[exit code {}]", exit.code()),
        }
    }
}
