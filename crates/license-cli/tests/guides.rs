//! Every command of the guides runs, in the order in which it is written, as a reader would run it:
//! each page in a folder of its own, with the servers that it starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

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
    reader.read(CALL, "call", 6);
}

#[test]
fn running_works_as_the_guide_says() {
    if are_there(&["curl"]) {
        Reader::new().read(SERVER, "run", 10);
    }
}

#[test]
fn monitoring_works_as_the_guide_says() {
    if are_there(&["curl"]) {
        Reader::new().read(SERVER, "monitor", 10);
    }
}

#[test]
fn securing_works_as_the_guide_says() {
    if are_there(&["curl", "openssl"]) {
        Reader::new().read(SERVER, "secure", 13);
    }
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

/// Somebody who does what a guide says.
struct Reader {
    folder: TempDir,
    servers: Vec<Server>,
    background: Vec<Child>,
}

/// A server that a guide starts.
struct Server {
    process: Child,
    /// The port that the guide says, and the one that was free.
    ports: [String; 2],
}

impl Reader {
    fn new() -> Reader {
        Reader { folder: tempfile::tempdir().unwrap(), servers: Vec::new(), background: Vec::new() }
    }

    /// Follows one page of a guide, which has so many commands, or more.
    fn read(mut self, guide: &str, page: &str, least: usize) {
        let commands = commands(guide, page);
        assert!(commands.len() >= least, "{page} has too few commands: {commands:#?}");
        for (language, text) in commands {
            self.follow(language, &text);
        }
        for mut process in self.background.drain(..) {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        for server in &mut self.servers {
            let pid = Pid::from_child(&server.process);
            kill_process(pid, Signal::TERM).unwrap();
            assert!(server.process.wait().unwrap().success(), "{page}: a server did not end well");
        }
        self.servers.clear();
    }

    fn follow(&mut self, language: &str, text: &str) {
        let text = self.at_free_ports(text);
        if let Some(arguments) = text.strip_prefix("license serve ") {
            return self.serve(arguments);
        }
        if let Some(text) = text.strip_suffix(" &") {
            let process = self.shell(&format!("exec {text}")).spawn().unwrap();
            self.background.push(process);
            return;
        }
        let mut command = match language {
            "sh" => self.shell(&text),
            "python" => {
                fs::write(self.folder.path().join("guide.py"), &text).unwrap();
                self.shell("python3 guide.py")
            }
            language => unreachable!("no test runs {language}"),
        };
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "`{text}` says: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs a server in the background, on a free port, until its first line says that it is there.
    fn serve(&mut self, arguments: &str) {
        let listen = arguments.split_once("--listen ").map_or("127.0.0.1:7427", |(_, rest)| {
            rest.split_whitespace().next().expect("--listen has a value")
        });
        let (host, port) = listen.rsplit_once(':').unwrap();
        let free = format!("{host}:0");
        let arguments = match arguments.contains("--listen ") {
            true => arguments.replace(listen, &free),
            false => format!("{arguments} --listen {free}"),
        };
        let mut command = self.shell(&format!("exec license serve {arguments}"));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let taken = url.trim().rsplit_once(':').map(|(_, taken)| format!(":{taken}"));
        let taken = taken.unwrap_or_else(|| panic!("`license serve {arguments}` did not start"));
        self.servers.push(Server { process, ports: [format!(":{port}"), taken] });
    }

    fn at_free_ports(&self, text: &str) -> String {
        let replaced = |text: String, server: &Server| {
            let [said, taken] = &server.ports;
            text.replace(said, taken)
        };
        self.servers.iter().fold(text.to_owned(), replaced)
    }

    fn shell(&self, line: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_license")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths([binary].into_iter().chain(std::env::split_paths(&path)));
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder.path()).env("PATH", path.unwrap());
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let servers = self.servers.iter_mut().map(|server| &mut server.process);
        for process in servers.chain(&mut self.background) {
            let _ = (process.kill(), process.wait());
        }
    }
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
