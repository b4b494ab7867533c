//! Why a command failed or was refused. One problem code decides the exit code, the hint for people and
//! the problem document for programs.

use std::error::Error;
use std::fmt;
use std::path::Path;

use license_pool::explained;
use license_types::{Count, HttpStatus, Problem, ProblemCode, Violation};
use license_validate::Malformed;

use crate::exit::Exit;
use crate::output::{name_of, place, secrets::masked, text::escaped};

/// A command that failed or was refused.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of stdout has gone: nothing is said, and the exit code is 0 where it is no answer.
    ReaderGone,
    /// Any other failure.
    Told(Box<Told>),
}

/// A failure that is told: as a problem document to programs, with hints to people.
#[derive(Debug)]
pub(crate) struct Told {
    pub problem: Problem,
    pub hints: Vec<String>,
    /// How the process ends, if not as the code of the problem says.
    pub exit: Option<Exit>,
}

impl Failure {
    /// A failure with this code; `detail` says what happened this time.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Failure {
        Failure::problem(Problem {
            type_: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status: HttpStatus::new(code.status().into()).expect("every status of a code is one"),
            code,
            detail: masked(&detail.into()),
            allowed_count: None,
            used_count: None,
            license_numbers: None,
            violations: None,
        })
    }

    /// A failure with this problem, such as a server answers with.
    pub(crate) fn problem(problem: Problem) -> Failure {
        let (_, cure) = meaning(problem.code);
        let hints = if cure.is_empty() { Vec::new() } else { vec![cure.to_owned()] };
        Failure::Told(Box::new(Told { problem, hints, exit: None }))
    }

    /// Wrong usage, or input that cannot be read.
    pub(crate) fn usage(detail: impl Into<String>) -> Failure {
        Failure::new(ProblemCode::BadRequest, detail)
    }

    /// A file that is no JSON.
    pub(crate) fn malformed(file: &Path, malformed: &Malformed) -> Failure {
        let Malformed { line, column, problem } = malformed;
        Failure::usage(format!("{}:{line}:{column}: {problem}", name_of(file))).hint(problem.cure())
    }

    /// A mistake of ours, or a fault of the machine.
    pub(crate) fn internal(detail: impl Into<String>) -> Failure {
        Failure::new(ProblemCode::Internal, detail)
    }

    /// A log that does not verify.
    pub(crate) fn damaged(fault: impl Into<String>) -> Failure {
        Failure::new(ProblemCode::LedgerFaulted, fault)
    }

    /// A failure with this code, whose detail is an error with all its sources.
    pub(crate) fn because(code: ProblemCode, error: &dyn Error) -> Failure {
        Failure::new(code, explained(error))
    }

    /// Adds a hint: what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        if let Failure::Told(told) = &mut self {
            told.hints.push(hint.into());
        }
        self
    }

    /// The same with violations and hints appended to the detail, all on one line.
    pub(crate) fn in_one_line(mut self) -> Failure {
        if let Failure::Told(told) = &mut self {
            let places = told.problem.violations.iter().flatten().map(place);
            let said = places.chain(told.hints.drain(..)).map(|line| line.replace('\n', " "));
            let said: Vec<String> = said.collect();
            told.problem.violations = None;
            let lines = told.problem.detail.lines().map(str::trim).filter(|line| !line.is_empty());
            told.problem.detail = lines.collect::<Vec<_>>().join(" ");
            for line in said {
                told.problem.detail += "; ";
                told.problem.detail += &line;
            }
        }
        self
    }

    /// The same; if it is a refusal and there is a code, the process ends with that.
    pub(crate) fn refused_as(mut self, code: Option<u8>) -> Failure {
        let refused = self.exit() == Exit::Refused;
        if let (Failure::Told(told), Some(code), true) = (&mut self, code, refused) {
            told.exit = Some(Exit::Command(code));
        }
        self
    }

    /// Adds the counters of a product that has nothing left.
    pub(crate) fn counts(mut self, allowed_count: u64, used_count: u64) -> Failure {
        if let Failure::Told(told) = &mut self {
            told.problem.allowed_count = Count::new(allowed_count).ok();
            told.problem.used_count = Count::new(used_count).ok();
        }
        self
    }

    /// Adds the numbers of the licenses, of which one must be named.
    pub(crate) fn license_numbers(mut self, numbers: &[String]) -> Failure {
        if let Failure::Told(told) = &mut self {
            told.problem.license_numbers = Some(numbers.to_vec());
        }
        self
    }

    /// A document that does not conform to its schema, with every violation.
    pub(crate) fn violations(file: &Path, schema: &str, violations: Vec<Violation>) -> Failure {
        let detail = format!("{} does not conform to the schema {schema}", name_of(file));
        let cure = format!("`license schema {schema}` prints it");
        let mut failure = Failure::new(ProblemCode::SchemaViolation, detail).hint(cure);
        if let Failure::Told(told) = &mut failure {
            told.problem.violations = Some(violations);
        }
        failure
    }

    /// The code by which programs know it; none if only the reader has gone.
    pub(crate) fn code(&self) -> Option<ProblemCode> {
        match self {
            Failure::ReaderGone => None,
            Failure::Told(told) => Some(told.problem.code),
        }
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::ReaderGone => Exit::Done,
            Failure::Told(told) => told.exit.unwrap_or(meaning(told.problem.code).0),
        }
    }
}

/// The message, then each violation and each hint on a line of its own.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::ReaderGone => f.write_str("the reader of the output has gone"),
            Failure::Told(told) => {
                f.write_str(&told.problem.detail)?;
                for violation in told.problem.violations.iter().flatten() {
                    write!(f, "\n{}", escaped(&place(violation)))?;
                }
                told.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
            }
        }
    }
}

/// The exit code and the hint of each problem code; the hint may be empty.
fn meaning(code: ProblemCode) -> (Exit, &'static str) {
    use Exit::{Fault, Refused, Unreachable, Usage};
    match code {
        ProblemCode::BadRequest => (Usage, ""),
        ProblemCode::Unauthorized => (Refused, ""),
        ProblemCode::NotPermitted => (Refused, ""),
        ProblemCode::SchemaViolation => (Usage, ""),
        ProblemCode::UnknownLicense => {
            (Refused, "`license install FILE` installs a license, `license store check` lists them")
        }
        ProblemCode::AmbiguousLicense => (Usage, "name one with --license-number"),
        ProblemCode::UnknownProduct => (Refused, "`license info` lists the products"),
        ProblemCode::LicenseExpired => {
            (Refused, "`license info` shows the dates; install the renewed license over this one")
        }
        ProblemCode::NoLicenseLeft => {
            (Refused, "`license usage` shows who holds them; `license release --token N` frees one")
        }
        ProblemCode::NotRetained => (Refused, "`license usage` shows what is held"),
        ProblemCode::InUse => (Refused, "release what is held first"),
        ProblemCode::NotFound => (Refused, ""),
        ProblemCode::MethodNotAllowed => (Fault, ""),
        ProblemCode::PayloadTooLarge => (Usage, ""),
        ProblemCode::UnsupportedMediaType => (Fault, ""),
        ProblemCode::TooManyRequests => (Unreachable, "try again later"),
        ProblemCode::StoreUnavailable => (Unreachable, ""),
        ProblemCode::StoreBusy => (Unreachable, "try again"),
        ProblemCode::OutcomeUnknown => (Unreachable, "the same command again is safe"),
        ProblemCode::QueueFull => (Unreachable, "try again later"),
        ProblemCode::ClockSkew => (Unreachable, "set the clock right"),
        ProblemCode::LedgerFaulted => {
            (Unreachable, "keep a copy of the store as it is, then restore the last sound backup")
        }
        ProblemCode::Draining => (Unreachable, "try another server"),
        ProblemCode::Internal => (Fault, ""),
    }
}
