//! `license schema`: lists the embedded schemas, or prints one.

use license_types::schemas::{self, NAMES, Profile};
use serde_json::Value;

use crate::arguments::Schema;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Rows;

pub(super) fn run(arguments: &Schema, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    match &arguments.name {
        Some(name) => {
            let text = schemas::text(name, arguments.profile);
            context.data(text.expect("only names of schemas are understood"))?;
        }
        None if context.json() => context.value(&NAMES)?,
        None => {
            let text = list(context.width());
            context.data(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn list(width: Option<u16>) -> String {
    let mut rows = Rows::new(&["schema", "describes"], width);
    for name in NAMES {
        rows.row([*name, &description(name)]);
    }
    rows.text()
}

fn description(name: &str) -> String {
    schemas::text(name, Profile::Documented)
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .and_then(|schema| Some(schema.get("description")?.as_str()?.to_owned()))
        .unwrap_or_default()
}
