//! `license release`: releases what a session holds, or one retention by its token.

use std::sync::Arc;

use license_pool::Target;

use crate::arguments::Release;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(arguments: &Release, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let target = match (&arguments.session, arguments.token) {
        (Some(session), token) => {
            let (session, product) = (Arc::new(session.clone()), arguments.product);
            Target::Session { session, product, token }
        }
        (None, Some(token)) => Target::Token(token),
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let receipt = context.licenses()?.release(target)?;
    if context.json() {
        context.value(&receipt)?;
    } else {
        let lines = receipt.released.iter().map(|released| {
            format!("released token {}: {}\n", released.token, released.product_id.human())
        });
        context.data(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}
