//! `license serve` as a process.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

mod running;
mod saying;

const LICENSE: &str = include_str!("../../demo/license.json");

/// Much longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which commands are run.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A folder with a license in a file and no store.
    fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        world.file("license.json", LICENSE);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn license(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_license"));
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("LICENSE_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command that succeeds, and gives what it printed.
    #[track_caller]
    fn run(&self, words: &str) -> String {
        let Output { status, stdout, stderr } = self.license(words).output().unwrap();
        assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// Makes a credential and puts its secret into a file.
    fn credential(&self, flags: &str, file: &str) -> String {
        let secret = self.run(&format!("credential create {flags}"));
        self.file(file, &secret);
        secret.trim_end().to_owned()
    }

    /// A certificate for this machine, as `NAME.pem` with its key `NAME.key`.
    fn certificate(&self, name: &str) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        self.file(&format!("{name}.pem"), &made.cert.pem());
        self.file(&format!("{name}.key"), &made.signing_key.serialize_pem());
    }

    /// Puts a certificate where another is served from.
    fn replace(&self, name: &str, by: &str) {
        for extension in ["pem", "key"] {
            let from = self.path(&format!("{by}.{extension}"));
            fs::copy(from, self.path(&format!("{name}.{extension}"))).unwrap();
        }
    }

    /// `license serve` on a free port of this machine, once it answers.
    fn serve(&self, flags: &str) -> Serve {
        self.serve_on("127.0.0.1:0", flags)
    }

    fn serve_on(&self, listen: &str, flags: &str) -> Serve {
        Serve::started(&mut self.license(&format!("serve --listen {listen} {flags}")))
    }

    /// `license serve` that does not start: what it says.
    #[track_caller]
    fn refused(&self, words: &str) -> String {
        refused(&mut self.license(&format!("serve {words}")))
    }
}

/// A server that does not start: what it says.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut stdout).unwrap();
    if !stdout.is_empty() {
        // It would go on for ever.
        child.kill().unwrap();
        panic!("it started: {stdout}");
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{stderr}");
    stderr
}

/// A server that runs.
struct Serve {
    child: Child,
    url: String,
    /// What it says, line by line.
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Serve {
    fn started(command: &mut Command) -> Serve {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (say, said) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| say.send(line))
        });
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        let mut serve = Serve { child, url: url.trim_end().to_owned(), said, heard: Vec::new() };
        assert!(serve.url.starts_with("http"), "{:?}", serve.all_said());
        serve
    }

    /// The URL by which a client on this machine reaches it.
    fn near(&self) -> String {
        self.url.replace("0.0.0.0", "localhost").replace("127.0.0.1", "localhost")
    }

    /// Waits until it says this.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.heard.iter().any(|line| line.contains(text)) {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("`{text}` is never said: {:?}", self.heard),
            }
        }
    }

    /// Tells it to end, and gives its exit code.
    fn end(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    /// All that it said until its end.
    fn all_said(&mut self) -> Vec<String> {
        let _ = self.child.wait();
        self.heard.extend(self.said.iter());
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command says on the server of this URL.
fn through(world: &World, server: &Serve, words: &str) -> Output {
    world.license(words).env("LICENSE_SERVER", server.near()).output().unwrap()
}

#[track_caller]
fn done(world: &World, server: &Serve, words: &str) -> String {
    let Output { status, stdout, stderr } = through(world, server, words);
    assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The sessions that hold something in the store.
fn holders(world: &World) -> Vec<String> {
    let usage: Value = serde_json::from_str(&world.run("usage --json")).unwrap();
    let held = usage.as_array().unwrap().iter();
    held.map(|held| held["session"]["sessionID"].as_str().unwrap().to_owned()).collect()
}

/// What is answered to who calls the server by a name.
fn ask_as(server: &Serve, host: &str) -> String {
    exchange(server, &format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
}

/// One request as bytes, and the whole answer.
fn curl(server: &Serve, method: &str, path: &str, credential: &Path) -> String {
    let secret = fs::read_to_string(credential).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer {}\r\n\r\n",
        secret.trim_end()
    );
    exchange(server, &request)
}

fn exchange(server: &Serve, request: &str) -> String {
    use std::io::Write as _;
    let address = server.url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Does what a log should say nothing of: sessions of a person come and go, requests fail.
fn be_somebody(world: &World, server: &Serve) {
    world.file(
        "eve.json",
        r#"{"userName": "Eve", "sessionID": "e", "IPAddress": "198.51.100.7", "isDatastore": false}"#,
    );
    done(world, server, "retain --product 0025 --session of-eve --describe eve.json");
    let refused = through(world, server, "retain --product 0025 --session of-ann");
    assert_eq!(refused.status.code(), Some(3));
    done(world, server, "release --session of-eve");
    world.file("wrong", "lk_00000000dead_00");
    let wrong = through(world, server, "info --credential-file wrong");
    assert_eq!(wrong.status.code(), Some(3));
    curl(server, "GET", "/of-eve?user=Eve", &world.path("wrong"));
}
