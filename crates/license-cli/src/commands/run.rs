//! `license run`: any program as a session that holds a license, from before it starts until after
//! it ended.

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

/// A program that has ended waits no longer than this for its license to be released.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(5);

/// What `run` waits for, from several threads.
enum News {
    Signal(Arrival),
    Answer(Result<Box<dyn Seat>, Failure>),
    /// Something that people should know while the command runs.
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

/// Asks for the license in a thread of its own, since signals may come first.
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

enum Answer {
    Seat(Box<dyn Seat>),
    Interrupted(Exit),
}

/// A name that no session had before, and that says nothing of the machine.
fn fresh_session() -> SessionId {
    // The standard library keys its hash maps with random numbers of the operating system.
    use std::hash::{BuildHasher, RandomState};
    let name = format!("run-{:016x}", RandomState::new().hash_one(()));
    SessionId::new(name).expect("digits and a dash are a session's name")
}

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

/// Starts the command, without what only we need to know.
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
        // A script that names no interpreter, which the shell reads: under `env` that is so, too.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(found(program.as_ref(), variables.get(OsStr::new("PATH"))));
            start(shell)
        }
        started => started,
    })
}

/// Where a program lies that was found by its name.
fn found(program: &Path, path: Option<&OsString>) -> PathBuf {
    let is_named = program.components().count() == 1;
    let folders = path.filter(|_| is_named).into_iter().flat_map(env::split_paths);
    let mut files = folders.map(|folder| folder.join(program));
    files.find(|file| file.is_file()).unwrap_or_else(|| program.to_owned())
}

/// Waits until the command ends, passing on what it is sent.
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
            // Nobody is left to say that it ended.
            Err(mpsc::RecvError) => {
                return Ok(Exit::Command(code(child.wait().map_err(lost_sight)?)));
            }
        }
    }
}

fn lost_sight(error: io::Error) -> Failure {
    Failure::internal(format!("cannot tell whether the command ended: {error}"))
}

/// Like a shell: the command's own code, or 128 and the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => signals::ended_by(signal),
        (None, None) => u8::MAX,
    }
}

/// Like `env`: 127 where there is no such program, 126 where it cannot be run.
fn not_started(arguments: &Run, error: &io::Error, context: &mut Context<'_, '_>) -> Exit {
    let program = arguments.command.first().map(|program| name_of(program.as_ref()));
    context.say(&format!("cannot run {}: {error}", program.unwrap_or_default()));
    match error.kind() {
        io::ErrorKind::NotFound => Exit::Command(127),
        _ => Exit::Command(126),
    }
}

/// Releases the license within a bounded time: the command ended, and its code is what counts.
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
