//! Writes the JSON Schema that the tables of a page describe, on its own.
//!
//! Only names, types, options and enum values come from the page. Titles, and the objects that
//! pages show in examples only, come from the schemas; descriptions are left out, since those of
//! translations are not to be relied on.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::assign::Assigned;
use super::expect::Root;
use super::model::{Kind, Object, Property};
use crate::codegen::DIALECT;

/// The schema of a command's answer in the documented profile.
///
/// # Errors
/// A table is missing, or a type is written in words that we do not know.
pub(crate) fn derive(page: &Assigned<'_>) -> Result<Value> {
    let mut definitions = Map::new();
    for (object, part) in page.command.objects.iter().zip(&page.parts) {
        let properties = match part {
            Some(part) => &part.properties,
            None if !object.has_table => &object.properties,
            None => bail!("it lacks the table of {}; see what `pages check` says", object.title),
        };
        definitions.insert(object.key.clone(), object_schema(object, properties)?);
    }
    let root_key = page.command.root_object().key.clone();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!(DIALECT));
    match page.command.root {
        Root::Collection => {
            schema.insert("title".to_owned(), json!(page.command.name));
            schema.insert("type".to_owned(), json!("array"));
            schema.insert("items".to_owned(), reference(&root_key));
        }
        Root::ObjectOrNull => {
            if let Some(Value::Object(root)) = definitions.shift_remove(&root_key) {
                schema.extend(root);
            }
            schema.insert("type".to_owned(), json!(["object", "null"]));
        }
    }
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Ok(Value::Object(schema))
}

fn object_schema(object: &Object, properties: &[Property]) -> Result<Value> {
    let mut schemas = Map::new();
    let mut required = Vec::new();
    for property in properties {
        // That it is listed again is drift; a schema says everything once, and that is the first.
        if schemas.contains_key(&property.name) {
            continue;
        }
        let expected = object.properties.iter().find(|expected| expected.name == property.name);
        schemas.insert(property.name.clone(), kind_schema(property, expected)?);
        if !property.optional {
            required.push(property.name.as_str());
        }
    }
    Ok(json!({
        "title": object.title,
        "type": "object",
        "properties": schemas,
        "required": required,
        "additionalProperties": false,
    }))
}

fn kind_schema(property: &Property, expected: Option<&Property>) -> Result<Value> {
    schema_of(&property.kind, expected.map(|expected| &expected.kind)).with_context(|| {
        let Property { name, kind, line, .. } = property;
        format!("line {line}: `{name}` has {kind}")
    })
}

/// A page says that something is an object, the schemas say which.
fn schema_of(kind: &Kind, expected: Option<&Kind>) -> Option<Value> {
    Some(match (kind, expected) {
        (Kind::Number, _) => json!({"type": "number"}),
        (Kind::Text, _) => json!({"type": "string"}),
        (Kind::DateTime, _) => json!({"type": "string", "format": "date-time"}),
        (Kind::Enum(values), _) if values.is_empty() => json!({"type": "string"}),
        (Kind::Enum(values), _) => json!({"type": "string", "enum": values}),
        (Kind::Boolean, _) => json!({"type": "boolean"}),
        (Kind::Object(_), Some(Kind::Object(keys))) if keys.len() == 1 => reference(&keys[0]),
        (Kind::Object(_), Some(Kind::Object(keys))) if !keys.is_empty() => {
            json!({"oneOf": keys.iter().map(|key| reference(key)).collect::<Vec<_>>()})
        }
        (Kind::Object(_), _) => json!({"type": "object"}),
        (Kind::Collection(None), _) => json!({"type": "array"}),
        (Kind::Collection(Some(element)), Some(Kind::Collection(Some(expected)))) => {
            json!({"type": "array", "items": schema_of(element, Some(expected))?})
        }
        (Kind::Collection(Some(element)), _) => {
            json!({"type": "array", "items": schema_of(element, None)?})
        }
        (Kind::Unknown(_), _) => return None,
    })
}

fn reference(key: &str) -> Value {
    json!({"$ref": format!("#/$defs/{key}")})
}
