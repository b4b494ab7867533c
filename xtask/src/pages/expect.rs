//! What the schemas say of the documented objects, in the terms in which a page can say it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::model::{Kind, Object, Property};
use crate::codegen::{self, UNDOCUMENTED};

/// A documented command, whose page lists the objects of its answer.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) root: Root,
    /// The object that the answer consists of, then those in it.
    pub(crate) objects: Vec<Object>,
}

impl Command {
    /// The files in which its objects are described.
    pub(crate) fn files(&self) -> BTreeSet<&str> {
        self.objects.iter().map(|object| object.file.as_str()).collect()
    }

    /// The object that the answer consists of.
    pub(crate) fn root_object(&self) -> &Object {
        &self.objects[0]
    }
}

/// What a command answers; pages say it in prose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Root {
    Collection,
    ObjectOrNull,
}

/// Where each object of a command is described, and its key.
type Places = &'static [(&'static str, &'static str)];

const USAGE: Places = &[
    ("retention.schema.json", "Retention"),
    ("session.schema.json#/$defs/ClientSession", "ClientSession"),
    ("session.schema.json#/$defs/SqlSession", "SqlSession"),
    ("session.schema.json#/$defs/RestSession", "RestSession"),
];

const INFO: Places = &[
    ("license-info.schema.json", "LicenseInfo"),
    ("license-info.schema.json#/$defs/LicensedProduct", "LicensedProduct"),
    ("license-info.schema.json#/$defs/Right", "Right"),
    ("license-info.schema.json#/$defs/LicenseDate", "LicenseDate"),
];

/// Pages show a date in examples only.
const WITHOUT_TABLE: &[&str] = &["LicenseDate"];

/// Reads from the directory of schemas what the page of each command must say.
pub(crate) fn commands(directory: &Path) -> Result<Vec<Command>> {
    let schemas = Schemas::load(directory)?;
    let objects = |places: Places| -> Result<Vec<Object>> {
        places.iter().map(|(at, key)| schemas.object(at, key)).collect()
    };
    Ok(vec![
        Command { name: "License usage", root: Root::Collection, objects: objects(USAGE)? },
        Command { name: "License info", root: Root::ObjectOrNull, objects: objects(INFO)? },
    ])
}

/// Schemas by the names by which they refer to each other.
pub(crate) struct Schemas(pub(crate) BTreeMap<String, Value>);

impl Schemas {
    fn load(directory: &Path) -> Result<Schemas> {
        let parse = |(name, text): (String, String)| {
            let name = format!("{name}.schema.json");
            let schema = serde_json::from_str(&text)
                .with_context(|| format!("schemas/{name} is not JSON"))?;
            Ok((name, schema))
        };
        codegen::texts(directory)?.into_iter().map(parse).collect::<Result<_>>().map(Schemas)
    }

    /// The object that is described at `at`, a file with or without a JSON Pointer.
    pub(crate) fn object(&self, at: &str, key: &str) -> Result<Object> {
        let (file, schema) = self.resolve("", at)?;
        let properties = schema["properties"]
            .as_object()
            .with_context(|| format!("{at} describes no object with properties"))?;
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let documented = properties.iter().filter(|(_, property)| property[UNDOCUMENTED] != true);
        let property = |(name, property): (&String, &Value)| {
            let kind = self
                .kind(file, property)
                .with_context(|| format!("{at} has in `{name}` what no page can say"))?;
            let optional = !required.contains(&Value::from(name.as_str()));
            Ok(Property { name: name.clone(), kind, optional, line: 0 })
        };
        Ok(Object {
            key: key.to_owned(),
            title: schema["title"].as_str().unwrap_or(key).to_owned(),
            file: file.to_owned(),
            properties: documented.map(property).collect::<Result<_>>()?,
            has_table: !WITHOUT_TABLE.contains(&key),
        })
    }

    fn kind(&self, file: &str, schema: &Value) -> Result<Kind> {
        if let Some(reference) = schema["$ref"].as_str() {
            let (file, target) = self.resolve(file, reference)?;
            return Ok(match self.kind(file, target)? {
                Kind::Object(keys) if keys.is_empty() => {
                    let key = reference.rsplit('/').next().unwrap_or(reference);
                    Kind::Object(vec![key.to_owned()])
                }
                kind => kind,
            });
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let mut all = Vec::new();
            for alternative in alternatives {
                match self.kind(file, alternative)? {
                    Kind::Object(keys) => all.extend(keys),
                    other => bail!("one of the alternatives is {other}, not an object"),
                }
            }
            return Ok(Kind::Object(all));
        }
        Ok(match type_of(schema) {
            Some("integer" | "number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("object") => Kind::Object(Vec::new()),
            Some("array") => Kind::Collection(match schema.get("items") {
                Some(items) => Some(Box::new(self.kind(file, items)?)),
                None => None,
            }),
            Some("string") => match schema["enum"].as_array() {
                Some(values) => {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    Kind::Enum(values.iter().map(text).collect())
                }
                None if schema["format"] == "date-time" => Kind::DateTime,
                None => Kind::Text,
            },
            _ => bail!("it has no type that we know"),
        })
    }

    /// The schema to which `reference` in `file` leads, and the file it is in.
    fn resolve<'a>(&'a self, file: &'a str, reference: &'a str) -> Result<(&'a str, &'a Value)> {
        let (target, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let target = if target.is_empty() { file } else { target };
        let schema = self.0.get(target).and_then(|schema| schema.pointer(pointer));
        Ok((target, schema.with_context(|| format!("`{reference}` in `{file}` leads nowhere"))?))
    }
}

/// The one type of a schema; that it may also be null is prose on the pages.
fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    }
}
