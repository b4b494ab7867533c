//! `license retain`: retains a license of a product for a session.

use std::path::Path;

use license_types::Session;
use license_validate::Unfit;

use crate::arguments::Retain;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::licenses::Wanted;
use crate::output::held;

/// The address of a session that no file describes.
pub(super) const HERE: &str = "127.0.0.1";

pub(super) fn run(arguments: &Retain, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let description = match &arguments.describe {
        Some(file) => described(file, context)?,
        None => Session::rest(&context.env.user_name, arguments.session.as_str(), HERE),
    };
    let receipt = context.licenses()?.retain(Wanted {
        product: arguments.product,
        session: arguments.session.clone(),
        reason: arguments.reason.clone(),
        description,
    })?;
    if context.json() {
        context.value(&receipt)?;
    } else {
        context.data(&held(&receipt))?;
    }
    Ok(Exit::Done)
}

/// The session that a file describes.
///
/// # Errors
/// Every violation, if the file describes none.
pub(super) fn described(file: &Path, context: &mut Context<'_, '_>) -> Result<Session, Failure> {
    let document = context.read(file)?;
    license_validate::parse(&document).map_err(|unfit| match unfit {
        Unfit::Violations(violations) => Failure::violations(file, "session", violations),
        Unfit::Malformed(malformed) => Failure::malformed(file, &malformed),
    })
}
