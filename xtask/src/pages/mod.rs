//! The chore `pages`: holds the documented pages against the schemas, since the pages change without
//! notice and nobody reads tables as closely as a program.
//!
//! A page is read into tables (`page`, `editions`, `words`), each table is taken for the object
//! it lists (`assign`), and that object is compared with what the schemas say of it (`expect`,
//! `compare`), or written as a schema of its own (`derive`).

mod assign;
mod compare;
mod derive;
mod editions;
mod expect;
mod json_block;
mod model;
mod page;
#[cfg(test)]
mod tests;
mod words;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use clap::Subcommand;

use self::assign::Assigned;
use self::compare::{Finding, Weight};
use self::expect::Command;
use self::page::Page;

/// What the chore is asked to do.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare the tables on pages with the schemas
    ///
    /// Prints every difference on a line of its own: the file and line, the object and property,
    /// what the page says and what the schema says. Values of an enum that differ on a page that
    /// is not in English are warnings, since some translations translate them.
    #[command(after_help = "\
Pages come in any edition (Docusaurus Markdown, text flattened from HTML, doc-center text) and in
English, French, Spanish, Portuguese or Japanese.

Exit codes: 0 all agree, 1 a page and a schema differ, 2 a page cannot be read.")]
    Check {
        /// Pages of `License usage` or `License info`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema that the tables on a page describe
    ///
    /// It is the documented profile, in one self-contained document. What the tables do not say,
    /// such as bounds and formats, is not in it.
    Derive {
        /// A page of `License usage` or `License info`
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// How a chore on pages ends.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Outcome {
    Agrees = 0,
    Drifts = 1,
    Fails = 2,
}

/// Runs the chore.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (mut out, mut talk) = (io::stdout().lock(), io::stderr().lock());
    let outcome = match run_task(&arguments.task, &mut out, &mut talk) {
        Ok(outcome) => outcome,
        // Not the code of drift: nothing was compared.
        Err(error) => {
            writeln!(talk, "error: {error:#}")?;
            Outcome::Fails
        }
    };
    Ok(ExitCode::from(outcome as u8))
}

fn run_task(task: &Task, out: &mut dyn Write, talk: &mut dyn Write) -> Result<Outcome> {
    let commands = commands()?;
    Ok(match task {
        Task::Check { files } => check(files, &commands, out, talk)?,
        Task::Derive { file } => derive(file, &commands, out, talk)?,
    })
}

/// The objects that a text lists, as far as it can be taken for a page, with all that differs from
/// the schemas in one line each.
///
/// # Errors
/// Where no table of the text is one of a page that we know, or a table cannot be a schema.
pub fn describe(text: &str) -> Result<(serde_json::Value, Vec<String>)> {
    static COMMANDS: LazyLock<Vec<Command>> =
        LazyLock::new(|| commands().expect("the schemas of this workspace are sound"));
    let (page, findings) = examine(text, &COMMANDS)?;
    let findings = findings.iter().map(|finding| finding.in_file("page")).collect();
    Ok((derive::derive(&page)?, findings))
}

/// Compares each page with the schemas; one that cannot be read does not hide the others.
fn check(
    files: &[PathBuf],
    commands: &[Command],
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::Agrees;
    for file in files {
        outcome = outcome.max(match read(file).and_then(|text| examine(&text, commands)) {
            Ok((page, findings)) => {
                report(file, &findings, out, talk)?;
                if findings.iter().any(|finding| finding.weight == Weight::Drift) {
                    writeln!(talk, "note: {}: {}", file.display(), cure(page.command))?;
                    Outcome::Drifts
                } else {
                    Outcome::Agrees
                }
            }
            Err(error) => fail(file, &error, talk)?,
        });
    }
    Ok(outcome)
}

/// Prints what contradicts the schemas, and beside it what may be due to translation.
fn report(
    file: &Path,
    findings: &[Finding],
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> io::Result<()> {
    for finding in findings {
        let line = finding.in_file(file.display());
        match finding.weight {
            Weight::Drift => writeln!(out, "{line}")?,
            Weight::Warning => writeln!(talk, "warning: {line}")?,
        }
    }
    Ok(())
}

/// What to do about drift.
fn cure(command: &Command) -> String {
    let files: Vec<String> =
        command.files().into_iter().map(|file| format!("schemas/{file}")).collect();
    let files = files.join(" or ");
    format!(
        "where the page is right, edit {files} (or a schema it refers to), then run `cargo xtask \
         codegen`"
    )
}

fn fail(file: &Path, error: &anyhow::Error, talk: &mut dyn Write) -> io::Result<Outcome> {
    let why = compare::printable(&format!("{error:#}"));
    writeln!(talk, "error: {}: {why}", file.display())?;
    Ok(Outcome::Fails)
}

/// Prints the schema that a page describes; that it differs from the checked one is no failure.
fn derive(
    file: &Path,
    commands: &[Command],
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> io::Result<Outcome> {
    let derived = read(file).and_then(|text| {
        let (page, findings) = examine(&text, commands)?;
        Ok((derive::derive(&page)?, findings))
    });
    match derived {
        Ok((schema, findings)) => {
            for finding in findings {
                writeln!(talk, "warning: {}", finding.in_file(file.display()))?;
            }
            writeln!(out, "{schema:#}")?;
            Ok(Outcome::Agrees)
        }
        Err(error) => fail(file, &error, talk),
    }
}

fn commands() -> Result<Vec<Command>> {
    expect::commands(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas"))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).context("it cannot be read; give the path of a page in UTF-8 text")
}

/// Reads a page and compares it with the schemas.
fn examine<'a>(text: &str, commands: &'a [Command]) -> Result<(Assigned<'a>, Vec<Finding>)> {
    let page = Page::read(text);
    let assigned = assign::assign(page.tables, commands).context(
        "it has no table that we know; give a page of `License usage` or `License info` (HTML is \
         not read: copy the text that a browser shows), or, if its header words are new, add them \
         to xtask/src/pages/words.rs",
    )?;
    let findings = compare::compare(&assigned, page.block.as_ref());
    Ok((assigned, findings))
}
