//! `license man`: the manual pages, for whoever packages the program.

use std::fs;

use clap::CommandFactory;

use crate::arguments::{Arguments, Man};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::name_of;

pub(super) fn run(arguments: &Man, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let folder = context.env.directory.join(&arguments.folder);
    let written = fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder));
    written.map_err(|error| {
        Failure::usage(format!("cannot write to {}: {error}", name_of(&arguments.folder)))
    })?;
    Ok(Exit::Done)
}
