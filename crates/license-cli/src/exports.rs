//! Reads reports that were exported, by this program or by a 4D Server. Each file shows one instant. It
//! is read record by record, so that it may have any length.

use std::ops::ControlFlow;
use std::path::PathBuf;

use jiff::Timestamp;
use license_types::{FromJson, observed, schemas::Profile};
use license_validate::{Judge, Malformed, Notice, Problem};
use serde_json::Value;

use crate::arguments::{Everywhere, Exports};
use crate::context::{Context, unreadable};
use crate::failure::Failure;
use crate::input::{self, Input};
use crate::output::name_of;
use crate::output::progress::Progress;

/// How many violations of one file are shown.
const TOLD_MAX: usize = 20;

/// A file, and the instant that it shows.
pub(crate) struct Export {
    pub file: String,
    pub at: Timestamp,
    path: PathBuf,
}

/// One record of a file.
pub(crate) enum Record {
    Retention(Box<observed::Retention>),
    Info(Box<observed::LicenseInfo>),
}

/// The files in the order in which they were given, still unread.
pub(crate) fn list(
    exports: &Exports,
    context: &mut Context<'_, '_>,
) -> Result<Vec<Export>, Failure> {
    let (files, instants) = (exports.from.len(), exports.at.len());
    if instants > 0 && instants != files {
        let detail = format!("--at tells {instants} of the instants of {files} files");
        return Err(Failure::usage(detail).hint("give it once for each file, in their order"));
    }
    let Everywhere { store, server, license_number, .. } = &context.everywhere;
    if store.is_some() || !server.is_empty() || license_number.is_some() {
        let detail =
            "--from reads files: --store, --server and --license-number say nothing of them";
        return Err(Failure::usage(detail));
    }
    let list = exports.from.iter().enumerate().map(|(index, path)| {
        let modified = input::modified(path, &context.env.directory)?;
        let told = exports.at.get(index).copied();
        Ok(Export {
            file: name_of(path),
            at: told.or(modified).unwrap_or_else(|| context.env.clock.now()),
            path: path.clone(),
        })
    });
    list.collect()
}

impl Export {
    /// Reads the whole file, and hands over each record. Gives whether it is a usage report, also one
    /// that lists nothing.
    pub(crate) fn read(
        &self,
        context: &mut Context<'_, '_>,
        take: impl FnMut(Record) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        self.read_by(&Judge::new(Profile::Observed), context, take)
    }

    /// The same with a given judge, since tests need one that is wrong.
    pub(crate) fn read_by(
        &self,
        judge: &Judge,
        context: &mut Context<'_, '_>,
        mut take: impl FnMut(Record) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let path = &self.path;
        let is_lines = input::is_lines(path);
        let env = &mut *context.env;
        let Input { reader, size } = input::open(path, &mut *env.stdin, &env.directory)?;
        let mut progress = Progress::of_bytes(&self.file, size, env.stderr_is_terminal);
        let (mut violations, mut malformed) = (Vec::new(), None);
        let mut failure = None;
        let (mut infos, mut fault) = (0, None);
        let summary = judge.clone().lines(is_lines).read_valid(
            reader,
            |notice| {
                match notice {
                    Notice::Violation(violation) => violations.push(violation),
                    Notice::Malformed(found) => malformed = Some(found),
                    Notice::Disagreement { line, column } => fault = Some((line, column)),
                    Notice::Progress { bytes } => progress.advance(bytes, env.stderr),
                }
                match malformed.is_some() || fault.is_some() || violations.len() == TOLD_MAX {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
            |text| {
                let taken = match record(text) {
                    Ok(None) => Ok(()),
                    Ok(Some(record)) => {
                        infos += u64::from(matches!(record, Record::Info(_)));
                        take(record)
                    }
                    Err(error) => Err(Failure::internal(format!(
                        "{} is judged valid and cannot be read: {error}",
                        self.file
                    ))),
                };
                failure = taken.err();
                match failure {
                    Some(_) => ControlFlow::Break(()),
                    None => ControlFlow::Continue(()),
                }
            },
        );
        progress.wipe(env.stderr);
        let summary = summary.map_err(|error| unreadable(path, &error))?;
        if let Some((line, column)) = fault {
            let detail = format!("{}:{line}:{column}: the two validators disagree", self.file);
            return Err(Failure::internal(detail).hint("`license validate` tells more"));
        }
        match (failure, malformed) {
            (Some(failure), _) => Err(failure),
            (None, Some(Malformed { problem: Problem::UnknownDocument, .. })) => {
                let detail = format!("{} is no License usage and no License info", self.file);
                let cure = "one record alone is read from a file named .ndjson";
                Err(Failure::usage(detail).hint(cure))
            }
            (None, Some(malformed)) => Err(Failure::malformed(path, &malformed)),
            (None, None) if violations.is_empty() => Ok(infos == 0 || infos < summary.records),
            (None, None) => Err(Failure::violations(path, "license-usage", violations)
                .hint("`license validate` lists all that is wrong")),
        }
    }
}

/// The record in a valid JSON text; none if it is null, which is a report of nothing.
fn record(text: &[u8]) -> Result<Option<Record>, Box<dyn std::error::Error>> {
    let value: Value = serde_json::from_slice(text)?;
    Ok(match value.get("products") {
        _ if value.is_null() => None,
        Some(_) => observed::LicenseInfoDocument::parse(value)?.map(Box::new).map(Record::Info),
        None => Some(Record::Retention(Box::new(observed::Retention::parse(value)?))),
    })
}

/// What the shapes of a session have in common.
pub(crate) trait Described {
    /// Name of the user.
    fn user(&self) -> &str;
    /// Address of the client.
    fn address(&self) -> &str;
    /// Name of the machine; empty unless it is the session of a client.
    fn host(&self) -> &str;
    /// What distinguishes the session from others; none for SQL, which has nothing of the kind.
    fn key(&self) -> Option<String>;
}

impl Described for observed::Session {
    fn user(&self) -> &str {
        match self {
            observed::Session::Client(session) => &session.user_name,
            observed::Session::Sql(session) => &session.user_name,
            observed::Session::Rest(session) => &session.user_name,
        }
    }

    fn address(&self) -> &str {
        match self {
            observed::Session::Client(session) => &session.ip_address,
            observed::Session::Sql(session) => &session.ip_address,
            observed::Session::Rest(session) => &session.ip_address,
        }
    }

    fn host(&self) -> &str {
        match self {
            observed::Session::Client(session) => &session.machine_name,
            observed::Session::Sql(_) | observed::Session::Rest(_) => "",
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            observed::Session::Client(session) => Some(format!("client {}", session.id.digits())),
            observed::Session::Rest(session) => Some(format!("rest {}", session.session_id)),
            observed::Session::Sql(_) => None,
        }
    }
}
