//! The command line as an engine: every step is a process of its own, on one SQLite file or through
//! servers that share it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use license_cli::Exit;
use license_http::Running;
use license_pool::Pool;
use license_types::{Entry, Event, Problem, ProductId, Token};
use serde_json::Value;

use super::server::served;
use super::shell::{Output, Shell, conforming};
use crate::scripts::{
    data,
    engine::{Engine, Outcome},
    run_all,
    script::{Need, Operation, Step},
};

struct CliEngine {
    shell: Shell,
    now: Timestamp,
    /// The servers that are asked, where the file is not.
    servers: Option<BTreeMap<String, Running>>,
}

/// The server that is asked unless a script says otherwise.
const SERVER: &str = "here";

impl CliEngine {
    fn new() -> CliEngine {
        let shell = Shell::new();
        // Scripts may begin before anything is installed, and only installing creates a store.
        Pool::open(&format!("sqlite:{}", shell.path("license.db").display())).unwrap();
        CliEngine { shell, now: Timestamp::UNIX_EPOCH, servers: None }
    }

    /// The same through servers.
    fn remote() -> CliEngine {
        let mut engine = CliEngine { servers: Some(BTreeMap::new()), ..CliEngine::new() };
        engine.shell.become_admin();
        engine
    }

    /// Where the server of this name is, which is started where it does not run.
    fn server(&mut self, name: &str) -> Option<String> {
        let start = || served(&self.shell, name);
        let running = self.servers.as_mut()?.entry(name.to_owned()).or_insert_with(start);
        Some(running.url())
    }

    fn used(&self, product: ProductId) -> u64 {
        let output = self.shell.run(&format!("available {product} --json"));
        conforming(&output.stdout, "availability")["usedCount"].as_u64().unwrap()
    }

    fn words(&mut self, step: &Step) -> Vec<String> {
        let mut words = step.words.clone();
        if let Operation::Install { document, replaces } = &step.operation {
            let text = document.json(self.now, |product| self.used(product));
            self.shell.file("license.json", text);
            words = vec!["install".to_owned(), "license.json".to_owned()];
            words.extend(replaces.iter().flat_map(|it| ["--replaces".to_owned(), it.clone()]));
        }
        if let Some(at) = words.iter().position(|word| word == "--describe") {
            words[at + 1] = data::session_file(&words[at + 1]).display().to_string();
        }
        if let Some(server) = self.server(step.server.as_deref().unwrap_or(SERVER)) {
            if let Operation::ReleaseToken(token) = &step.operation {
                words.extend(self.session_of(*token));
            }
            words.extend(["--server".to_owned(), server]);
        }
        words.push("--json".to_owned());
        words
    }

    /// Through a server only administrators release by a token alone, which is recorded otherwise.
    fn session_of(&self, token: Token) -> Vec<String> {
        let entries = self.shell.run("history --json --kind retained").stdout;
        let entries = entries.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
        let session = entries.filter_map(|entry| match entry.event {
            Event::Retained(event) if event.token == token => Some(event.session_id),
            _ => None,
        });
        let session = session.map(|session| ["--session".to_owned(), session.to_string()]);
        session.flatten().collect()
    }
}

impl CliEngine {
    fn stop(&mut self) {
        if let Some(servers) = &mut self.servers {
            servers.clear();
        }
    }
}

impl Engine for CliEngine {
    fn offers(&self, need: Need) -> bool {
        match need {
            Need::Servers => self.servers.is_some(),
            Need::Principals => false,
        }
    }

    fn set_clock(&mut self, now: Timestamp) {
        // A server does not believe in a clock that jumps while it runs.
        self.stop();
        self.now = now;
        self.shell.clock.set(now);
    }

    /// Nothing is kept between two commands, so only the file itself is looked at.
    fn restart(&mut self) {
        self.stop();
        let output = self.shell.run("store check");
        assert_eq!(output.exit, Exit::Done, "{output}");
    }

    fn execute(&mut self, step: &Step) -> Vec<String> {
        let words = self.words(step);
        outcome(&step.operation, &self.shell.run_words(words)).lines()
    }
}

fn outcome(operation: &Operation, output: &Output) -> Outcome {
    let typed = |schema: &str| conforming(&output.stdout, schema);
    match (operation, output.exit) {
        (Operation::Available(_), Exit::Done | Exit::Refused) => {
            Outcome::Available(read(typed("availability")))
        }
        (_, Exit::Refused) => {
            let problem: Problem = read(typed("problem"));
            let counts = problem.allowed_count.zip(problem.used_count);
            let counts = counts.map(|(allowed, used)| (allowed.get(), used.get()));
            Outcome::Refused { code: problem.code.to_string(), counts }
        }
        (_, Exit::Fault | Exit::Usage | Exit::Unreachable | Exit::Command(_)) => panic!("{output}"),
        (Operation::Install { .. }, Exit::Done) => {
            Outcome::Installed(read(typed("install-receipt")))
        }
        (Operation::Retain { .. }, Exit::Done) => Outcome::Retained(read(typed("retain-receipt"))),
        (Operation::Renew { .. }, Exit::Done) => Outcome::Renewed(read(typed("renew-receipt"))),
        (Operation::Release { .. } | Operation::ReleaseToken(_), Exit::Done) => {
            Outcome::Released(read(typed("release-receipt")))
        }
        (Operation::Usage { .. }, Exit::Done) => Outcome::Usage(read(typed("license-usage"))),
        (Operation::Info, Exit::Done) => Outcome::Info(read(typed("license-info"))),
        (Operation::History, Exit::Done) => {
            let entry = |line| read::<Entry>(conforming(line, "entry"));
            Outcome::History(output.stdout.lines().map(entry).collect())
        }
        (Operation::At(_) | Operation::Restart, Exit::Done) => unreachable!("the runner's"),
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_command_line_answers_every_script_through_servers() {
    run_all(CliEngine::remote);
}

#[test]
fn the_command_line_answers_every_script_as_written() {
    run_all(CliEngine::new);
}
