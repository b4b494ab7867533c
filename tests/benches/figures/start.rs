//! How long `license serve` takes to be ready, on a store that is not there yet.
//!
//! The command line runs in a process of its own, which is this program again: so it is measured as
//! built beside everything else, and the yardstick is the same process doing nothing.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use license_cli::{Env, user_name};
use license_pool::SystemClock;

use crate::clients;
use crate::figure::{Bound, Figure, median};
use crate::pool;

const ROUNDS: usize = 15;

/// As its first argument, makes this program the command line.
pub(crate) const LICENSE: &str = "--license";

pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let (mut ready, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        assert!(license(&["--version"]).stdout(Stdio::null()).status().unwrap().success());
        nothing.push(begun.elapsed().as_secs_f64() * 1e3);
        ready.push(until_ready().as_secs_f64() * 1e3);
    }
    report(Figure {
        goal: "P11",
        part: "`license serve` without a store until /readyz says that it is ready".to_owned(),
        value: median(ready),
        bound: Some(Bound::AtMost(100.0)),
        yardstick: format!("the same process for `--version`: {:.1} ms", median(nothing)),
        unit: "ms",
    });
}

/// From before the process is started until it says that it is ready.
fn until_ready() -> Duration {
    let folder = pool::folder();
    let store = format!("sqlite:{}", folder.path().join("license.db").display());
    let begun = Instant::now();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", &store];
    let server = license(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut server = Ended(server);
    let mut url = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let address: SocketAddr = url.trim().strip_prefix("http://").unwrap().parse().unwrap();
    let answer = clients::get(address, "/readyz");
    let took = begun.elapsed();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    took
}

fn license(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(LICENSE).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// A process that does not outlive this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Is the command line, as the binary `license` is.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut env = Env {
        stdin: &mut io::stdin().lock(),
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        stdout: &mut io::BufWriter::new(io::stdout().lock()),
        stderr: &mut io::stderr(),
        terminal_width: None,
        variables: std::env::vars_os().collect(),
        directory: std::env::current_dir().unwrap_or_default(),
        user_name: user_name(),
        clock: Arc::new(SystemClock),
        stdout_is_read: &|| true,
        wait: &mut |time| {
            std::thread::sleep(time);
            ControlFlow::Continue(())
        },
    };
    license_cli::run([OsString::from("license")].into_iter().chain(arguments), &mut env).into()
}
