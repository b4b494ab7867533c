//! A process of its own, and what it tells.

use std::io::{BufRead as _, BufReader};
use std::mem;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Only a test that would never end takes this long.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    told: Receiver<String>,
}

impl Worker {
    pub(crate) fn start(arguments: &[&str]) -> Worker {
        Worker::run(Command::new(PROGRAM).args(arguments))
    }

    pub(crate) fn run(command: &mut Command) -> Worker {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, told) = channel();
        // The process must never wait for who reads what it tells.
        thread::spawn(move || {
            let mut line = String::new();
            // The last may be cut short where the process ended: that is not told.
            while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
                line.pop();
                if sender.send(mem::take(&mut line)).is_err() {
                    break;
                }
            }
        });
        Worker { input: child.stdin.take(), child, told }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line.
    pub(crate) fn next(&self) -> String {
        self.told.recv_timeout(DEADLINE).expect("the process goes on")
    }

    /// `kill -9`; and every line that was told before.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.told.iter().collect()
    }

    /// Lets the process end by itself, and gives the rest of what it told.
    pub(crate) fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        let told: Vec<String> = self.told.iter().collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {told:?}");
        told
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_worker");
