//! Unions: which branch a value is meant to be.

use serde_json::{Map, Value};

use super::{FromJson, ParseError, Pointer};

type Read<T> = fn(Value, &Pointer<'_>) -> Result<T, ParseError>;

/// A branch of a union that is told by the members that only it has.
///
/// A value that is valid for a branch has all of its telling members and none of the others', so
/// reading the nearest branch alone accepts what trying every branch would accept.
pub(crate) struct Shape<T> {
    pub(crate) name: &'static str,
    pub(crate) telling: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    pub(crate) known: &'static [&'static str],
    pub(crate) read: Read<T>,
}

/// The shape with most of its telling members present; among equals, the one with the fewest
/// members missing or strange. None where no telling member is there.
pub(crate) fn nearest<'a, T>(
    members: &Map<String, Value>,
    shapes: &'a [Shape<T>],
) -> Option<&'a Shape<T>> {
    let present = |names: &[&str]| names.iter().filter(|name| members.contains_key(**name)).count();
    let mut told = shapes.iter().filter(|shape| present(shape.telling) > 0);
    let (first, second) = (told.next()?, told.next());
    // Mostly there is nothing to compare.
    let Some(second) = second else { return Some(first) };
    [first, second].into_iter().chain(told).min_by_key(|shape| {
        let missing = shape.required.len() - present(shape.required);
        let strange = members.len() - present(shape.known);
        (usize::MAX - present(shape.telling), missing + strange)
    })
}

/// Reads the branch that the value is nearest to.
pub(crate) fn read<T>(
    value: Value,
    at: &Pointer<'_>,
    shapes: &[Shape<T>],
) -> Result<T, ParseError> {
    let Value::Object(members) = &value else {
        return Err(ParseError::expected("an object", &value, at));
    };
    match nearest(members, shapes) {
        Some(shape) => (shape.read)(value, at).map_err(|error| error.in_shape(shape.name)),
        None => {
            let shapes: Vec<String> = shapes
                .iter()
                .map(|shape| format!("{} has `{}`", shape.name, shape.telling.join("` and `")))
                .collect();
            Err(ParseError::new(format!("is of no known shape: {}", shapes.join(", ")), at))
        }
    }
}

/// A branch of a union that is told by the value of one member.
pub(crate) struct Tagged<T> {
    pub(crate) tag: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read: Read<T>,
}

/// Reads the branch that the member `name` tells.
pub(crate) fn read_tagged<T>(
    value: Value,
    at: &Pointer<'_>,
    name: &str,
    branches: &[Tagged<T>],
) -> Result<T, ParseError> {
    let Value::Object(members) = &value else {
        return Err(ParseError::expected("an object", &value, at));
    };
    let at_tag = at.member(name);
    let Some(tag) = members.get(name) else { return Err(ParseError::new("is missing", &at_tag)) };
    let tag = String::from_json(tag.clone(), &at_tag)?;
    match branches.iter().find(|branch| branch.tag == tag) {
        Some(branch) => (branch.read)(value, at).map_err(|error| error.in_shape(branch.name)),
        None => {
            let tags: Vec<&str> = branches.iter().map(|branch| branch.tag).collect();
            let message = format!("is {tag:?}, expected one of {}", tags.join(", "));
            Err(ParseError::new(message, &at_tag))
        }
    }
}
