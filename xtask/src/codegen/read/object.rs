//! Objects with their members, and unions of objects.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::model::{Kind, Member, Object, Shape, Tag, ToldBy, Union};
use super::super::names;
use super::keywords::{Keywords, Place, Refusal};
use super::{kind, refs};

/// The field that keeps the members of an open object that have no property.
const UNKNOWN: &str = "unknown";

pub(crate) fn shape(keywords: &mut Keywords<'_>, place: &Place) -> Result<Object, Refusal> {
    let Some(Value::Bool(open)) = keywords.take("additionalProperties") else {
        return place.refuse("an object says `additionalProperties`: true or false");
    };
    let required = keywords.texts("required")?;
    let mut object = Object { tag: None, members: Vec::new(), forbidden: Vec::new(), open: *open };
    let Some(Value::Object(properties)) = keywords.take("properties") else {
        return place.refuse("an object needs `properties`");
    };
    for (name, value) in properties {
        let place = place.child("properties").child(name);
        let required = required.contains(&name.as_str());
        if *value == Value::Bool(false) {
            if required || !open {
                return place.refuse("`false` is for members that an open object must not have");
            }
            object.forbidden.push(name.clone());
            continue;
        }
        let mut keywords = Keywords::of(value, &place)?;
        let description = keywords.text("description")?.map(str::to_owned);
        if keywords.has("const") {
            if object.tag.is_some() || !object.members.is_empty() || !required {
                return place.refuse("a `const` member tells a union: required, first and alone");
            }
            let description = description.unwrap_or_default();
            object.tag = Some(tag(name, description, &mut keywords, &place)?);
        } else {
            let kind = member_kind(required, &mut keywords, &place)?;
            object.members.push(Member { name: name.clone(), description, required, kind });
        }
        keywords.finish()?;
    }
    for name in required {
        if !properties.contains_key(name) {
            return place.refuse(format_args!("requires `{name}`, which is no property"));
        }
    }
    check_fields(&object, place)?;
    Ok(object)
}

fn tag(
    name: &str,
    description: String,
    keywords: &mut Keywords<'_>,
    place: &Place,
) -> Result<Tag, Refusal> {
    match (keywords.text("type")?, keywords.text("const")?) {
        (Some("string"), Some(value)) => {
            Ok(Tag { name: name.to_owned(), value: value.to_owned(), description })
        }
        _ => place.refuse("a `const` has the `type` string"),
    }
}

fn member_kind(
    required: bool,
    keywords: &mut Keywords<'_>,
    place: &Place,
) -> Result<Kind, Refusal> {
    let Some(branches) = keywords.take("oneOf") else { return kind(keywords, place) };
    let place = place.child("oneOf");
    let value = match branches.as_array().map(Vec::as_slice) {
        Some([value, null]) if required && *null == json!({"type": "null"}) => value,
        _ => {
            return place.refuse(
                "a property can be one thing or {\"type\": \"null\"}, in this order, if it is \
                 required; a union needs a name in `$defs`",
            );
        }
    };
    let place = place.child("0");
    let mut keywords = Keywords::of(value, &place)?;
    let inner = kind(&mut keywords, &place)?;
    keywords.finish()?;
    Ok(Kind::OrNull(Box::new(inner)))
}

/// Every member needs a field of its own.
fn check_fields(object: &Object, place: &Place) -> Result<(), Refusal> {
    let mut fields = BTreeSet::new();
    if object.open {
        fields.insert(UNKNOWN.to_owned());
    }
    for member in &object.members {
        let field = names::field(&member.name);
        if syn::parse_str::<syn::Ident>(&field).is_err() || !fields.insert(field) {
            return place.child("properties").child(&member.name).refuse(
                "gets the same name in Rust as another member, or none that is legal there",
            );
        }
    }
    Ok(())
}

/// A union of named objects; how they are told apart is found out later.
pub(crate) fn union(keywords: &mut Keywords<'_>, place: &Place) -> Result<Shape, Refusal> {
    let place = place.child("oneOf");
    let Some(Value::Array(items)) = keywords.take("oneOf") else {
        return place.refuse("must be an array");
    };
    let mut branches = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = place.child(&index.to_string());
        let mut keywords = Keywords::of(item, &place)?;
        let Some(target) = keywords.text("$ref")? else {
            return place.refuse("a branch of a union has a name: define it in `$defs`");
        };
        branches.push(refs::named(target, &place)?);
        keywords.finish()?;
    }
    if branches.len() < 2 {
        return place.refuse("a union has at least two branches");
    }
    Ok(Shape::Union(Union { branches, told_by: ToldBy::Members(Vec::new()) }))
}
