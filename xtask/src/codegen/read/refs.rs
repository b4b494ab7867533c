//! References: to a root by file, to a definition by file and name, or within the file.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Definition, Shape};
use super::super::names;
use super::keywords::{Place, Refusal};

/// The unique name that a reference means.
pub(crate) fn named(target: &str, place: &Place) -> Result<String, Refusal> {
    let definition = |rest: &str| rest.strip_prefix("#/$defs/").map(str::to_owned);
    let name = match target.split_once(".schema.json") {
        Some((file, "")) if !file.contains('/') => Some(names::pascal(file)),
        Some((file, rest)) if !file.contains('/') => definition(rest),
        _ => definition(target),
    };
    match name {
        Some(name) if !name.contains('/') => Ok(name),
        _ => place.refuse(format_args!(
            "`{target}` is no reference that is understood: write `#/$defs/Name`, \
             `file.schema.json` or `file.schema.json#/$defs/Name`"
        )),
    }
}

/// Every reference leads to a definition that can be referred to, and none in a circle.
pub(crate) fn check(all: &BTreeMap<&str, (&Definition, Place)>) -> Result<(), Refusal> {
    for (definition, place) in all.values() {
        for target in definition.shape.references() {
            let Some((found, _)) = all.get(target) else {
                return place.refuse(format_args!("refers to `{target}`, which no file defines"));
            };
            if found.or_null || matches!(found.shape, Shape::List(_)) {
                return place.refuse(format_args!(
                    "refers to `{target}`, a root that is a list or may be null: say so at the \
                     place, with a name for what is in it"
                ));
            }
        }
        let mut path = vec![definition.name.as_str()];
        if leads_back(&mut path, &mut BTreeSet::new(), all) {
            let path = path.join("` → `");
            let name = &definition.name;
            return place.refuse(format_args!("refers to itself: `{path}` → `{name}`"));
        }
    }
    Ok(())
}

/// Whether references lead from the end of `path` back to its beginning; then it is the way there.
fn leads_back<'a>(
    path: &mut Vec<&'a str>,
    seen: &mut BTreeSet<&'a str>,
    all: &BTreeMap<&'a str, (&'a Definition, Place)>,
) -> bool {
    let Some((definition, _)) = path.last().and_then(|last| all.get(last)) else { return false };
    for target in definition.shape.references() {
        if target == path[0] {
            return true;
        }
        if seen.insert(target) {
            path.push(target);
            if leads_back(path, seen, all) {
                return true;
            }
            path.pop();
        }
    }
    false
}
