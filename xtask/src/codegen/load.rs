//! Reads the schema files, and applies the marks that make the observed profile of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The dialect of every schema, of those that are read and of those that are written.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The mark of the observed profile: a JSON merge patch (RFC 7396) on the schema that holds it.
const MARK: &str = "x-observed";

/// Marks a property that a schema has on purpose though no page lists it; only the comparison with
/// pages asks.
pub(crate) const UNDOCUMENTED: &str = "x-undocumented";

/// Which reading of the schemas is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The schemas without their marks.
    Documented,
    /// The schemas with their marks applied.
    Observed,
}

impl Profile {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
        }
    }
}

/// One schema file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// File name without `.schema.json`.
    pub(crate) name: String,
    pub(crate) value: Value,
    /// SHA-256 of the text, in hexadecimal.
    pub(crate) hash: String,
}

/// All schema files, by name.
#[derive(Clone, Debug)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    pub(crate) fn load(directory: &Path) -> anyhow::Result<Self> {
        Self::parse(texts(directory)?)
    }

    /// From texts by name.
    pub(crate) fn parse(mut texts: Vec<(String, String)>) -> anyhow::Result<Self> {
        texts.sort();
        let parse = |(name, text): (String, String)| {
            let value: Value = serde_json::from_str(&text)
                .with_context(|| format!("schemas/{name}.schema.json is not JSON"))?;
            check_form(&name, &text, &value)?;
            let hash = hexadecimal(text.as_bytes());
            Ok(Source { name, value, hash })
        };
        texts.into_iter().map(parse).collect::<anyhow::Result<_>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The schemas as `profile` reads them. The observed ones are those that hold a mark and
    /// those that such refer to; every other schema has one profile.
    pub(crate) fn of_profile(&self, profile: Profile) -> anyhow::Result<Vec<Source>> {
        let wanted = match profile {
            Profile::Documented => self.iter().map(|source| source.name.as_str()).collect(),
            Profile::Observed => self.marked(),
        };
        let sources = self.iter().filter(|source| wanted.contains(source.name.as_str()));
        sources
            .map(|source| {
                let mut source = source.clone();
                resolve_marks(&mut source, profile)?;
                Ok(source)
            })
            .collect()
    }

    fn marked(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Source> =
            self.iter().filter(|source| holds_mark(&source.value)).collect();
        while let Some(source) = open.pop() {
            if found.insert(source.name.as_str()) {
                let mut files = BTreeSet::new();
                references(&source.value, &mut files);
                open.extend(self.iter().filter(|other| files.contains(other.name.as_str())));
            }
        }
        found
    }
}

/// The texts of all schema files in a directory, by name.
pub(crate) fn texts(directory: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = file.strip_suffix(".schema.json") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            texts.push((name.to_owned(), text));
        }
    }
    Ok(texts)
}

/// A schema file is written as `serde_json` writes it, two spaces deep: this shows a duplicated
/// member, which a parser would drop without a word.
fn check_form(name: &str, text: &str, value: &Value) -> anyhow::Result<()> {
    let mut fresh = serde_json::to_string_pretty(value)?;
    fresh.push('\n');
    let line = fresh.lines().zip(text.lines()).position(|(fresh, found)| fresh != found);
    let place = line.unwrap_or_else(|| fresh.lines().count().min(text.lines().count()));
    ensure!(
        fresh == text,
        "schemas/{name}.schema.json, line {}: a member stands twice, or the form is not plain; \
         expected `{}`",
        place + 1,
        fresh.lines().nth(place).unwrap_or("the end of the file, with a newline"),
    );
    Ok(())
}

/// Applies or removes the marks of the root and of each definition; marks in other places stay,
/// and are refused as keywords that nobody knows.
fn resolve_marks(source: &mut Source, profile: Profile) -> anyhow::Result<()> {
    let Value::Object(root) = &mut source.value else {
        bail!("schemas/{}.schema.json is not an object", source.name)
    };
    resolve_mark(root, profile);
    let definitions = root.get_mut("$defs").and_then(Value::as_object_mut);
    for definition in definitions.into_iter().flat_map(Map::values_mut) {
        if let Value::Object(definition) = definition {
            resolve_mark(definition, profile);
        }
    }
    Ok(())
}

fn resolve_mark(schema: &mut Map<String, Value>, profile: Profile) {
    match (schema.shift_remove(MARK), profile) {
        (Some(Value::Object(patch)), Profile::Observed) => merge(schema, patch),
        // Whatever it is, it is no patch: the reader refuses it by name.
        (Some(other), Profile::Observed) => drop(schema.insert(MARK.to_owned(), other)),
        (_, Profile::Documented) | (None, Profile::Observed) => {}
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut) {
        if let Value::Object(property) = property
            && property.get(UNDOCUMENTED) == Some(&Value::Bool(true))
        {
            property.shift_remove(UNDOCUMENTED);
        }
    }
}

fn holds_mark(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key(MARK) || members.values().any(holds_mark),
        Value::Array(items) => items.iter().any(holds_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// RFC 7396.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.shift_remove(&name)),
            Value::Object(patch) => {
                let inner = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                if let Value::Object(inner) = inner {
                    merge(inner, patch);
                }
            }
            other => drop(target.insert(name, other)),
        }
    }
}

/// Names of the other schema files that a value refers to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str);
            found
                .extend(target.and_then(|target| target.split_once(".schema.json")).map(|it| it.0));
            members.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One hash for several.
pub(crate) fn hash_of<'a>(hashes: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = hashes.collect();
    hexadecimal(lines.join("\n").as_bytes())
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
