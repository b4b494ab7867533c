//! Installs the licenses of `serve --license` when a server starts.

use std::path::Path;

use license_pool::{Error, InstallOptions, Pool, Refusal};
use license_types::{Entry, Event, InstallStatus};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::name_of;
use crate::store::{failure, not_a_license};

/// Installs a license, unless the same document was installed before and has since been replaced or
/// uninstalled: restarting a server with an old file must not undo that.
pub(super) fn install(
    file: &Path,
    pool: &Pool,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let document = context.read(file)?;
    let name = name_of(file);
    let install = |dry_run| {
        let options = InstallOptions { dry_run, ..InstallOptions::default() };
        pool.install_with(&document, options).wait()
    };
    let failed = |error: Error| match &error {
        Error::Document(reason) => not_a_license(&name, reason),
        _ => failure(&error),
    };
    let trial = match install(true) {
        Err(Error::NumberReplaced { by, .. }) => {
            context
                .say(&format!("warning: {name} was replaced by license {by}, so it is left out"));
            return Ok(());
        }
        trial => trial.map_err(failed)?,
    };
    let number = &trial.license_number;
    match trial.status {
        InstallStatus::Unchanged => return Ok(()),
        InstallStatus::Installed | InstallStatus::Replaced => {}
    }
    for entry in pool.license(number.as_str()).history() {
        let installed = match entry {
            Ok(Entry { event: Event::Installed(installed), .. }) => installed,
            Ok(_) => continue,
            Err(Error::Refused(Refusal::UnknownLicense { .. })) => break,
            Err(error) => return Err(failure(&error)),
        };
        if installed.document_digest == trial.document_digest {
            let since = match trial.status {
                InstallStatus::Installed => "uninstalled",
                InstallStatus::Replaced | InstallStatus::Unchanged => "replaced",
            };
            context.say(&format!(
                "warning: {name} was installed before and {since} since, so it is left out"
            ));
            return Ok(());
        }
    }
    for warning in install(false).map_err(failed)?.warnings {
        context.say(&format!("warning: {name}: {warning}"));
    }
    Ok(())
}
