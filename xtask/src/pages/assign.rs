//! Finds the object that each table lists: the one with which it shares most property names.
//!
//! Headings and file names are no help: editions lack them, and translations change them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::editions::{Row, Table};
use super::expect::Command;
use super::model::{Kind, Object, Property};
use super::words::Language;

/// The tables of a page, each with the object it lists.
#[derive(Debug)]
pub(crate) struct Assigned<'a> {
    pub(crate) command: &'a Command,
    /// One for each object of the command; nothing where the page lacks it.
    pub(crate) parts: Vec<Option<Part>>,
    /// What lists no object of the command.
    pub(crate) strangers: Vec<Part>,
}

/// The rows that list one object: a table, or the nested rows of one.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) line: usize,
    pub(crate) language: Language,
    pub(crate) properties: Vec<Property>,
}

/// Assigns tables to the objects of the command that they fit best; none fits where no table
/// lists anything that we know.
pub(crate) fn assign(tables: Vec<Table>, commands: &[Command]) -> Option<Assigned<'_>> {
    let holds_objects = collections_of_objects(commands);
    let parts: Vec<Part> =
        tables.into_iter().flat_map(|table| split(table, &holds_objects)).collect();
    let fits = |command| (fits(&parts, command), command);
    let shared = |(fits, _): &(Vec<Fit>, _)| fits.iter().map(|fit| fit.shared).sum::<usize>();
    let (fits, command) = commands.iter().map(fits).max_by_key(shared)?;
    let mut assigned = Assigned {
        command,
        parts: command.objects.iter().map(|_| None).collect(),
        strangers: Vec::new(),
    };
    for (index, part) in parts.into_iter().enumerate() {
        match fits.iter().find(|fit| fit.part == index) {
            Some(fit) => assigned.parts[fit.object] = Some(part),
            None => assigned.strangers.push(part),
        }
    }
    (!fits.is_empty()).then_some(assigned)
}

/// Splits a table where its rows begin to speak of the elements of a collection. In the one table
/// of older pages the rows of products and of rights look alike; those after `rights` are of it.
fn split(table: Table, collections: &BTreeSet<&str>) -> Vec<Part> {
    let part = |line| Part { line, language: table.language, properties: Vec::new() };
    let mut parts = vec![part(table.line)];
    let mut begins_nested = true;
    for Row { property, is_nested } in table.rows {
        if !is_nested {
            begins_nested = true;
            parts[0].properties.push(property);
            continue;
        }
        if begins_nested {
            parts.push(part(property.line));
        }
        begins_nested = collections.contains(property.name.as_str());
        parts.last_mut().expect("there is the outer part").properties.push(property);
    }
    parts.retain(|part| !part.properties.is_empty());
    parts
}

/// The properties whose elements are objects with properties of their own.
fn collections_of_objects(commands: &[Command]) -> BTreeSet<&str> {
    let objects = commands.iter().flat_map(|command| &command.objects);
    let properties = objects.flat_map(|object| &object.properties);
    let is_collection = |property: &&Property| {
        matches!(property.kind, Kind::Collection(_)) && !property.kind.object_keys().is_empty()
    };
    properties.filter(is_collection).map(|property| property.name.as_str()).collect()
}

struct Fit {
    part: usize,
    object: usize,
    shared: usize,
}

/// How many names a part shares with an object that it may list: one of which we know less than half
/// lists no object of ours.
pub(crate) fn shared(part: &Part, object: &Object) -> Option<usize> {
    let names: BTreeSet<&str> = part.properties.iter().map(|p| p.name.as_str()).collect();
    let shared = object.properties.iter().filter(|p| names.contains(p.name.as_str())).count();
    (shared > 0 && shared * 2 >= names.len()).then_some(shared)
}

/// Pairs parts with objects, each once, those that share most names first.
fn fits(parts: &[Part], command: &Command) -> Vec<Fit> {
    let mut candidates = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        for (object, listed) in command.objects.iter().enumerate() {
            let fit = shared(part, listed).map(|shared| Fit { part: index, object, shared });
            candidates.extend(fit);
        }
    }
    candidates.sort_by_key(|fit| Reverse(fit.shared));
    let mut fits: Vec<Fit> = Vec::new();
    for fit in candidates {
        if !fits.iter().any(|other| other.part == fit.part || other.object == fit.object) {
            fits.push(fit);
        }
    }
    fits
}
