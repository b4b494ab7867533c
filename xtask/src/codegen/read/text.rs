//! Strings with constraints, and enumerations of words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::model::{Shape, Text};
use super::super::names;
use super::keywords::{Keywords, Place, Refusal};
use super::pattern;

pub(crate) fn shape(keywords: &mut Keywords<'_>, place: &Place) -> Result<Shape, Refusal> {
    if keywords.has("enum") {
        return words(keywords, place).map(Shape::Words);
    }
    let pattern = match keywords.text("pattern")? {
        Some(text) => Some(pattern::read(text, &place.child("pattern"))?),
        None => None,
    };
    let is_date_time = match keywords.text("format")? {
        None => false,
        Some("date-time") => true,
        Some(other) => {
            return place.child("format").refuse(format_args!("`{other}` is not supported"));
        }
    };
    let text = Text { pattern, is_date_time, length: length(keywords, place)? };
    if text == Text::default() {
        return place
            .refuse("a string without a constraint needs no name: write it in the property");
    }
    Ok(Shape::Text(text))
}

fn length(keywords: &mut Keywords<'_>, place: &Place) -> Result<Option<(u64, u64)>, Refusal> {
    let limits = (keywords.take("minLength"), keywords.take("maxLength"));
    match (limits.0.map(Value::as_u64), limits.1.map(Value::as_u64)) {
        (None, None) => Ok(None),
        (Some(Some(minimum)), Some(Some(maximum))) if minimum <= maximum => {
            Ok(Some((minimum, maximum)))
        }
        _ => place.refuse("`minLength` and `maxLength` come together, the smaller one first"),
    }
}

fn words(keywords: &mut Keywords<'_>, place: &Place) -> Result<Vec<String>, Refusal> {
    let words = keywords.texts("enum")?;
    let mut variants = BTreeSet::new();
    for word in &words {
        let variant = names::pascal(word);
        if syn::parse_str::<syn::Ident>(&variant).is_err() || !variants.insert(variant) {
            return place.child("enum").refuse(format_args!(
                "{word:?} gets the same name in Rust as another word, or none that is legal there"
            ));
        }
    }
    if words.is_empty() {
        return place.child("enum").refuse("lists nothing");
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}
