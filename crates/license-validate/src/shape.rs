//! Which branch of a union a value is meant to be, so that its errors are told and no others.

use std::cmp::Reverse;

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::{Map, Value};

/// What a value that fits no branch of a union is nearest to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nearest<'a> {
    /// The branch of this index, by its name.
    Branch(usize, Option<&'a str>),
    /// A member tells the branches apart by its value, and this one has no such value.
    Tag { name: &'a str, values: Vec<&'a Value> },
    /// No branch is nearer than the others; what tells each.
    None(Vec<String>),
}

/// Judges `instance`, which stands at `at` and breaks every one of `branches` of `schema`, in the way that `errors`
/// say for each.
pub(crate) fn nearest<'a>(
    schema: &'a Value,
    branches: &'a [Value],
    instance: &Value,
    at: &str,
    errors: &[Vec<ValidationError<'_>>],
) -> Nearest<'a> {
    let branches: Vec<Branch<'a>> =
        branches.iter().map(|branch| Branch::of(schema, branch)).collect();
    let Value::Object(members) = instance else {
        return of_kind(&branches, at, errors);
    };
    if let Some(name) = tag(&branches) {
        let value = |branch: &Branch<'a>| branch.constant(name);
        let told = members.get(name);
        return match branches.iter().position(|branch| told.is_some() && value(branch) == told) {
            Some(index) => Nearest::Branch(index, branches[index].name),
            None => Nearest::Tag { name, values: branches.iter().filter_map(value).collect() },
        };
    }
    let score = |index: usize| {
        let branch = &branches[index];
        let telling = branch.telling(&branches).filter(|name| members.contains_key(*name)).count();
        let shared = members.keys().filter(|name| branch.knows(name)).count();
        (Reverse(telling), Reverse(shared), errors.get(index).map_or(usize::MAX, Vec::len))
    };
    let mut scored: Vec<_> = (0..branches.len())
        .filter(|&index| branches[index].properties.is_some())
        .map(|index| (score(index), index))
        .collect();
    scored.sort();
    match scored[..] {
        [(_, index)] => Nearest::Branch(index, branches[index].name),
        [(best, index), (next, _), ..] if best != next => {
            Nearest::Branch(index, branches[index].name)
        }
        _ => Nearest::None(branches.iter().map(|branch| branch.told_by(&branches)).collect()),
    }
}

/// Of a value that is no object: the only branch of its kind, if there is one.
fn of_kind<'a>(
    branches: &[Branch<'a>],
    at: &str,
    errors: &[Vec<ValidationError<'_>>],
) -> Nearest<'a> {
    let of_kind = |errors: &[ValidationError<'_>]| {
        !errors.iter().any(|error| {
            matches!(error.kind(), ValidationErrorKind::Type { .. })
                && error.instance_path().as_str() == at
        })
    };
    let mut fitting = (0..branches.len()).filter(|&index| of_kind(&errors[index]));
    match (fitting.next(), fitting.next()) {
        (Some(index), None) => Nearest::Branch(index, branches[index].name),
        _ => Nearest::None(branches.iter().map(|branch| branch.told_by(branches)).collect()),
    }
}

/// The member whose value tells every branch, if there is one.
fn tag<'a>(branches: &[Branch<'a>]) -> Option<&'a str> {
    let mut names = branches.first()?.properties?.keys();
    names
        .find(|name| branches.iter().all(|branch| branch.constant(name).is_some()))
        .map(String::as_str)
}

/// A branch of a union.
struct Branch<'a> {
    /// What its schema is called, where it is a definition.
    name: Option<&'a str>,
    schema: &'a Value,
    properties: Option<&'a Map<String, Value>>,
}

impl<'a> Branch<'a> {
    fn of(schema: &'a Value, branch: &'a Value) -> Branch<'a> {
        let target = branch["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        let resolved = target.and_then(|target| schema.pointer(target)).unwrap_or(branch);
        Branch {
            name: target.and_then(|target| target.rsplit('/').next()),
            schema: resolved,
            properties: resolved["properties"].as_object(),
        }
    }

    fn property(&self, name: &str) -> Option<&'a Value> {
        self.properties?.get(name)
    }

    fn constant(&self, name: &str) -> Option<&'a Value> {
        self.property(name)?.get("const")
    }

    fn knows(&self, name: &str) -> bool {
        self.property(name).is_some_and(|schema| *schema != Value::Bool(false))
    }

    /// Whether no value of this branch has the member `name`.
    fn forbids(&self, name: &str) -> bool {
        match self.property(name) {
            Some(schema) => *schema == Value::Bool(false),
            None => self.schema["additionalProperties"] == Value::Bool(false),
        }
    }

    /// The members that only this branch has, and always.
    fn telling(&self, branches: &[Branch<'a>]) -> impl Iterator<Item = &'a str> {
        let required = self.schema["required"].as_array().into_iter().flatten();
        required.filter_map(Value::as_str).filter(move |name| {
            branches.iter().filter(|branch| !branch.is(self)).all(|branch| branch.forbids(name))
        })
    }

    fn told_by(&self, branches: &[Branch<'a>]) -> String {
        let telling: Vec<&str> = self.telling(branches).collect();
        match self.name {
            Some(name) if !telling.is_empty() => format!("{name} has {}", telling.join(", ")),
            Some(name) => name.to_owned(),
            None => self.schema["type"].as_str().unwrap_or("another value").to_owned(),
        }
    }

    fn is(&self, other: &Branch<'a>) -> bool {
        std::ptr::eq(self.schema, other.schema)
    }
}
