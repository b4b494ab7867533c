//! `license run` with real programs: what starts them, what reaches them, what is left of them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const LICENSE: &str = include_str!("../demo/license.json");

/// The product of which the license has one.
const ONLY_ONE: [&str; 2] = ["--product", "0025"];

struct World {
    directory: tempfile::TempDir,
}

impl World {
    /// A license installed in `license.db`.
    fn new() -> World {
        let world = World { directory: tempfile::tempdir().unwrap() };
        fs::write(world.directory.path().join("license.json"), LICENSE).unwrap();
        assert!(world.license(["install", "license.json"]).output().unwrap().status.success());
        world
    }

    fn license<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_license"));
        command.args(words).current_dir(self.directory.path()).stdin(Stdio::null());
        command.env_remove("LICENSE_STORE").env_remove("LICENSE_NUMBER");
        command
    }

    /// `license run` of the product of which there is one, with these flags.
    fn run(&self, flags: &str, program: &[&str]) -> Command {
        let flags = ONLY_ONE.into_iter().chain(flags.split_whitespace());
        self.license(["run"].into_iter().chain(flags).chain(["--"]).chain(program.iter().copied()))
    }

    /// The sessions that hold something.
    fn holders(&self) -> Vec<String> {
        let Output { status, stdout, .. } = self.license(["usage", "--json"]).output().unwrap();
        assert!(status.success());
        let usage: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
        let holders = usage.as_array().unwrap().iter();
        holders.map(|held| held["session"]["sessionID"].as_str().unwrap().to_owned()).collect()
    }
}

/// A program that runs until something happens to it.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts it and waits until it says so.
    fn ready(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Running { child, lines };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn code(&mut self) -> i32 {
        self.child.wait().unwrap().code().expect("the process ends by itself")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what must come, for as long as a busy machine may need.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what} never came");
        // The processor is for what is waited for.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let world = World::new();
    let code = |program: &[&str]| world.run("", program).output().unwrap().status.code();
    assert_eq!(code(&["true"]), Some(0));
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "exit 3"]), Some(3));
    assert_eq!(code(&["sh", "-c", "kill -TERM $$"]), Some(128 + 15));
    assert_eq!(code(&["sh", "-c", "kill -KILL $$"]), Some(128 + 9));
    assert_eq!(code(&["./no-such-program"]), Some(127));
    assert_eq!(code(&["/"]), Some(126));
    assert_eq!(code(&["./license.json"]), Some(126), "it is not executable");
    assert_eq!(world.holders(), [""; 0]);
}

#[test]
fn a_script_that_names_no_interpreter_is_read_by_the_shell() {
    let world = World::new();
    // Written by a process that has ended: while one has it open for that, it cannot be run.
    let make = "mkdir bin && printf 'exit $1' > bin/script && chmod +x bin/script";
    let mut shell = Command::new("sh");
    assert!(
        shell.args(["-c", make]).current_dir(world.directory.path()).status().unwrap().success()
    );
    assert_eq!(world.run("", &["bin/script", "7"]).status().unwrap().code(), Some(7));
    let path =
        format!("{}/bin:{}", world.directory.path().display(), std::env::var("PATH").unwrap());
    let mut named = world.run("", &["script", "8"]);
    assert_eq!(named.env("PATH", path).status().unwrap().code(), Some(8));
}

#[test]
fn the_program_holds_the_license_from_its_start_to_its_end() {
    let world = World::new();
    let program = ["sh", "-c", "echo ready; read line"];
    let mut run = world.run("--session job-7 --reason nightly", &program);
    let mut run = Running::ready(run.stdin(Stdio::piped()));
    assert_eq!(world.holders(), ["job-7"]);
    drop(run.child.stdin.take());
    assert_eq!(run.code(), 1, "`read` found the end of the input");
    assert_eq!(world.holders(), [""; 0], "the license was released before the process ended");
}

#[test]
fn a_program_without_a_license_is_not_started_and_one_line_says_why() {
    let world = World::new();
    let nothing_started = |command: &mut Command, code| {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), stdout.len()), (Some(code), 0), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("license: "), "{said}");
        said
    };
    let echo = ["echo", "started"];
    let mut other = world.run("", &["sh", "-c", "echo ready; read line"]);
    let _other = Running::ready(other.stdin(Stdio::piped()));
    nothing_started(&mut world.run("", &echo), 3);
    nothing_started(&mut world.run("--wait 1ms", &echo), 3);
    nothing_started(&mut world.run("--refused-code 75", &echo), 75);
    nothing_started(&mut world.run("--license-number NONE", &echo), 3);
    let said = nothing_started(&mut world.run("--store sqlite:none.db", &echo), 4);
    assert!(said.contains("none.db"), "{said}");
    // A code for refusals is not for everything.
    nothing_started(&mut world.run("--store sqlite:none.db --refused-code 75", &echo), 4);
    nothing_started(&mut world.run("--describe none.json", &echo), 2);
    fs::write(world.directory.path().join("none.json"), "{}").unwrap();
    nothing_started(&mut world.run("--describe none.json", &echo), 2);
    let said = nothing_started(&mut world.run("--no-such-flag", &echo), 2);
    assert!(said.contains("--no-such-flag"), "{said}");
    nothing_started(&mut world.run("--wait soon", &echo), 2);
    let said = nothing_started(&mut world.license(["run"]), 2);
    assert!(said.contains("--product"), "{said}");
    nothing_started(&mut world.license(["run", "--product", "0009"]), 2);
}

/// The same command, to which no signal is ignored: who runs tests in the background may ignore some.
#[cfg(target_os = "linux")]
fn that_hears_signals(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => env.env(name, value),
            None => env.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        env.current_dir(directory);
    }
    env
}

#[cfg(target_os = "linux")]
#[test]
fn signals_reach_the_program() {
    let world = World::new();
    for (signal, name) in [
        (Signal::INT, "INT"),
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script = format!("trap 'exit 42' {name}; echo ready; while :; do sleep 0.05; done");
        let mut run = that_hears_signals(&world.run("", &["sh", "-c", &script]));
        let mut run = Running::ready(&mut run);
        run.send(signal);
        assert_eq!(run.code(), 42, "{name}");
    }
    let run = world.run("", &["sh", "-c", "echo ready; exec sleep 600"]);
    let mut run = Running::ready(&mut that_hears_signals(&run));
    run.send(Signal::TERM);
    assert_eq!(run.code(), 128 + 15);
    assert_eq!(world.holders(), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_interrupt_of_a_terminal_reaches_the_program_once() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let world = World::new();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let screen = fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    // A session of its own, so that this is its terminal.
    let mut setsid = Command::new("setsid");
    let script = "trap 'echo interrupted' INT; trap 'echo ended; exit 5' TERM; \
        echo ready; while :; do sleep 0.05; done";
    let run = that_hears_signals(&world.run("", &["sh", "-c", script]));
    setsid.args(["--ctty", "--wait"]).arg(run.get_program()).args(run.get_args());
    setsid.current_dir(world.directory.path()).stdin(screen);
    let mut run = Running::ready(&mut setsid);
    fs::File::from(terminal.try_clone().unwrap()).write_all(b"\x03").unwrap();
    assert_eq!(run.line(), "interrupted");
    // What we forward comes in order: a second interrupt would come before this.
    run.send(Signal::TERM);
    assert_eq!(run.line(), "ended");
    assert_eq!(run.code(), 5);
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_ignored_stays_ignored() {
    let world = World::new();
    let run = world.run("", &["sh", "-c", "kill -HUP $$ $PPID; echo alive"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" HUP; exec "$@""#, "sh"]).arg(run.get_program());
    let output = shell.args(run.get_args()).current_dir(world.directory.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "alive\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn who_waits_gets_the_license_that_is_released() {
    let world = World::new();
    let mut first = world.run("", &["sh", "-c", "echo ready; read line"]);
    let mut first = Running::ready(first.stdin(Stdio::piped()));
    let mut second = world.run("--wait 1h --session second", &["true"]).spawn().unwrap();
    drop(first.child.stdin.take());
    first.code();
    assert_eq!(second.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_waiting_and_nothing_is_started() {
    let world = World::new();
    let mut other = world.run("", &["sh", "-c", "echo ready; read line"]);
    let _other = Running::ready(other.stdin(Stdio::piped()));
    let mut waiting = world.run("--wait 1h", &["echo", "started"]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", waiting.id());
    until("a process that listens to signals", || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        // It begins to listen to this one last.
        caught & (1 << (Signal::CHILD.as_raw() - 1)) != 0
    });
    kill_process(Pid::from_child(&waiting), Signal::TERM).unwrap();
    let Output { status, stdout, stderr } = waiting.wait_with_output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(128 + 15), 0));
    assert!(stderr.starts_with(b"license: SIGTERM"), "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn what_is_secret_is_not_passed_on() {
    let world = World::new();
    let mut run = world.run("--store sqlite:license.db", &["env"]);
    run.env("LICENSE_STORE", "postgres://ann:secret@db/licenses");
    for kind in ["STORE_PASSWORD", "COPY_PASSWORD", "CREDENTIAL"] {
        run.env(format!("LICENSE_{kind}"), "secret");
        run.env(format!("LICENSE_{kind}_FILE"), "secret");
    }
    run.env("LICENSE_NUMBER", "DEMO-2001").env("MINE", "kept");
    let seen = String::from_utf8(run.output().unwrap().stdout).unwrap();
    assert!(seen.contains("MINE=kept\n") && seen.contains("LICENSE_NUMBER=DEMO-2001\n"), "{seen}");
    assert!(!seen.contains("secret"), "{seen}");
}

#[test]
fn a_session_of_the_same_name_gets_its_license_back() {
    let world = World::new();
    let retained = world.license(["retain", "--product", "0025", "--session", "job-7"]).output();
    assert!(retained.unwrap().status.success());
    assert_eq!(world.run("", &["true"]).output().unwrap().status.code(), Some(3));
    assert_eq!(world.run("--session job-7", &["true"]).output().unwrap().status.code(), Some(0));
    assert_eq!(world.holders(), [""; 0]);
}

/// A server of the store, which lives as long as this.
struct Serving {
    child: Child,
    url: String,
}

impl World {
    fn serve(&self, flags: &str) -> Serving {
        let mut command = self.license(["serve", "--server-name", "here"]);
        command.args(flags.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Serving { child, url: url.trim_end().to_owned() }
    }
}

impl Serving {
    /// Ends it in order.
    fn stop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_killed_process_held_is_free_at_once() {
    let world = World::new();
    let program = ["sh", "-c", "echo ready; read line"];
    let mut killed = world.run("--session killed", &program);
    let killed = Running::ready(killed.stdin(Stdio::piped()));
    assert_eq!(world.run("", &["true"]).output().unwrap().status.code(), Some(3));
    killed.send(Signal::KILL);
    drop(killed);
    assert_eq!(world.run("", &["true"]).output().unwrap().status.code(), Some(0));
    assert_eq!(world.holders(), [""; 0]);
}

#[test]
fn a_program_runs_under_a_license_of_a_server() {
    let world = World::new();
    let serving = world.serve("--listen 127.0.0.1:0");
    let server = format!("--server {}", serving.url);
    let program = ["sh", "-c", "echo ready; read line; exit 7"];
    let mut run = world.run(&format!("{server} --session job-7"), &program);
    run.env("LICENSE_CREDENTIAL_FILE", "");
    let mut run = Running::ready(run.stdin(Stdio::piped()));
    assert_eq!(world.holders(), ["job-7"]);
    let refused = world.run(&server, &["true"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
    drop(run.child.stdin.take());
    assert_eq!(run.code(), 7);
    assert_eq!(world.holders(), [""; 0]);
}

#[test]
fn a_license_that_the_program_itself_released_is_no_mistake() {
    let world = World::new();
    let serving = world.serve("--listen 127.0.0.1:0");
    let license = env!("CARGO_BIN_EXE_license");
    for place in ["", &format!("--server {}", serving.url)] {
        let release = format!("{license} release --session job-7 {place} > released");
        let run = world.run(&format!("{place} --session job-7"), &["sh", "-c", &release]);
        let ended = { run }.output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
        assert_eq!(world.holders(), [""; 0]);
    }
}

#[test]
fn a_program_runs_on_while_its_server_restarts() {
    let world = World::new();
    let mut first = world.serve("--listen 127.0.0.1:0");
    let flags = format!("--server {} --session job-7", first.url);
    let mut run = world.run(&flags, &["sh", "-c", "echo ready; read line"]);
    let mut run = Running::ready(run.stdin(Stdio::piped()));
    first.stop();
    assert_eq!(world.holders(), ["job-7"], "what is held stays held");
    let listen = first.url.trim_start_matches("http://").to_owned();
    let _second = world.serve(&format!("--listen {listen}"));
    drop(run.child.stdin.take());
    run.code();
    assert_eq!(world.holders(), [""; 0]);
}

#[test]
fn a_lease_is_kept_alive_while_the_program_runs_and_ends_when_its_process_is_killed() {
    let world = World::new();
    // The shortest that there is.
    let serving = world.serve("--listen 127.0.0.1:0 --lease 15s");
    let start = |session: &str| {
        let flags = format!("--server {} --product 0009 --session {session}", serving.url);
        let words = flags.split_whitespace();
        let program = ["--", "sh", "-c", "echo ready; read line"];
        let mut run = world.license(["run"].into_iter().chain(words).chain(program));
        Running::ready(run.stdin(Stdio::piped()))
    };
    let (_living, killed) = (start("living"), start("killed"));
    assert_eq!(world.holders(), ["living", "killed"]);
    killed.send(Signal::KILL);
    let since = Instant::now();
    until("the end of the lease", || world.holders() == ["living"]);
    // The lease, and some for a busy machine: far less than a lease and a grace.
    assert!(since.elapsed() < Duration::from_secs(15 + 60), "{:?}", since.elapsed());
}

#[test]
fn a_program_that_is_started_again_gets_its_license_back_from_a_server() {
    let world = World::new();
    let serving = world.serve("--listen 127.0.0.1:0");
    let named = |session: &str| format!("--server {} --session {session}", serving.url);
    // What it runs outlives it, and ends when nobody can write to it any more.
    let mut killed = world.run(&named("job-7"), &["sh", "-c", "echo ready; read line"]);
    let killed = Running::ready(killed.stdin(Stdio::piped()));
    killed.send(Signal::KILL);
    drop(killed);
    assert_eq!(world.holders(), ["job-7"], "its lease goes on");
    let code =
        |session: &str| world.run(&named(session), &["true"]).output().unwrap().status.code();
    assert_eq!(code("other"), Some(3));
    assert_eq!(code("job-7"), Some(0));
    assert_eq!(world.holders(), [""; 0]);
    assert_eq!(code("other"), Some(0));
}
