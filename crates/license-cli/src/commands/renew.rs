//! `license renew`: renews what a session holds.

use crate::arguments::Renew;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::held;

pub(super) fn run(arguments: &Renew, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let receipt = context.licenses()?.renew(&arguments.session, arguments.state)?;
    if context.json() {
        context.value(&receipt)?;
    } else {
        let text: String = receipt.held.iter().map(held).collect();
        context.data(&text)?;
    }
    Ok(Exit::Done)
}
