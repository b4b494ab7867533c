//! What is said of a violation, for people: short, and without values where they are masked.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 40;

/// What `error` says of its value; `schema` is the document that its schema place points into.
pub(crate) fn of(error: &ValidationError<'_>, schema: &Value, masked: bool) -> String {
    let value = shown(error.instance(), masked);
    match error.kind() {
        ValidationErrorKind::Required { property } => format!("{property} is missing"),
        ValidationErrorKind::Type { kind } => format!("{value} is {}", no_type(kind)),
        ValidationErrorKind::Enum { options } => {
            format!("{value} is not {}", one_of(options.as_array().into_iter().flatten()))
        }
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Format { .. } => {
            match definition(schema, error.schema_path().as_str()) {
                Some((title, description)) => format!("{value} is no {title}: {description}"),
                None => error.masked_with(value).to_string(),
            }
        }
        _ => error.masked_with(value).to_string(),
    }
}

/// What is said of a member that its object must not have.
pub(crate) fn unexpected(name: &str) -> String {
    format!("{} is not allowed here", quoted(name))
}

/// The value as far as it helps, or only its kind.
pub(crate) fn shown(value: &Value, masked: bool) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(_) if masked => "a boolean".to_owned(),
        Value::Number(_) if masked => "a number".to_owned(),
        Value::String(_) if masked => "a string".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
    }
}

/// "one of" these values.
pub(crate) fn one_of<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let values: Vec<String> = values.into_iter().map(Value::to_string).collect();
    format!("one of {}", values.join(", "))
}

/// The text in quotes, cut where it is long.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Value::String(shown).to_string()
}

fn no_type(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => format!("not {}", type_name(*kind)),
        TypeKind::Multiple(kinds) => {
            format!("neither {}", kinds.iter().map(type_name).collect::<Vec<_>>().join(" nor "))
        }
    }
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

/// Title and description of the definition that holds the keyword at `place`.
fn definition<'a>(schema: &'a Value, place: &str) -> Option<(&'a str, &'a str)> {
    let (holder, _keyword) = place.rsplit_once('/')?;
    let holder = schema.pointer(holder)?;
    Some((holder["title"].as_str()?, holder["description"].as_str()?.trim_end_matches('.')))
}
