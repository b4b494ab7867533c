//! `license validate`: finds every violation of a schema, with its place.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;

use jiff::tz::TimeZone;
use license_types::{Count, Violation, ViolationSummary};
use license_validate::rules::{Rule, Rules};
use license_validate::{Judge, Malformed, Notice, Summary};

use crate::arguments::{Asked, Validate};
use crate::context::{Context, answered, not_written, say, unreadable};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{self, Input};
use crate::instant::Day;
use crate::output::progress::Progress;
use crate::output::summary::{Kinds, table};
use crate::output::table::Rows;
use crate::output::text::escaped;
use crate::output::{json_line, name_of, place};

pub(super) fn run(arguments: &Validate, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    if arguments.list_rules {
        return list_rules(context);
    }
    judged(&judge(arguments, context), arguments, context)
}

/// Judges all files.
fn judged(
    judge: &Judge,
    arguments: &Validate,
    context: &mut Context<'_, '_>,
) -> Result<Exit, Failure> {
    let mut report = Report {
        left: arguments.max_violations.map(Into::into),
        kinds: arguments.summary.then(Kinds::default),
        total: Summary::default(),
        unread: 0,
    };
    for path in &arguments.files {
        if report.is_full() {
            break;
        }
        match file(judge, path, &mut report, context) {
            Ok(()) => {}
            // Nobody reads on, but what was found up to here was found.
            Err(Failure::ReaderGone) => return Ok(exit(&report.total, report.unread)),
            // An unreadable file must not hide what is wrong with the others.
            Err(failure) => {
                context.say(&failure.to_string());
                report.unread += 1;
            }
        }
    }
    report.end(arguments, context)
}

/// What was found so far, in all files.
struct Report {
    /// How many violations may still be shown, if `--max-violations` limits them.
    left: Option<u64>,
    /// The counts, if violations are to be counted instead of shown.
    kinds: Option<Kinds>,
    total: Summary,
    unread: u64,
}

impl Report {
    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn end(self, arguments: &Validate, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
        let complete = !self.is_full();
        let Report { kinds, total, unread, .. } = self;
        let mut written = Ok(());
        if let Some(kinds) = kinds {
            let (kinds, others) = kinds.sorted();
            written = match context.json() {
                true => context.value(&ViolationSummary {
                    records: count(total.records),
                    valid: count(total.valid),
                    violations: count(total.violations),
                    malformed: count(total.malformed),
                    unread: count(unread),
                    complete,
                    kinds,
                    others: count(others),
                }),
                false => context.data(&table(&kinds, others, context.width())),
            };
        }
        context.say(&sentence(&total, unread));
        if let Some(max) = arguments.max_violations.filter(|_| !complete) {
            let found = counted(max.into(), "violation");
            context.say(&format!("stopped after {found} (--max-violations); there may be more"));
        }
        answered(written, exit(&total, unread))
    }
}

/// The exit code: our own fault wins over malformed input, and that over violations.
fn exit(total: &Summary, unread: u64) -> Exit {
    match (total.disagreements, unread + total.malformed, total.violations) {
        (0, 0, 0) => Exit::Done,
        (0, 0, _) => Exit::Refused,
        (0, _, _) => Exit::Usage,
        (_, _, _) => Exit::Fault,
    }
}

fn judge(arguments: &Validate, context: &Context<'_, '_>) -> Judge {
    let mut judge = Judge::new(arguments.profile).masked(arguments.mask);
    let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
    judge = judge.jobs(arguments.jobs.unwrap_or_else(cores));
    if let Some(name) = &arguments.schema {
        judge = judge.schema(name).expect("only names of schemas are understood");
    }
    if !arguments.rules.is_empty() {
        let today = || context.env.clock.now().to_zoned(TimeZone::UTC).date();
        let day = arguments.at.map_or_else(today, |Day(date)| date);
        let rules = arguments.rules.iter().flat_map(|asked| match asked {
            Asked::All => Rule::ALL.to_vec(),
            Asked::Rule(rule) => vec![*rule],
        });
        judge = judge.rules(Rules::only(day, rules));
    }
    judge
}

fn list_rules(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut rows = Rows::new(&["rule", "asks that"], context.width());
    for rule in Rule::ALL {
        rows.row([rule.name(), rule.description()]);
    }
    match context.json() {
        true => context.value(&Rule::ALL.map(Rule::name))?,
        false => context.data(&rows.text())?,
    }
    Ok(Exit::Done)
}

/// Judges one file, and shows what it finds as it reads.
fn file(
    judge: &Judge,
    path: &Path,
    report: &mut Report,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let judge = judge.clone().lines(input::is_lines(path));
    let json = context.json();
    let env = &mut *context.env;
    let name = name_of(path);
    let Input { reader, size, .. } = input::open(path, &mut *env.stdin, &env.directory)?;
    let mut progress = Progress::of_bytes(&name, size, env.stderr_is_terminal);
    let mut faults = Vec::new();
    let mut broken = None;
    let summary = judge.read(reader, |notice| {
        let mut violation = match notice {
            Notice::Progress { bytes } => {
                progress.advance(bytes, env.stderr);
                return ControlFlow::Continue(());
            }
            Notice::Disagreement { line, column } => {
                faults.push(format!("{name}:{line}:{column}: {OUR_FAULT}"));
                return ControlFlow::Continue(());
            }
            Notice::Violation(violation) => violation,
            Notice::Malformed(malformed) => as_violation(&malformed),
        };
        violation.file = Some(name.clone());
        if let Some(left) = &mut report.left {
            *left -= 1;
        }
        if let Some(kinds) = &mut report.kinds {
            kinds.add(violation);
        } else {
            let line = if json { json_line(&violation) } else { human(&violation) };
            progress.wipe(env.stderr);
            broken = env.stdout.write_all(line.as_bytes()).err();
        }
        match report.is_full() || broken.is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.wipe(env.stderr);
    faults.iter().for_each(|fault| say(env, fault));
    let summary = summary.map_err(|error| unreadable(path, &error));
    if let Ok(summary) = &summary {
        report.total += *summary;
    }
    match broken {
        Some(error) => Err(not_written(error)),
        None => summary.map(|_| ()),
    }
}

/// The message for a record on which the two validators disagree.
const OUR_FAULT: &str = "our fault: the fast validator accepts this record, the reference does \
     not and is right; please report it with the record, or with its shape";

/// Input that is no JSON, in the form of a violation.
fn as_violation(malformed: &Malformed) -> Violation {
    Violation {
        file: None,
        instance_path: String::new(),
        schema_path: "malformed".to_owned(),
        line: count(malformed.line),
        column: count(malformed.column),
        message: format!("{}: {}", malformed.problem, malformed.problem.cure()),
        shape: None,
    }
}

/// `file:line:column: pointer: message (schema place)`
fn human(violation: &Violation) -> String {
    let file = violation.file.as_deref().unwrap_or_default();
    let text = format!("{file}:{} ({})", place(violation), violation.schema_path);
    escaped(&text).into_owned() + "\n"
}

fn sentence(total: &Summary, unread: u64) -> String {
    let mut parts = Vec::new();
    if total.records > 0 || total.malformed + unread == 0 {
        let records = counted(total.records, "record");
        parts.push(match total.records - total.valid {
            0 => format!("{records}: valid"),
            invalid => {
                let violations = counted(total.violations, "violation");
                format!("{records}: {invalid} invalid, with {violations}")
            }
        });
    }
    if total.malformed > 0 {
        parts.push(format!("{} cannot be judged", counted(total.malformed, "part")));
    }
    if unread > 0 {
        parts.push(format!("{} cannot be read", counted(unread, "file")));
    }
    parts.join("; ")
}

fn count(number: u64) -> Count {
    Count::new(number).unwrap_or(Count::MAX)
}

fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests;
