//! Which branch of a union a value is meant to be, so that its errors are told and no others.

use std::cmp::Reverse;

use jsonschema::{ValidationError, error::ValidationErrorKind};
use license_types::{documented, observed, schemas::Profile};
use serde_json::{Map, Value};

/// What a value that fits no branch of a union is nearest to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nearest<'a> {
    /// The branch of this index, by its name.
    Branch(usize, Option<&'a str>),
    /// A member tells the branches apart by its value, and this one has no such value.
    Tag { name: &'a str, values: Vec<&'a Value> },
    /// No branch is nearer than the others; what each is.
    None(Vec<&'a str>),
}

/// Judges `instance`, which stands at `at` and breaks each of the `branches` of `schema` as its
/// `errors` say.
///
/// A tag tells; else what tells the shapes of a session, as for the types; else the names that the
/// value shares with a branch, and of equals the one with the fewest errors.
pub(crate) fn nearest<'a>(
    profile: Profile,
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
    let named = |name: &str| branches.iter().position(|branch| branch.name == Some(name));
    let shape = match profile {
        Profile::Documented => documented::Session::nearest_shape(members),
        Profile::Observed => observed::Session::nearest_shape(members),
    };
    if let Some(index) = shape.and_then(named) {
        return Nearest::Branch(index, shape);
    }
    let score = |index: usize| {
        let properties = branches[index].properties?;
        let shared = members.keys().filter(|name| properties.contains_key(*name)).count();
        Some((Reverse(shared), errors.get(index).map_or(usize::MAX, Vec::len)))
    };
    let mut scored: Vec<_> =
        (0..branches.len()).filter_map(|index| Some((score(index)?, index))).collect();
    scored.sort();
    match scored[..] {
        [(_, index)] => Nearest::Branch(index, branches[index].name),
        [(best, index), (next, _), ..] if best != next => {
            Nearest::Branch(index, branches[index].name)
        }
        _ => Nearest::None(branches.iter().map(Branch::words).collect()),
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
        _ => Nearest::None(branches.iter().map(Branch::words).collect()),
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

    fn constant(&self, name: &str) -> Option<&'a Value> {
        self.properties?.get(name)?.get("const")
    }

    /// What it is, for people.
    fn words(&self) -> &'a str {
        let words = self.schema["description"].as_str().or(self.schema["type"].as_str());
        words.unwrap_or("another value").trim_end_matches('.')
    }
}
