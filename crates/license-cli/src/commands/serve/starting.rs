//! Licenses that a server installs when it starts.

use std::path::Path;

use license_pool::{InstallOptions, Pool};
use license_types::{Event, InstallStatus};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::name_of;
use crate::store::{failure, not_a_license};

/// Installs a license, unless the same document was installed before and replaced since: who starts
/// a server anew with an old file must not undo a renewal.
pub(super) fn install(
    file: &Path,
    pool: &Pool,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let document = context.read(file)?;
    let name = name_of(file);
    let install = |dry_run| {
        let options = InstallOptions { dry_run, ..InstallOptions::default() };
        pool.install_with(&document, options).wait().map_err(|error| match &error {
            license_pool::Error::Document(reason) => not_a_license(&name, reason),
            _ => failure(&error),
        })
    };
    let trial = install(true)?;
    let number = &trial.license_number;
    match trial.status {
        InstallStatus::Unchanged => return Ok(()),
        InstallStatus::Installed => {}
        InstallStatus::Replaced => {
            for entry in pool.license(number.as_str()).history() {
                let entry = entry.map_err(|error| failure(&error))?;
                if let Event::Installed(installed) = entry.event
                    && installed.document_digest == trial.document_digest
                {
                    context.say(&format!(
                        "warning: {name} was installed before and replaced since, so it is left out"
                    ));
                    return Ok(());
                }
            }
        }
    }
    for warning in install(false)?.warnings {
        context.say(&format!("warning: {name}: {warning}"));
    }
    Ok(())
}
