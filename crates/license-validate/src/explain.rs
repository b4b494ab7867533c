//! The reference validator's errors as breaches, each told once and at its own place.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use license_types::schemas::Profile;
use serde_json::{Map, Value};

use crate::{
    breach::Breach,
    compiled::Compiled,
    message,
    shape::{self, Nearest},
};

/// Elements of arrays, those inside others included, that an explanation looks at: the reference
/// keeps every error of a value in memory, hundreds of bytes for an element that takes two.
///
/// So many violations of one document are told, too.
pub const EXPLAINED_MAX: usize = 16 * 1024;

/// The breaches of the schema in `value`, which is invalid: every one, unless there are more than
/// anybody reads.
pub(crate) fn breaches(
    compiled: &Compiled,
    profile: Profile,
    value: &Value,
    masked: bool,
) -> Vec<Breach> {
    let schema = &compiled.schema;
    let mut explain = Explain { schema, profile, masked, breaches: Vec::new() };
    let begun;
    let is_large = elements(value) > EXPLAINED_MAX;
    let value = if is_large {
        begun = beginning(value, &mut { EXPLAINED_MAX });
        &begun
    } else {
        value
    };
    for error in compiled.reference.iter_errors(value) {
        explain.error(&error, None);
    }
    if is_large && explain.breaches.is_empty() {
        let message = format!("it is invalid behind the first {EXPLAINED_MAX} elements in it");
        explain.breaches.push(Breach {
            at: String::new(),
            rule: String::new(),
            message,
            shape: None,
        });
    }
    explain.breaches
}

/// Elements of the arrays in a value.
fn elements(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| 1 + elements(item)).sum(),
        Value::Object(members) => members.values().map(elements).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The same value with so many elements in its arrays; what is no array is whole, since no schema
/// asks that an array has elements.
fn beginning(value: &Value, left: &mut usize) -> Value {
    match value {
        Value::Array(items) => {
            let mut kept = Vec::new();
            for item in items {
                let Some(less) = left.checked_sub(1) else { break };
                *left = less;
                kept.push(beginning(item, left));
            }
            Value::Array(kept)
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), beginning(value, left)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

struct Explain<'a> {
    schema: &'a Value,
    profile: Profile,
    masked: bool,
    breaches: Vec<Breach>,
}

impl Explain<'_> {
    /// Notes what `error` says, inside the branch of a union that is called `shape`.
    fn error(&mut self, error: &ValidationError<'_>, shape: Option<&str>) {
        match error.kind() {
            ValidationErrorKind::OneOfNotValid { context }
            | ValidationErrorKind::AnyOf { context } => self.union(error, context, shape),
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    let at = member(error.instance_path().as_str(), name);
                    self.note(at, error, message::unexpected(name), shape);
                }
            }
            ValidationErrorKind::FalseSchema => {
                let at = error.instance_path().as_str();
                let name = at.rsplit('/').next().unwrap_or_default();
                self.note(at.to_owned(), error, message::unexpected(name), shape);
            }
            _ => {
                let message = message::of(error, self.schema, self.masked);
                self.note(error.instance_path().as_str().to_owned(), error, message, shape);
            }
        }
    }

    /// Notes the errors of the branch that the value is nearest to, in the place of all branches'.
    fn union(
        &mut self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        shape: Option<&str>,
    ) {
        let schema = self.schema;
        let branches = schema.pointer(error.schema_path().as_str()).and_then(Value::as_array);
        let branches = branches.map(Vec::as_slice).unwrap_or_default();
        let at = error.instance_path().as_str();
        let value = error.instance();
        match shape::nearest(self.profile, schema, branches, value, at, context) {
            Nearest::Branch(index, name) => {
                for error in &context[index] {
                    self.error(error, name.or(shape));
                }
            }
            Nearest::Tag { name, values } => match value.get(name) {
                Some(value) => {
                    let value = message::shown(value, self.masked);
                    let message = format!("{value} is not {}", message::one_of(values));
                    self.note(member(at, name), error, message, shape);
                }
                None => {
                    let message = format!("{name:?} is missing: {}", message::one_of(values));
                    self.note(at.to_owned(), error, message, shape);
                }
            },
            Nearest::None(shapes) => {
                let value = message::shown(value, self.masked);
                let message = format!("{value} is of no known shape: {}", shapes.join("; "));
                self.note(at.to_owned(), error, message, shape);
            }
        }
    }

    fn note(
        &mut self,
        at: String,
        error: &ValidationError<'_>,
        message: String,
        shape: Option<&str>,
    ) {
        let is_told = |last: &Breach| last.at == at && last.message == message;
        // A format and a pattern say together what a text is.
        if self.breaches.last().is_some_and(is_told) || self.breaches.len() == EXPLAINED_MAX {
            return;
        }
        let rule = error.schema_path().as_str().to_owned();
        self.breaches.push(Breach { at, rule, message, shape: shape.map(str::to_owned) });
    }
}

/// The pointer to the member `name` of the object at `at`.
pub(crate) fn member(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
