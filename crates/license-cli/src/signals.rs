//! Signals as values: which of them a supervised command is to get from us, and which it got already.

use std::io;
use std::process::Child;
use std::thread;

use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use signal_hook::low_level::siginfo::Cause;
use signal_hook::low_level::signal_name;

/// What is passed on to a command. Job control is left to the shell.
const FORWARDED: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT];

/// A signal that came to this process.
pub(crate) enum Arrival {
    /// A child stopped, went on or ended.
    Child,
    /// Somebody wants something of us, or of the command.
    Asked(Asked),
}

/// A signal that ends most programs.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    number: i32,
    /// Whether whoever sent it sent it to this process alone.
    here_only: bool,
}

impl Asked {
    /// The code that a shell reports for a program which this signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        ended_by(self.number)
    }

    /// Its name, such as SIGTERM.
    pub(crate) fn name(self) -> &'static str {
        signal_name(self.number).unwrap_or("a signal")
    }

    /// Passes it on to a command that has not been waited for.
    ///
    /// A terminal sends what its keys mean to every process of the foreground, so the command has
    /// that already, and many programs take a second one for impatience.
    pub(crate) fn forward(self, child: &Child) -> io::Result<()> {
        match Signal::from_named_raw(self.number) {
            Some(signal) if self.here_only => Ok(kill_process(Pid::from_child(child), signal)?),
            _ => Ok(()),
        }
    }
}

/// The code that a shell reports for a program which a signal ended.
pub(crate) fn ended_by(signal: i32) -> u8 {
    u8::try_from(signal).map_or(u8::MAX, |signal| signal.saturating_add(128))
}

/// Hands over what comes from now on, in a thread of its own, until `each` has enough.
///
/// What was ignored when this process began stays ignored, also by the command: who started us
/// under `nohup` meant it.
pub(crate) fn listen(mut each: impl FnMut(Arrival) -> bool + Send + 'static) -> io::Result<()> {
    let ignored = ignored();
    let heard = FORWARDED.iter().filter(|&&signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = SignalsInfo::<WithOrigin>::new(heard.chain([&SIGCHLD]))?;
    thread::Builder::new().name("license-signals".to_owned()).spawn(move || {
        for origin in &mut signals {
            if !each(arrival(&origin)) {
                break;
            }
        }
    })?;
    Ok(())
}

fn arrival(origin: &Origin) -> Arrival {
    let sent = matches!(origin.cause, Cause::Sent(_));
    match origin.signal {
        SIGCHLD => Arrival::Child,
        // A terminal that goes away tells the leader of its session, and nobody else.
        SIGHUP => Arrival::Asked(Asked { number: SIGHUP, here_only: sent || leads_session() }),
        number => Arrival::Asked(Asked { number, here_only: sent }),
    }
}

/// Whether this process leads its session; a guess of no where that cannot be told.
///
/// The kernel is not asked by `getsid`: in a container whose session began outside of it that is 0,
/// which is the number of no process.
fn leads_session() -> bool {
    let leader =
        own_status("NSsid:").and_then(|numbers| numbers.split_whitespace().last()?.parse().ok());
    leader == Some(getpid().as_raw_nonzero().get())
}

/// The signals that this process ignores, as bits from SIGHUP on; none where that cannot be told.
fn ignored() -> u64 {
    own_status("SigIgn:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// What the kernel says of this process under a name.
fn own_status(name: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}
