//! Compares what a page says with what the schemas say, property by property.

use std::collections::BTreeSet;
use std::fmt;

use super::assign::{self, Assigned, Part};
use super::expect::{Command, Root};
use super::json_block::{Member, NotJson};
use super::model::{Kind, Object, Property, Values};
use super::words::Language;

/// One place where page and schema differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// Where on the page, if there is such a place.
    pub(crate) line: Option<usize>,
    /// The object and property, what the page says and what the schema says.
    pub(crate) text: String,
}

/// A message without what would command a terminal: it may quote anybody's page.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weight {
    /// Page and schema contradict each other.
    Drift,
    /// It may be due to translation.
    Warning,
}

impl Finding {
    /// The finding as a line, with its place in `file`.
    pub(crate) fn in_file(&self, file: impl fmt::Display) -> String {
        let text = printable(&self.text);
        match self.line {
            Some(line) => format!("{file}:{line}: {text}"),
            None => format!("{file}: {text}"),
        }
    }
}

/// Compares the tables of a page, and the JSON block beside them, with the objects they list.
pub(crate) fn compare(
    page: &Assigned<'_>,
    block: Option<&Result<Vec<Member>, NotJson>>,
) -> Vec<Finding> {
    let is_english = page.parts.iter().flatten().all(|part| part.language == Language::English);
    let mut findings = Vec::new();
    for (object, part) in page.command.objects.iter().zip(&page.parts) {
        match part {
            Some(part) => {
                let speaker = Speaker { name: "the page", line: part.line, is_english };
                findings.extend(speaker.compare(&part.properties, object));
            }
            None if object.has_table => findings.push(missing_table(object)),
            None => {}
        }
    }
    findings.extend(page.strangers.iter().map(|part| stranger(part, page.command)));
    match (page.command.root, block) {
        (Root::ObjectOrNull, Some(Ok(members))) => {
            compare_block(members, page.command.root_object(), page.command, &mut findings);
        }
        (Root::ObjectOrNull, Some(Err(not_json))) => findings.push(unread_block(not_json)),
        (Root::Collection, _) | (_, None) => {}
    }
    findings
}

/// Whether what a page says of a type is true of what the schema says, which may say more.
pub(crate) fn agrees(page: &Kind, schema: &Kind) -> bool {
    match page {
        Kind::Number | Kind::DateTime | Kind::Boolean => page == schema,
        Kind::Text => matches!(schema, Kind::Text | Kind::DateTime),
        Kind::Enum(_) => matches!(schema, Kind::Enum(_)),
        Kind::Object(_) => matches!(schema, Kind::Object(_)),
        Kind::Collection(None) => matches!(schema, Kind::Collection(_)),
        Kind::Collection(Some(page)) => {
            matches!(schema, Kind::Collection(Some(schema)) if agrees(page, schema))
        }
        Kind::Unknown(_) => false,
    }
}

/// What on a page lists the properties of an object.
struct Speaker {
    name: &'static str,
    line: usize,
    is_english: bool,
}

impl Speaker {
    fn compare(&self, said: &[Property], object: &Object) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut names = BTreeSet::new();
        let mut added = Vec::new();
        for (at, page) in said.iter().enumerate() {
            let is_repeated = !names.insert(page.name.as_str());
            match object.properties.iter().find(|schema| schema.name == page.name) {
                None => added.push((at, page)),
                Some(_) if is_repeated => {
                    findings.push(self.differ(object, page, "it a second time", "it once"));
                }
                Some(schema) => findings.extend(self.compare_property(object, page, schema)),
            }
        }
        let missing = object.properties.iter().enumerate();
        let missing: Vec<_> = missing.filter(|(_, p)| !names.contains(p.name.as_str())).collect();
        let renames = renames(&added, &missing);
        for (_, new) in added {
            let mut finding = self.differ(object, new, new, "nothing");
            if let Some((_, old)) = renames.iter().find(|(other, _)| std::ptr::eq(*other, new)) {
                finding.text.push_str(&format!(" (a new name of `{}`?)", old.name));
            }
            findings.push(finding);
        }
        for (_, old) in missing {
            let mut finding = self.differ(object, old, "nothing", old);
            finding.line = Some(self.line);
            if let Some((new, _)) = renames.iter().find(|(_, other)| std::ptr::eq(*other, old)) {
                finding.text.push_str(&format!(" (now `{}`?)", new.name));
            }
            findings.push(finding);
        }
        findings
    }

    fn compare_property(
        &self,
        object: &Object,
        page: &Property,
        schema: &Property,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !agrees(&page.kind, &schema.kind) {
            findings.push(self.differ(object, page, &page.kind, &schema.kind));
        }
        if page.optional != schema.optional {
            findings.push(self.differ(object, page, presence(page), presence(schema)));
        }
        if let (Kind::Enum(ours), Kind::Enum(theirs)) = (&page.kind, &schema.kind)
            && BTreeSet::from_iter(ours) != BTreeSet::from_iter(theirs)
        {
            let mut finding = self.differ(object, page, Values(ours), Values(theirs));
            if !self.is_english {
                finding.weight = Weight::Warning;
            }
            findings.push(finding);
        }
        findings
    }

    fn differ(
        &self,
        object: &Object,
        at: &Property,
        page: impl fmt::Display,
        schema: impl fmt::Display,
    ) -> Finding {
        let (title, name, speaker) = (&object.title, &at.name, self.name);
        let text = format!("{title}.{name}: {speaker} says {page}; the schema says {schema}");
        Finding { weight: Weight::Drift, line: Some(at.line), text }
    }
}

/// What is likely the same property under a new name: of the same type, and in the same place or
/// alone on both sides.
fn renames<'a>(
    added: &[(usize, &'a Property)],
    missing: &[(usize, &'a Property)],
) -> Vec<(&'a Property, &'a Property)> {
    let is_alone = added.len() == 1 && missing.len() == 1;
    let renamed = |(index, old): &(usize, &'a Property)| {
        let is_likely = |(at, new): &&(usize, &Property)| {
            (is_alone || at == index) && agrees(&new.kind, &old.kind)
        };
        added.iter().find(is_likely).map(|(_, new)| (*new, *old))
    };
    missing.iter().filter_map(renamed).collect()
}

/// Compares what the JSON block shows of an object, and of the objects in it that have tables.
fn compare_block(
    members: &[Member],
    object: &Object,
    command: &Command,
    findings: &mut Vec<Finding>,
) {
    let said: Vec<Property> = members.iter().map(|member| member.property.clone()).collect();
    let line = said.first().map_or(1, |first| first.line);
    let speaker = Speaker { name: "the JSON block of the page", line, is_english: true };
    findings.extend(speaker.compare(&said, object));
    for member in members.iter().filter(|member| !member.members.is_empty()) {
        let schema = object.properties.iter().find(|schema| schema.name == member.property.name);
        let key = schema.and_then(|schema| schema.kind.object_keys().first());
        let inner = command.objects.iter().find(|inner| Some(&inner.key) == key);
        if let Some(inner) = inner {
            compare_block(&member.members, inner, command, findings);
        }
    }
}

fn missing_table(object: &Object) -> Finding {
    let (title, names) = (&object.title, names(&object.properties));
    let text = format!("{title}: the page says nothing in a table; the schema says {names}");
    Finding { weight: Weight::Drift, line: None, text }
}

fn stranger(part: &Part, command: &Command) -> Finding {
    let names = names(&part.properties);
    let shared = |object| Some((assign::shared(part, object)?, object));
    let text = match command.objects.iter().filter_map(shared).max_by_key(|(names, _)| *names) {
        Some((_, Object { title, .. })) => {
            format!("{title}: the page says {names} in one more table; the schema says it once")
        }
        None => format!(
            "a table of no object that we know: the page says {names}; the schema says nothing"
        ),
    };
    Finding { weight: Weight::Drift, line: Some(part.line), text }
}

fn unread_block(NotJson { line, expected }: &NotJson) -> Finding {
    let text =
        format!("the block is not JSON here, where {expected} is expected; it is not compared");
    Finding { weight: Weight::Warning, line: Some(*line), text }
}

fn names(properties: &[Property]) -> String {
    properties.iter().map(|property| property.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn presence(property: &Property) -> &'static str {
    if property.optional { "optional" } else { "required" }
}
