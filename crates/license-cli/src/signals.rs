//! Signals as values, for `license run`: which of them to pass on to its command, and which of them the
//! command has got already.

use std::io;
use std::process::Child;
use std::thread;

use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use signal_hook::low_level::siginfo::Cause;
use signal_hook::low_level::signal_name;

/// The signals that are passed on. Those of job control are left to the shell.
const FORWARDED: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT];

/// A signal that came to this process.
pub(crate) enum Arrival {
    /// A child stopped, continued or ended.
    Child,
    /// A signal for us, or for the command.
    Asked(Asked),
}

/// A signal that ends most programs.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    number: i32,
    /// Whether it was sent to this process alone, and not to its whole group.
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

    /// Passes it on to a command that has not been waited for, unless the command has got it already.
    ///
    /// A key such as Ctrl-C signals every process in the foreground of the terminal, so the command too;
    /// many programs take a second signal as a demand to end at once.
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

/// Hands signals to `each`, on a thread of its own, until that returns false.
///
/// A signal that was ignored when this process began stays ignored, also by the command: starting us
/// under `nohup` is meant for the command, too.
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
        // A terminal that goes away sends it to the leader of its session alone.
        SIGHUP => Arrival::Asked(Asked { number: SIGHUP, here_only: sent || leads_session() }),
        number => Arrival::Asked(Asked { number, here_only: sent }),
    }
}

/// Whether this process leads its session; false if that cannot be found out.
///
/// `getsid` will not do: in a container whose session began outside of it, it gives 0, which is no
/// process.
fn leads_session() -> bool {
    let leader =
        own_status("NSsid:").and_then(|numbers| numbers.split_whitespace().last()?.parse().ok());
    leader == Some(getpid().as_raw_nonzero().get())
}

/// The signals that this process ignores, as bits from SIGHUP on; none if that cannot be found out.
fn ignored() -> u64 {
    own_status("SigIgn:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// A field of `/proc/self/status`.
fn own_status(name: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}
