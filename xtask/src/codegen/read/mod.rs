//! Schemas → model. Whatever is not understood in its place is refused with that place: nothing
//! is dropped. What is refused:
//!
//! - a keyword, format or type that is not understood where it stands, `x-observed` included when
//!   it is deeper inside than a root or a definition, or no object;
//! - a constraint, enumeration or object inside a property: it needs a name in `$defs`;
//! - an integer without both bounds, or with a bound beyond ±(2^53 − 1);
//! - a pattern that is not anchored at both ends, repeats a group, or is outside the subset that
//!   ECMA, Rust and Python share;
//! - an object that does not say whether it is open; `false` members of a closed one;
//! - a required member without a property, twice, or `false`; null for a member that is optional;
//! - a reference out of the set of files, to a root that is a list or may be null, or in a circle;
//! - a union of other things than objects, or of objects that are not provably disjoint;
//! - two files, definitions, members, words or branches that get the same name in Rust, or no legal
//!   one;
//! - a definition without title, description and examples; a file that repeats a member.

mod keywords;
mod object;
mod pattern;
mod refs;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::load::{DIALECT, Source};
use super::model::{Definition, Kind, Schema, Shape};
use super::{names, union};
use keywords::Keywords;

pub(crate) use keywords::{Place, Refusal};

/// The greatest integer that every reader of JSON agrees on.
const GREATEST: i64 = 9_007_199_254_740_991;

/// Reads all files of a profile.
pub(crate) fn schemas(sources: &[Source]) -> Result<Vec<Schema>, Refusal> {
    let schemas = sources.iter().map(schema).collect::<Result<Vec<_>, _>>()?;
    let mut found: BTreeMap<&str, (&Definition, Place)> = BTreeMap::new();
    let mut modules = BTreeSet::new();
    for schema in &schemas {
        let module = names::module(&schema.name);
        if syn::parse_str::<syn::Ident>(&module).is_err() || !modules.insert(module) {
            return Place::root(&schema.name).refuse(
                "rename the file: its name is that of another module in Rust, or none that is \
                 legal there",
            );
        }
        for (index, definition) in schema.definitions.iter().enumerate() {
            let place = Place::of(schema, index);
            let name = definition.name.as_str();
            if !names::is_type_name(name) {
                return place.refuse(format_args!("`{name}` cannot be the name of a type in Rust"));
            }
            if let Some((_, other)) = found.insert(name, (definition, place.clone())) {
                return place.refuse(format_args!("`{name}` is defined twice, also at {other}"));
            }
        }
    }
    for (definition, other) in found.values() {
        let alias = definition.document_name();
        if let Some((_, place)) = alias.as_deref().and_then(|alias| found.get(alias)) {
            return place.refuse(format_args!(
                "it is defined twice: {other}, which may be null, has an alias of this name"
            ));
        }
    }
    refs::check(&found)?;
    drop(found);
    union::tell_apart(schemas)
}

fn schema(source: &Source) -> Result<Schema, Refusal> {
    let place = Place::root(&source.name);
    let mut keywords = Keywords::of(&source.value, &place)?;
    if keywords.text("$schema")? != Some(DIALECT) {
        return place.refuse(format_args!("`$schema` must be {DIALECT}"));
    }
    let title = keywords.needed_text("title")?.to_owned();
    let description = keywords.needed_text("description")?.to_owned();
    let definitions = keywords.take("$defs");
    let has_root = ["type", "oneOf", "$ref"].iter().any(|it| keywords.has(it));
    let mut all = Vec::new();
    if has_root {
        let name = names::pascal(&source.name);
        all.push(definition(name, (&title, &description), keywords, &place, true)?);
    } else {
        keywords.finish()?;
    }
    if let Some(definitions) = definitions {
        let place = place.child("$defs");
        let Value::Object(definitions) = definitions else {
            return place.refuse("must be an object");
        };
        for (name, value) in definitions {
            let place = place.child(name);
            let mut keywords = Keywords::of(value, &place)?;
            let title = keywords.needed_text("title")?.to_owned();
            let description = keywords.needed_text("description")?.to_owned();
            let words = (title.as_str(), description.as_str());
            all.push(definition(name.clone(), words, keywords, &place, false)?);
        }
    }
    Ok(Schema {
        name: source.name.clone(),
        hash: source.hash.clone(),
        title,
        description,
        definitions: all,
        has_root,
    })
}

/// What is left of a schema once its title and description are taken.
fn definition(
    name: String,
    (title, description): (&str, &str),
    mut keywords: Keywords<'_>,
    place: &Place,
    is_root: bool,
) -> Result<Definition, Refusal> {
    let examples = match keywords.take("examples") {
        Some(Value::Array(examples)) if !examples.is_empty() => examples.clone(),
        _ => return place.refuse("give at least one of `examples`: tests start from them"),
    };
    let mut or_null = false;
    let shape = if keywords.has("oneOf") {
        object::union(&mut keywords, place)?
    } else {
        let kind = match keywords.take("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) if is_root => match kinds.as_slice() {
                [Value::String(kind), Value::String(null)] if null == "null" => {
                    or_null = true;
                    kind
                }
                _ => return place.refuse("`type` of a root can be a word, or a word and null"),
            },
            _ => return place.refuse("`type` must be one word"),
        };
        match kind {
            "integer" if !or_null => integer(&mut keywords, place)?,
            "string" if !or_null => text::shape(&mut keywords, place)?,
            "object" => Shape::Object(object::shape(&mut keywords, place)?),
            "array" if is_root => Shape::List(items(&mut keywords, place)?),
            other => {
                return place.refuse(format_args!(
                    "`{other}` needs no name, or is not supported: a definition is an integer, a \
                     constrained string, an object or a union"
                ));
            }
        }
    };
    keywords.finish()?;
    let (title, description) = (title.to_owned(), description.to_owned());
    Ok(Definition { name, title, description, examples, shape, or_null })
}

fn integer(keywords: &mut Keywords<'_>, place: &Place) -> Result<Shape, Refusal> {
    let mut bound = |name: &str| match keywords.take(name).map(Value::as_i64) {
        Some(Some(bound)) if bound.abs() <= GREATEST => Ok(bound),
        _ => place.refuse(format_args!(
            "an integer needs `{name}`, an integer of at most {GREATEST} either way"
        )),
    };
    let (minimum, maximum) = (bound("minimum")?, bound("maximum")?);
    if minimum > maximum {
        return place.refuse("no integer lies between `minimum` and `maximum`");
    }
    Ok(Shape::Integer { minimum, maximum })
}

fn items(keywords: &mut Keywords<'_>, place: &Place) -> Result<Kind, Refusal> {
    let Some(items) = keywords.take("items") else {
        return place.refuse("an array needs `items`");
    };
    let place = place.child("items");
    let mut keywords = Keywords::of(items, &place)?;
    let kind = kind(&mut keywords, &place)?;
    keywords.finish()?;
    Ok(kind)
}

/// What stands in a property, or in the items of an array: plain, or by name.
fn kind(keywords: &mut Keywords<'_>, place: &Place) -> Result<Kind, Refusal> {
    if let Some(target) = keywords.text("$ref")? {
        return refs::named(target, place).map(Kind::Named);
    }
    match keywords.text("type")? {
        Some("string") => Ok(Kind::Text),
        Some("boolean") => Ok(Kind::Boolean),
        Some("array") => items(keywords, place).map(|items| Kind::List(Box::new(items))),
        Some(other @ ("integer" | "object")) => {
            place.refuse(format_args!("this {other} has no name: give it one in `$defs`"))
        }
        Some("number") => place.refuse(
            "a number is not supported: refer to an integer with both bounds, such as \
             `common.schema.json#/$defs/Count`",
        ),
        Some(other) => place.refuse(format_args!("`type` {other:?} is not supported here")),
        None => place.refuse("needs `$ref`, or a `type` of string, boolean or array"),
    }
}
