//! `license install`: installs a license document, or replaces one.

use std::path::Path;

use license_pool::{InstallError, License, StoreUrl};
use license_types::{
    InstallReceipt, InstallStatus, LicenseInfoDocument, ProblemCode, ProductChange,
};
use license_validate::{Malformed, Problem, Unfit};

use crate::arguments::Install;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::Installation;
use crate::output::table::Rows;
use crate::output::text::escaped;
use crate::output::{name_of, or_unlimited};

pub(super) fn run(arguments: &Install, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let document = context.read(&arguments.file)?;
    if context.everywhere.license_number.is_some() {
        return Err(Failure::usage("--license-number names an installed license")
            .hint("install reads the number from the document; --replaces NUMBER renews another"));
    }
    let installation = Installation {
        document: &document,
        source: &name_of(&arguments.file),
        replaces: arguments.replaces.as_deref(),
        dry_run: arguments.dry_run,
    };
    let receipt = install(&installation, context)
        .map_err(|failure| explained(failure, &arguments.file, &document))?;
    for warning in &receipt.warnings {
        context.say(&format!("warning: {warning}"));
    }
    if context.json() {
        context.value(&receipt)?;
    } else {
        context.data(&headline(&receipt, arguments))?;
        context.data(&changes(&receipt.products, context.width()))?;
    }
    Ok(Exit::Done)
}

fn install(
    installation: &Installation<'_>,
    context: &mut Context<'_, '_>,
) -> Result<InstallReceipt, Failure> {
    if context.is_remote()? {
        return context.licenses()?.install(installation);
    }
    let is_new = context.store_is_missing()?;
    if context.store_url()? == StoreUrl::Memory && !installation.dry_run {
        context.say("`memory:` is gone when the command ends: name a file to keep the license");
    }
    if is_new {
        // A dry run or a refused document must leave nothing behind, not even an empty store. So try in
        // memory first.
        let trial = Installation { dry_run: true, ..*installation };
        let receipt = context.licenses_in_memory()?.install(&trial)?;
        if installation.dry_run {
            return Ok(receipt);
        }
    }
    context.licenses_or_new()?.install(installation)
}

/// The failure with all that is wrong with the document: every violation, where the pool names only the
/// first; or the place where it is no JSON, in the form that every command uses.
fn explained(failure: Failure, file: &Path, document: &[u8]) -> Failure {
    match failure.code() {
        Some(ProblemCode::SchemaViolation) => {
            match license_validate::parse::<LicenseInfoDocument>(document) {
                Err(Unfit::Violations(violations)) => {
                    Failure::violations(file, "license-info", violations)
                }
                Err(Unfit::Malformed(_)) | Ok(_) => failure,
            }
        }
        // Parsed as the pool does, since that accepts comments, which the validator does not.
        Some(ProblemCode::BadRequest) => match License::parse(document) {
            Err(InstallError::Json { message, line, column }) => {
                let place = |at| u64::try_from(at).unwrap_or(u64::MAX).max(1);
                let (line, column) = (place(line), place(column));
                let problem = Problem::Syntax(message);
                Failure::malformed(file, &Malformed { line, column, problem })
            }
            Err(_) | Ok(_) => failure,
        },
        Some(_) | None => failure,
    }
}

fn headline(receipt: &InstallReceipt, arguments: &Install) -> String {
    let number = escaped(&receipt.license_number);
    let signed = if receipt.signed { "signed" } else { "unsigned" };
    let (install, replace) = match arguments.dry_run {
        true => ("would install", "would replace"),
        false => ("installed", "replaced"),
    };
    match (receipt.status, &arguments.replaces) {
        (InstallStatus::Unchanged, _) => {
            format!("license {number} is installed already: nothing changed\n")
        }
        (InstallStatus::Replaced, Some(other)) if *other != receipt.license_number => {
            let other = escaped(other);
            format!("{install} license {number} ({signed}) in place of {other}\n")
        }
        (InstallStatus::Replaced, _) => format!("{replace} license {number} ({signed})\n"),
        (InstallStatus::Installed, _) => format!("{install} license {number} ({signed})\n"),
    }
}

fn changes(products: &[ProductChange], width: Option<u16>) -> String {
    let headings = ["product", "allowed before", "allowed", "held", "over"];
    let mut rows = Rows::new(&headings, width).right_aligned(1..5);
    for product in products {
        rows.row([
            crate::output::product(&product.product_name, product.product_id),
            or_unlimited(product.allowed_before),
            or_unlimited(product.allowed_after),
            product.held.to_string(),
            product.over.to_string(),
        ]);
    }
    rows.text()
}
