//! What a derived schema says that the shape of a type alone does not.

use schemars::{Schema, transform::Transform};
use serde_json::{Value, json};

/// An open object must not have these members.
pub(crate) fn forbid(names: &'static [&'static str]) -> impl Transform {
    move |schema: &mut Schema| {
        let properties = part(schema, "properties", json!({}));
        names.iter().for_each(|name| properties[*name] = false.into());
    }
}

/// An object has a member with only one possible value.
pub(crate) fn tag(name: &'static str, only: &'static str) -> impl Transform {
    move |schema: &mut Schema| {
        part(schema, "properties", json!({}))[name] = json!({"type": "string", "const": only});
        add_required(schema, name);
    }
}

/// A member that can be null must still be there.
pub(crate) fn require(name: &'static str) -> impl Transform {
    move |schema: &mut Schema| add_required(schema, name)
}

fn add_required(schema: &mut Schema, name: &str) {
    if let Value::Array(required) = part(schema, "required", json!([]))
        && !required.iter().any(|other| other == name)
    {
        required.push(name.into());
    }
}

fn part<'a>(schema: &'a mut Schema, keyword: &str, empty: Value) -> &'a mut Value {
    schema.ensure_object().entry(keyword).or_insert(empty)
}
