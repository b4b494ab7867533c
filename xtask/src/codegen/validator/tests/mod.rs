//! What the schemas do not need today: branches that disagree, and every part of a pattern.

mod suite;

use expect_test::expect;
use serde_json::{Value, json};

use super::super::load::Sources;
use super::*;

fn functions(definitions: &Value, name: &str) -> anyhow::Result<String> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Made up",
        "description": "For a test.",
        "$defs": definitions
    });
    let sources = Sources::parse(vec![("made-up".to_owned(), format!("{schema:#}\n"))])?;
    let model = Model::of(&sources, Profile::Documented)?;
    let homes = model.homes();
    let emitter =
        Emitter { model: &model, homes: &homes, observed: &BTreeSet::new(), here: "made-up" };
    let definition = model.referred(name);
    let functions = [Some(emitter.function(definition)?), pattern_function(definition)];
    let functions = functions.into_iter().flatten();
    Ok(prettyplease::unparse(&syn::parse2(quote!(#(#functions)*))?))
}

fn object(name: &str, both: &str, open: bool) -> Value {
    let mut object = json!({
        "title": name,
        "description": "One side.",
        "type": "object",
        "properties": {name: {"type": "string"}, "both": {"type": both}},
        "required": [name],
        "additionalProperties": open,
        "examples": [{}]
    });
    if open {
        object["properties"]["left"] = Value::Bool(false);
    }
    object
}

#[test]
fn a_member_on_which_branches_disagree_leaves_those_whose_kind_it_is() {
    let definitions = json!({
        "Pick": {
            "title": "Pick",
            "description": "One of two.",
            "oneOf": [{"$ref": "#/$defs/Left"}, {"$ref": "#/$defs/Right"}],
            "examples": [{}]
        },
        "Left": object("left", "boolean", false),
        "Right": object("right", "string", true)
    });
    let expected = expect![[r#"
        /// Pick: one of two.
        pub(crate) fn pick(input: &[u8]) -> Rest<'_> {
            let mut seen = bytes::Seen::default();
            let mut branches = bytes::Branches::all();
            let rest = bytes::members(
                input,
                |name, value| match name {
                    b"left" => {
                        seen.add(0);
                        branches.only([0]);
                        bytes::text(value)
                    }
                    b"both" => {
                        seen.add(1);
                        if let Some(rest) = bytes::boolean(value) {
                            branches.only([0]);
                            Some(rest)
                        } else {
                            branches.only([1]);
                            bytes::text(value)
                        }
                    }
                    b"right" => {
                        seen.add(2);
                        branches.only([1]);
                        bytes::text(value)
                    }
                    _ => {
                        branches.only([1]);
                        bytes::anything(value)
                    }
                },
            )?;
            (branches.has(0) && seen.has([0]) || branches.has(1) && seen.has([2]))
                .then_some(rest)
        }
    "#]];
    expected.assert_eq(&functions(&definitions, "Pick").unwrap());
}

#[test]
fn a_pattern_compiles_to_the_parts_that_it_has() {
    let code = json!({
        "Code": {
            "title": "Code",
            "description": "Has every part.",
            "type": "string",
            "pattern": "^a?b*c+[d-f]{2}[x.]{0,3}(g|hh|)(i[0-9])?$",
            "examples": ["cde"]
        }
    });
    let expected = expect![[r#"
        /// Code: has every part.
        pub(crate) fn code(input: &[u8]) -> Rest<'_> {
            bytes::text_where(input, |text| bytes::fits(text, code_pattern))
        }
        /// `^a?b*c+[d-f]{2}[x.]{0,3}(g|hh|)(i[0-9])?$`
        fn code_pattern(text: &[u8]) -> Rest<'_> {
            let text = bytes::repeat(text, 0, 1, |byte| matches!(byte, b'a'))?;
            let text = bytes::repeat(text, 0, usize::MAX, |byte| matches!(byte, b'b'))?;
            let text = bytes::repeat(text, 1, usize::MAX, |byte| matches!(byte, b'c'))?;
            let text = bytes::exactly(text, 2, |byte| matches!(byte, b'd'..= b'f'))?;
            let text = bytes::repeat(text, 0, 3, |byte| matches!(byte, b'x' | b'.'))?;
            let text = bytes::either(
                text,
                |text| text.strip_prefix(b"g"),
                |text| bytes::either(
                    text,
                    |text| {
                        let text = text.strip_prefix(b"h")?;
                        text.strip_prefix(b"h")
                    },
                    |text| Some(text),
                ),
            )?;
            bytes::optional(
                text,
                |text| {
                    let text = text.strip_prefix(b"i")?;
                    bytes::exactly(text, 1, bytes::digit)
                },
            )
        }
    "#]];
    expected.assert_eq(&functions(&code, "Code").unwrap());
}

#[test]
fn a_definition_cannot_be_called_like_a_variable() {
    let value = json!({
        "Input": {
            "title": "Input",
            "description": "A number.",
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "examples": [1]
        }
    });
    let error = functions(&value, "Input").unwrap_err();
    assert_eq!(error.to_string(), "a variable has this name: choose another");
}
