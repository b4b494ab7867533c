//! `license validate`: every violation of a schema, with its place.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::tz::TimeZone;
use license_types::{Count, Violation};
use license_validate::rules::{Rule, Rules};
use license_validate::{Judge, Malformed, Notice, Summary};

use crate::arguments::{Asked, Validate};
use crate::context::{Context, not_written, unreadable};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::Day;
use crate::output::progress::Progress;
use crate::output::table::Rows;
use crate::output::text::escaped;
use crate::output::{json_line, name_of, place};

pub(super) fn run(arguments: &Validate, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    if arguments.list_rules {
        return list_rules(context);
    }
    let judge = judge(arguments, context);
    let mut total = Summary::default();
    let mut unread = 0;
    for path in &arguments.files {
        match file(&judge, path, context) {
            Ok(summary) => total += summary,
            Err(Failure::ReaderGone) => return Err(Failure::ReaderGone),
            // One file that cannot be read must not hide what is wrong with the others.
            Err(failure) => {
                context.say(&failure.to_string());
                unread += 1;
            }
        }
    }
    context.say(&sentence(&total, unread));
    Ok(match (unread + total.malformed, total.violations) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Refused,
        (_, _) => Exit::Usage,
    })
}

fn judge(arguments: &Validate, context: &Context<'_, '_>) -> Judge {
    let mut judge = Judge::new(arguments.profile).masked(arguments.mask);
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

/// Judges one file and tells what it finds as it reads.
fn file(judge: &Judge, path: &Path, context: &mut Context<'_, '_>) -> Result<Summary, Failure> {
    let judge = judge.clone().lines(is_lines(path));
    let json = context.json();
    let env = &mut *context.env;
    let opened;
    let (reader, size): (&mut dyn Read, Option<u64>) = if path == Path::new("-") {
        (&mut *env.stdin, None)
    } else {
        opened = File::open(env.directory.join(path)).map_err(|error| unreadable(path, &error))?;
        (&mut &opened, opened.metadata().ok().map(|metadata| metadata.len()))
    };
    let name = name_of(path);
    let mut progress = Progress::new(&name, size, env.stderr_is_terminal);
    let mut broken = None;
    let summary = judge.read(reader, |notice| {
        let mut violation = match notice {
            Notice::Progress { bytes } => {
                progress.advance(bytes, env.stderr);
                return ControlFlow::Continue(());
            }
            Notice::Violation(violation) => violation,
            Notice::Malformed(malformed) => as_violation(&malformed),
        };
        violation.file = Some(name.clone());
        let line = if json { json_line(&violation) } else { human(&violation) };
        progress.wipe(env.stderr);
        match env.stdout.write_all(line.as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    progress.wipe(env.stderr);
    match broken {
        Some(error) => Err(not_written(error)),
        None => summary.map_err(|error| unreadable(path, &error)),
    }
}

/// Input that cannot be read at all, in the form of what breaks a rule.
fn as_violation(malformed: &Malformed) -> Violation {
    let count = |number| Count::new(number).unwrap_or(Count::MAX);
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

fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// Whether the name promises one record a line.
fn is_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl")
}
