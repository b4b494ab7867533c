//! `license run`: runs any program as a session that holds a license, from before it starts until after
//! it has ended.
//!
//! Three threads report to the one that runs the command, by a channel of [`News`]: one hears signals,
//! one asks for the license, and behind a license from a server one hears whether its lease is in danger.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;
use std::{env, io};

use license_types::{Session, SessionId};
use rustix::io::Errno;

use super::retain::{HERE, described};
use crate::arguments::Run;
use crate::context::Context;
use crate::environment::is_secret;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::{Seat, Wanted};
use crate::output::name_of;
use crate::signals::{self, Arrival};

/// How long to wait, after the program has ended, for its license to be released.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(5);

/// What `run` waits for, from several threads.
enum News {
    Signal(Arrival),
    Answer(Result<Box<dyn Seat>, Failure>),
    /// A sentence for people about the license.
    Told(String),
}

pub(super) fn run(arguments: &Run, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    supervise(arguments, context)
        .map_err(|failure| failure.in_one_line().refused_as(arguments.refused_code))
}

fn supervise(arguments: &Run, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let (sender, news) = mpsc::channel();
    let arrivals = sender.clone();
    signals::listen(move |arrival| arrivals.send(News::Signal(arrival)).is_ok())
        .map_err(|error| Failure::internal(format!("cannot listen to signals: {error}")))?;
    ask(arguments, context, sender)?;
    let seat = match answer(&news, context)? {
        Answer::Seat(seat) => seat,
        Answer::Interrupted(exit) => return Ok(exit),
    };
    let ended = match started(arguments, context)? {
        Ok(mut child) => follow(&mut child, &news, context),
        Err(error) => Ok(not_started(arguments, &error, context)),
    };
    release(seat, context);
    ended
}

/// Asks for the license on a thread of its own, since a signal may come first.
fn ask(arguments: &Run, context: &mut Context<'_, '_>, news: Sender<News>) -> Result<(), Failure> {
    let session = arguments.session.clone().unwrap_or_else(fresh_session);
    let description = match &arguments.describe {
        Some(file) => described(file, context)?,
        None => Session::rest(&context.env.user_name, session.as_str(), HERE),
    };
    let (product, reason) = (arguments.product, arguments.reason.clone());
    let wanted = Wanted { product, session, reason, description };
    let wait = arguments.wait.map_or(Duration::ZERO, |wait| wait.0);
    let retain = context.seats()?;
    let told = news.clone();
    let tell = Box::new(move |text| drop(told.send(News::Told(text))));
    thread::spawn(move || drop(news.send(News::Answer(retain(wanted, wait, tell)))));
    Ok(())
}

/// How the wait for the license ended.
enum Answer {
    Seat(Box<dyn Seat>),
    Interrupted(Exit),
}

/// A random session id, which says nothing about the machine.
fn fresh_session() -> SessionId {
    // The standard library keys its hash maps with random numbers of the operating system.
    use std::hash::{BuildHasher, RandomState};
    let name = format!("run-{:016x}", RandomState::new().hash_one(()));
    SessionId::new(name).expect("digits and a dash are a session's name")
}

/// Waits for the license, or a signal.
fn answer(news: &Receiver<News>, context: &mut Context<'_, '_>) -> Result<Answer, Failure> {
    loop {
        match news.recv() {
            Ok(News::Answer(seat)) => return Ok(Answer::Seat(seat?)),
            Ok(News::Signal(Arrival::Asked(signal))) => {
                context.say(&format!(
                    "{} came before the license: nothing was started",
                    signal.name()
                ));
                return Ok(Answer::Interrupted(Exit::Command(signal.exit_code())));
            }
            Ok(News::Signal(Arrival::Child)) => {}
            Ok(News::Told(text)) => context.say(&text),
            Err(mpsc::RecvError) => return Err(Failure::internal("nobody asked for the license")),
        }
    }
}

/// Starts the command, without our secrets in its environment.
fn started(arguments: &Run, context: &Context<'_, '_>) -> Result<io::Result<Child>, Failure> {
    let [program, rest @ ..] = &arguments.command[..] else {
        return Err(Failure::usage("name the command to run, after `--`"));
    };
    let variables = &context.env.variables;
    let start = |mut command: Command| {
        command.args(rest).env_clear();
        command.envs(variables.iter().filter(|(name, value)| !is_secret(name, value))).spawn()
    };
    Ok(match start(Command::new(program)) {
        // A script that names no interpreter is run by the shell, as `env` does.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(found(program.as_ref(), variables.get(OsStr::new("PATH"))));
            start(shell)
        }
        started => started,
    })
}

/// The path of a program: if it is a bare name, the first file of that name in the folders of `path`.
fn found(program: &Path, path: Option<&OsString>) -> PathBuf {
    let is_named = program.components().count() == 1;
    let folders = path.filter(|_| is_named).into_iter().flat_map(env::split_paths);
    let mut files = folders.map(|folder| folder.join(program));
    files.find(|file| file.is_file()).unwrap_or_else(|| program.to_owned())
}

/// Waits until the command ends, and passes signals on to it.
fn follow(
    child: &mut Child,
    news: &Receiver<News>,
    context: &mut Context<'_, '_>,
) -> Result<Exit, Failure> {
    loop {
        match news.recv() {
            Ok(News::Signal(Arrival::Child)) => {
                let ended = child.try_wait().map_err(lost_sight)?;
                if let Some(status) = ended {
                    return Ok(Exit::Command(code(status)));
                }
            }
            Ok(News::Signal(Arrival::Asked(signal))) => {
                if let Err(error) = signal.forward(child) {
                    context.say(&format!("cannot pass {} on: {error}", signal.name()));
                }
            }
            Ok(News::Told(text)) => context.say(&text),
            Ok(News::Answer(_)) => {}
            // All senders are gone, so no signal will say that it has ended.
            Err(mpsc::RecvError) => {
                return Ok(Exit::Command(code(child.wait().map_err(lost_sight)?)));
            }
        }
    }
}

fn lost_sight(error: io::Error) -> Failure {
    Failure::internal(format!("cannot tell whether the command ended: {error}"))
}

/// The exit code as a shell reports it: the command's own, or 128 plus the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => signals::ended_by(signal),
        (None, None) => u8::MAX,
    }
}

/// The exit code as `env` reports it: 127 if there is no such program, 126 if it cannot be run.
fn not_started(arguments: &Run, error: &io::Error, context: &mut Context<'_, '_>) -> Exit {
    let program = arguments.command.first().map(|program| name_of(program.as_ref()));
    context.say(&format!("cannot run {}: {error}", program.unwrap_or_default()));
    match error.kind() {
        io::ErrorKind::NotFound => Exit::Command(127),
        _ => Exit::Command(126),
    }
}

/// Releases the license within a bounded time. A failure is only said, since the command's exit code is
/// what counts.
fn release(seat: Box<dyn Seat>, context: &mut Context<'_, '_>) {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || drop(sender.send(seat.release())));
    match done.recv_timeout(RELEASE_TIME_MAX) {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => {
            context.say(&format!("the license was not released: {}", failure.in_one_line()));
        }
        Err(_) => {
            context.say("the license was not released in time: it is freed once its lease is over");
        }
    }
}
