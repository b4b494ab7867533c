//! The chore `codegen`: schemas → types, validators, bundles, observed schemas, reference pages; and
//! the table of operations → what the server is made of and its description for programs.
//!
//! `load` reads the files and applies the marks of a profile, `model` says what a schema can
//! be, `read` turns one into the other or refuses, and what is written comes from `emit`
//! (types), `validator` (judges of bytes), `bundle` (self-contained schemas) and `reference`
//! (pages for people). Rendering is pure; only `tree` touches files. The chore depends on nothing
//! that it generates, so it works when that is broken.

mod bundle;
mod emit;
mod load;
mod model;
mod names;
mod openapi;
mod operations;
mod read;
mod reference;
mod tree;
mod union;
mod validator;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use load::{Profile, Sources};

// The pages chore reads the same files.
pub(crate) use load::{DIALECT, UNDOCUMENTED, texts};
use model::Model;
use operations::Operations;
use tree::Tree;

/// What the chore is asked to do.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing; fail if anything is stale.
    #[arg(long)]
    check: bool,
}

/// Runs the chore.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = root();
    let sources = Sources::load(&root.join("schemas"))?;
    let tree = render(&sources, &Operations::load(&root)?)?;
    if !arguments.check {
        tree.write(&root)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(drift) = tree.drift(&root)? else { return Ok(ExitCode::SUCCESS) };
    Err(anyhow::anyhow!(drift))
}

/// Every generated file, from the schemas and the table of operations alone.
fn render(sources: &Sources, operations: &Operations) -> anyhow::Result<Tree> {
    let documented = Model::of(sources, Profile::Documented)?;
    let observed = Model::of(sources, Profile::Observed)?;
    let documented = union::agree_on_telling(documented, &observed);
    operations.check(&documented).context(operations::PATH)?;
    let mut tree = Tree::default();
    emit::render(&documented, &observed, &mut tree).context("cannot write the types")?;
    validator::render(&documented, &observed, &mut tree).context("cannot write the validators")?;
    bundle::render(sources, &documented, &observed, &mut tree)?;
    operations::render(operations, &mut tree)?;
    openapi::render(operations, sources, &documented, &mut tree)?;
    reference::render(&documented, &observed, &mut tree);
    Ok(tree)
}

/// The root of the workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in the workspace").to_owned()
}
