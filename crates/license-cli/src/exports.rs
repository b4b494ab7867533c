//! Reports that were exported, by this program or by a 4D Server: each file is true at one instant.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;

use jiff::Timestamp;
use license_types::{FromJson, observed, schemas::Profile};
use license_validate::{Judge, Malformed, Notice, Problem};
use serde_json::Value;

use crate::arguments::Exports;
use crate::context::{Context, unreadable};
use crate::failure::Failure;
use crate::input::{self, Input};
use crate::output::name_of;

/// Violations of one file that are told.
const TOLD_MAX: usize = 20;

/// A report, from which file and of which instant.
pub(crate) struct Export {
    pub file: String,
    pub at: Timestamp,
    pub report: Report,
}

/// What a file holds: retentions, of any number of records, or a license.
pub(crate) enum Report {
    Usage(Vec<observed::Retention>),
    Info(Box<observed::LicenseInfo>),
}

/// Reads the files in their order.
pub(crate) fn read(
    exports: &Exports,
    context: &mut Context<'_, '_>,
) -> Result<Vec<Export>, Failure> {
    let (files, instants) = (exports.from.len(), exports.at.len());
    if instants > 0 && instants != files {
        let detail = format!("--at tells {instants} of the instants of {files} files");
        return Err(Failure::usage(detail).hint("give it once for each file, in their order"));
    }
    if context.everywhere.store.is_some() || context.everywhere.license_number.is_some() {
        let detail = "--from reads files: --store and --license-number say nothing of them";
        return Err(Failure::usage(detail));
    }
    let mut read = Vec::new();
    for (index, path) in exports.from.iter().enumerate() {
        let env = &mut *context.env;
        let Input { mut reader, modified, .. } =
            input::open(path, &mut *env.stdin, &env.directory)?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        let told = exports.at.get(index).copied();
        let at = told.or(modified).unwrap_or_else(|| env.clock.now());
        let file = name_of(path);
        judge(path, &bytes)?;
        let reports = reports(&bytes).map_err(|error| {
            Failure::internal(format!("{file} is judged valid and cannot be read: {error}"))
        })?;
        read.extend(reports.into_iter().map(|report| Export { file: file.clone(), at, report }));
    }
    Ok(read)
}

/// Refuses a file that is no report, with what is wrong with it.
fn judge(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let jobs = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let is_lines = matches!(input::extension(path), Some("ndjson" | "jsonl"));
    let judge = Judge::new(Profile::Observed).lines(is_lines).jobs(jobs);
    let (mut violations, mut malformed) = (Vec::new(), None);
    let summary = judge.read(bytes, |notice| {
        match notice {
            Notice::Violation(violation) => violations.push(violation),
            Notice::Malformed(found) => malformed = Some(found),
            Notice::Disagreement { .. } | Notice::Progress { .. } => {}
        }
        match malformed.is_some() || violations.len() == TOLD_MAX {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let summary = summary.map_err(|error| unreadable(path, &error))?;
    if summary.disagreements > 0 {
        let detail = format!("{}: the two validators disagree", name_of(path));
        return Err(Failure::internal(detail).hint("`license validate` names the record"));
    }
    match malformed {
        Some(Malformed { problem: Problem::UnknownDocument, .. }) => {
            let detail = format!("{} is no License usage and no License info", name_of(path));
            Err(Failure::usage(detail).hint("one record alone is read from a file named .ndjson"))
        }
        Some(malformed) => Err(Failure::malformed(path, &malformed)),
        None if violations.is_empty() => Ok(()),
        None => Err(Failure::violations(path, "license-usage", violations)
            .hint("`license validate` lists all that is wrong")),
    }
}

/// The reports in a text that is judged valid: an array of retentions, or any number of values.
fn reports(bytes: &[u8]) -> Result<Vec<Report>, Box<dyn std::error::Error>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Ok(vec![Report::Usage(serde_json::from_slice(bytes)?)]);
    }
    let (mut retentions, mut reports, mut is_usage) = (Vec::new(), Vec::new(), false);
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let value = value?;
        if value.get("products").is_some() {
            reports.extend(
                observed::LicenseInfoDocument::parse(value)?.map(Box::new).map(Report::Info),
            );
            continue;
        }
        is_usage = true;
        if !value.is_null() {
            retentions.push(observed::Retention::parse(value)?);
        }
    }
    if is_usage {
        reports.push(Report::Usage(retentions));
    }
    Ok(reports)
}

/// What the shapes of a session have in common.
pub(crate) trait Described {
    /// Name of the user.
    fn user(&self) -> &str;
    /// Address of the client.
    fn address(&self) -> &str;
    /// Name of the machine; only a client's session tells it.
    fn host(&self) -> &str;
    /// What tells the session from others; SQL sessions have nothing.
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
            // A UUID means the same with dashes and without, in either case.
            observed::Session::Client(session) => Some(format!(
                "client {}",
                session.id.as_str().replace('-', "").to_ascii_uppercase()
            )),
            observed::Session::Rest(session) => Some(format!("rest {}", session.session_id)),
            observed::Session::Sql(_) => None,
        }
    }
}
