//! The reference validator's errors as breaches, each told once and at its own place.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use license_types::schemas::Profile;
use serde_json::Value;

use crate::{
    breach::Breach,
    compiled::Compiled,
    message,
    shape::{self, Nearest},
};

/// Every breach of the schema in `value`.
pub(crate) fn breaches(
    compiled: &Compiled,
    profile: Profile,
    value: &Value,
    masked: bool,
) -> Vec<Breach> {
    let schema = &compiled.schema;
    let mut explain = Explain { schema, profile, masked, breaches: Vec::new() };
    for error in compiled.reference.iter_errors(value) {
        explain.error(&error, None);
    }
    explain.breaches
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
        if self.breaches.last().is_some_and(is_told) {
            return; // a format and a pattern that say together what a text is
        }
        let rule = error.schema_path().as_str().to_owned();
        self.breaches.push(Breach { at, rule, message, shape: shape.map(str::to_owned) });
    }
}

/// The pointer to the member `name` of the object at `at`.
pub(crate) fn member(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
