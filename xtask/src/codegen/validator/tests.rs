//! What the schemas do not need today: branches that disagree, and patterns that are no loops.

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
    let definition = definition(&model, name);
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
                            seen.once(0)?;
                            branches.only([0]);
                            bytes::text(value)
                        }
                        b"both" => {
                            seen.once(1)?;
                            if let Some(rest) = bytes::boolean(value) {
                                branches.only([0]);
                                Some(rest)
                            } else {
                                branches.only([1]);
                                bytes::text(value)
                            }
                        }
                        b"right" => {
                            seen.once(2)?;
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
fn a_pattern_that_is_no_loop_is_left_to_the_reference() {
    let twice = json!({
        "Twice": {
            "title": "Twice",
            "description": "A pair, again.",
            "type": "string",
            "pattern": "^(ab){2}$",
            "examples": ["abab"]
        }
    });
    let expected = expect![[r#"
        /// Twice: a pair, again.
        pub(crate) fn twice(input: &[u8]) -> Rest<'_> {
            bytes::text_where(input, |text| bytes::fits(text, twice_pattern))
        }
        /// `^(ab){2}$`: left to the reference.
        fn twice_pattern(_: &[u8]) -> Rest<'_> {
            None
        }
    "#]];
    expected.assert_eq(&functions(&twice, "Twice").unwrap());
    for pattern in ["", "a", "^a", "a$", "^a|b$", "^(a$", "^a)$", "^(a*)*$", "^a^$", "^[b$", "^.$"]
    {
        assert!(pattern::code(pattern).is_none(), "{pattern}");
    }
    for pattern in ["^$", "^a$", "^(a|b)$", "^(a|)$", "^a?b*c+[d-f]{2}(gh)?$", "^[a-][-]$"] {
        assert!(pattern::code(pattern).is_some(), "{pattern}");
    }
}

#[test]
fn a_definition_cannot_be_called_like_a_variable() {
    let value = json!({
        "Value": {
            "title": "Value",
            "description": "A number.",
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "examples": [1]
        }
    });
    let error = functions(&value, "Value").unwrap_err();
    assert_eq!(error.to_string(), "a variable has this name: choose another");
}
