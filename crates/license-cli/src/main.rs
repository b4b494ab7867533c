//! The binary `license`: [`license_cli::run`] with the real streams, clock and environment.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use license_cli::{Env, user_name};
use license_pool::SystemClock;
use mimalloc::MiMalloc;
#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A server allocates dozens of times for each request, on several threads. With this allocator it
/// answers a sixth more requests than with that of glibc; that of musl, which a static binary would use,
/// is slower still.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Stderr is not locked, since a server logs from other threads.
    let (stdout, mut stderr) = (io::stdout(), io::stderr());
    let mut env = Env {
        stdin: &mut io::stdin().lock(),
        stdout_is_terminal: stdout.is_terminal(),
        stderr_is_terminal: stderr.is_terminal(),
        stdout: &mut io::BufWriter::new(stdout.lock()),
        stderr: &mut stderr,
        terminal_width: terminal_size::terminal_size().map(|(width, _)| width.0),
        variables: std::env::vars_os().collect(),
        directory: std::env::current_dir().unwrap_or_default(),
        user_name: user_name(),
        clock: Arc::new(SystemClock),
        stdout_is_read: &|| is_read(&io::stdout()),
        wait: &mut |time| {
            std::thread::sleep(time);
            ControlFlow::Continue(())
        },
    };
    license_cli::run(std::env::args_os(), &mut env).into()
}

/// Whether somebody may still read stdout: a pipe shows that its reader has gone without a write.
#[cfg(unix)]
fn is_read(stdout: &impl AsFd) -> bool {
    let mut asked = [PollFd::new(stdout, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP;
    // If this cannot be found out, the next write will.
    poll(&mut asked, Some(&Timespec::default())).is_err() || !asked[0].revents().intersects(gone)
}

#[cfg(not(unix))]
fn is_read(_: &io::Stdout) -> bool {
    true
}
