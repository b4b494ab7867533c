//! What the generator does not support stops it, with the schema, the place and the cure.

use serde_json::{Value, json};

use super::super::load::Sources;
use super::super::operations::Operations;
use super::super::render;

/// A sound file, to be broken by one change.
fn sound() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Thing",
        "description": "A thing.",
        "type": "object",
        "properties": {
            "name": {"description": "Its name.", "type": "string"},
            "size": {"$ref": "#/$defs/Size"},
            "tags": {"description": "Its tags.", "type": "array", "items": {"type": "string"}},
            "pick": {"$ref": "#/$defs/Pick"}
        },
        "required": ["name"],
        "additionalProperties": false,
        "examples": [{"name": "a"}],
        "$defs": {
            "Size": {
                "title": "Size",
                "description": "A size.",
                "type": "integer",
                "minimum": 0,
                "maximum": 9,
                "examples": [1]
            },
            "Word": {
                "title": "Word",
                "description": "A word.",
                "type": "string",
                "enum": ["one", "two"],
                "examples": ["one"]
            },
            "Code": {
                "title": "Code",
                "description": "A code.",
                "type": "string",
                "pattern": "^[a-z]{2}$",
                "examples": ["ab"]
            },
            "Pick": {
                "title": "Pick",
                "description": "One of two.",
                "oneOf": [{"$ref": "#/$defs/Left"}, {"$ref": "#/$defs/Right"}],
                "examples": [{"left": "a"}]
            },
            "Left": {
                "title": "Left",
                "description": "One side.",
                "type": "object",
                "properties": {"left": {"type": "string"}, "both": {"type": "boolean"}},
                "required": ["left"],
                "additionalProperties": false,
                "examples": [{"left": "a"}]
            },
            "Right": {
                "title": "Right",
                "description": "The other side.",
                "type": "object",
                "properties": {"right": {"type": "string"}, "both": {"type": "boolean"}},
                "required": ["right"],
                "additionalProperties": false,
                "examples": [{"right": "a"}]
            }
        }
    })
}

fn refusal(files: &[(&str, Value)]) -> String {
    let texts = files.iter().map(|(name, value)| ((*name).to_owned(), format!("{value:#}\n")));
    // The table of operations refers to schemas of its own, so it is left out.
    let rendered = Sources::parse(texts.collect())
        .and_then(|sources| render(&sources, &Operations::default()));
    rendered.map(|_| "nothing").map_or_else(|error| format!("{error:#}"), str::to_owned)
}

/// Puts `value` at `at`; what is said must begin with the file and `place`, and contain `words`.
#[track_caller]
fn refused(at: &str, value: Value, place: &str, words: &str) {
    let mut thing = sound();
    let (parent, name) = at.rsplit_once('/').unwrap();
    match thing.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        object => object[name] = value,
    }
    let said = refusal(&[("thing", thing)]);
    assert!(said.starts_with(&format!("schemas/thing.schema.json#{place}: ")), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn the_sound_file_is_taken() {
    assert_eq!(refusal(&[("thing", sound())]), "nothing");
}

#[test]
fn a_keyword_that_is_not_understood_in_its_place() {
    for keyword in [
        "minItems",
        "uniqueItems",
        "prefixItems",
        "contains",
        "patternProperties",
        "anyOf",
        "allOf",
        "not",
        "if",
        "dependentRequired",
        "unevaluatedProperties",
        "minProperties",
        "default",
        "deprecated",
        "$comment",
        "x-other",
    ] {
        refused(&format!("/{keyword}"), json!(1), "", keyword);
        refused(&format!("/$defs/Size/{keyword}"), json!(1), "/$defs/Size", keyword);
        let at = "/properties/tags";
        refused(&format!("{at}/{keyword}"), json!(1), at, keyword);
        refused(&format!("{at}/items/{keyword}"), json!(1), "/properties/tags/items", keyword);
    }
    refused("/$defs/Size/exclusiveMinimum", json!(0), "/$defs/Size", "exclusiveMinimum");
    refused("/$defs/Size/multipleOf", json!(2), "/$defs/Size", "multipleOf");
    refused("/$defs/Word/pattern", json!("^o"), "/$defs/Word", "pattern");
    refused("/properties/size/x-observed", json!({}), "/properties/size", "x-observed");
    refused("/$defs/Size/x-observed", json!([]), "/$defs/Size", "x-observed");
    refused("/$defs/Size/x-undocumented", json!(true), "/$defs/Size", "x-undocumented");
}

#[test]
fn a_constraint_without_a_name() {
    let cure = "`$defs`";
    for (keyword, value) in
        [("pattern", json!("^a$")), ("minLength", json!(1)), ("enum", json!([]))]
    {
        refused(&format!("/properties/name/{keyword}"), value, "/properties/name", cure);
    }
    refused("/properties/name/type", json!("integer"), "/properties/name", cure);
    refused("/properties/name/type", json!("object"), "/properties/name", cure);
    refused("/properties/tags/items/type", json!("object"), "/properties/tags/items", cure);
    let union = json!([{"$ref": "#/$defs/Left"}, {"$ref": "#/$defs/Right"}]);
    refused("/properties/name", json!({"oneOf": union}), "/properties/name/oneOf", cure);
    let branch = json!({"type": "object"});
    refused("/$defs/Pick/oneOf/0", branch, "/$defs/Pick/oneOf/0", cure);
}

#[test]
fn a_type_that_is_not_supported() {
    refused("/properties/name/type", json!("number"), "/properties/name", "with both bounds");
    refused("/properties/name/type", json!("null"), "/properties/name", "null");
    refused("/properties/name/type", json!(["string", "null"]), "/properties/name", "`type`");
    refused("/properties/name", json!({}), "/properties/name", "needs `$ref`");
    refused("/properties/name", json!(true), "/properties/name", "must be an object");
    refused("/$defs/Word/type", json!("boolean"), "/$defs/Word", "boolean");
    refused("/$defs/Left/type", json!(["object", "null"]), "/$defs/Left", "`type`");
    refused("/type", json!(["object", "string"]), "", "`type` of a root");
    let plain = json!({"title": "A", "description": "A.", "type": "string", "examples": ["a"]});
    refused("/$defs/Plain", plain, "/$defs/Plain", "without a constraint");
}

#[test]
fn an_integer_without_both_bounds() {
    for bound in ["minimum", "maximum"] {
        let at = format!("/$defs/Size/{bound}");
        refused(&at, json!(null), "/$defs/Size", bound);
        refused(&at, json!(0.5), "/$defs/Size", bound);
        refused(&at, json!(9_007_199_254_740_992_u64), "/$defs/Size", bound);
    }
    refused("/$defs/Size/minimum", json!(10), "/$defs/Size", "no integer lies between");
}

#[test]
fn a_text_that_readers_understand_differently() {
    for pattern in [
        "a",
        "^a",
        "a$",
        "^a|b$",
        "^\\d$",
        "^.$",
        "^(?=a)$",
        "^(?i)a$",
        "^é$",
        "^[é]$",
        "^[[:alpha:]]$",
        "^[^a]$",
        "^[a&&b]$",
        "^[a--b]$",
        "^[+--]$",
        "^[a-c-e]$",
        "^[b-a]$",
        "^[!-~]$",
        "^a{2,}$",
        "^a{2,1}$",
        "^a{,2}$",
        "^a{}$",
        "^a+?$",
        "^(a)*$",
        "^(a){2}$",
        "^(a$",
        "^a)$",
        "^[]$",
        "^[$",
        "^*$",
        "^a^$",
        "^a$$",
    ] {
        refused("/$defs/Code/pattern", json!(pattern), "/$defs/Code/pattern", "");
    }
    refused("/$defs/Code/format", json!("uuid"), "/$defs/Code/format", "uuid");
    refused("/$defs/Code/minLength", json!(1), "/$defs/Code", "come together");
}

#[test]
fn an_object_that_does_not_say_what_it_is() {
    refused("/additionalProperties", json!(null), "", "additionalProperties");
    refused("/additionalProperties", json!({"type": "string"}), "", "additionalProperties");
    refused("/required", json!(["name", "other"]), "", "`other`");
    refused("/required", json!(["name", "name"]), "", "twice");
    refused("/properties/name", json!(false), "/properties/name", "`false`");
    refused(
        "/properties/null",
        json!({"oneOf": [{"type": "string"}, {"type": "null"}]}),
        "/properties/null/oneOf",
        "if it is required",
    );
    refused(
        "/properties/kind",
        json!({"type": "string", "const": "a"}),
        "/properties/kind",
        "const",
    );
}

#[test]
fn a_reference_that_leads_nowhere_or_in_a_circle() {
    let at = "/properties/size/$ref";
    refused(at, json!("#/$defs/None"), "", "`None`");
    refused(at, json!("other.schema.json"), "", "`Other`");
    for target in [
        "#",
        "#/properties/name",
        "https://example.com/a.schema.json",
        "../a.schema.json",
        "#/$defs/Size/minimum",
    ] {
        refused(at, json!(target), "/properties/size", "no reference that is understood");
    }
    refused(at, json!("thing.schema.json"), "", "refers to itself");
    refused(
        "/$defs/Left/properties/left",
        json!({"$ref": "#/$defs/Pick"}),
        "/$defs/Left",
        "itself",
    );

    // The circle is told where it is, not where a reference leads into it.
    let mut circle = sound();
    circle["properties"]["size"]["$ref"] = json!("thing.schema.json");
    let mut above = sound();
    above["$defs"] = json!({});
    above["properties"] = json!({"name": {"$ref": "thing.schema.json"}});
    let said = refusal(&[("above", above), ("thing", circle)]);
    let expected = "schemas/thing.schema.json#: refers to itself: `Thing` → `Thing`";
    assert_eq!(said, expected);

    let mut list = sound();
    list["properties"]["size"]["$ref"] = json!("list.schema.json");
    let other = json!({
        "$schema": sound()["$schema"], "title": "List", "description": "A list.", "type": "array",
        "items": {"type": "string"}, "examples": [[]]
    });
    let said = refusal(&[("thing", list), ("list", other)]);
    assert!(said.contains("a root that is a list or may be null"), "{said}");
}

#[test]
fn a_union_whose_branches_could_overlap() {
    // Nothing tells the left side from the right one once the right one may have its member.
    let left = json!({"type": "string"});
    refused("/$defs/Right/properties/left", left.clone(), "/$defs/Pick/oneOf", "`Left`");
    refused("/$defs/Right/additionalProperties", json!(true), "/$defs/Pick/oneOf", "`Left`");
    refused("/$defs/Left/required", json!([]), "/$defs/Pick/oneOf", "`Left`");
    let same = json!({"$ref": "#/$defs/Left"});
    refused("/$defs/Pick/oneOf/1", same, "/$defs/Pick/oneOf", "twice");
    let size = json!({"$ref": "#/$defs/Size"});
    refused("/$defs/Pick/oneOf/1", size, "/$defs/Pick/oneOf", "`Size` is no object");
    refused("/$defs/Pick/oneOf", json!([{"$ref": "#/$defs/Left"}]), "/$defs/Pick/oneOf", "two");

    // The same const in both branches tells nothing.
    let mut thing = sound();
    for side in ["Left", "Right"] {
        let kind = json!({"kind": {"type": "string", "const": "same"}});
        thing["$defs"][side]["properties"] = kind;
        thing["$defs"][side]["required"] = json!(["kind"]);
    }
    let said = refusal(&[("thing", thing.clone())]);
    assert!(said.contains("#/$defs/Pick/oneOf: `Left` cannot be told"), "{said}");
    thing["$defs"]["Right"]["properties"]["kind"]["const"] = json!("other");
    assert_eq!(refusal(&[("thing", thing)]), "nothing");
}

#[test]
fn an_observed_profile_that_is_not_sound_itself() {
    let open = json!({"additionalProperties": true});
    let mut thing = sound();
    thing["$defs"]["Right"]["x-observed"] = open;
    let said = refusal(&[("thing", thing.clone())]);
    assert!(said.contains("#/$defs/Pick/oneOf: `Left` cannot be told"), "{said}");
    thing["$defs"]["Right"]["x-observed"]["properties"] = json!({"left": false});
    assert_eq!(refusal(&[("thing", thing)]), "nothing");

    // Who reads the file sees no `gone` among what it requires, but in the mark.
    let mut thing = sound();
    thing["x-observed"] = json!({"required": ["gone"]});
    let expected = "schemas/thing.schema.json#: requires `gone`, which is no property; so it is in \
                    the observed profile, which `x-observed` makes";
    assert_eq!(refusal(&[("thing", thing)]), expected);
}

#[test]
fn names_that_meet_in_rust() {
    refused("/$defs/Word/enum", json!(["a b", "a-b"]), "/$defs/Word/enum", "same name");
    refused("/$defs/Word/enum", json!(["1"]), "/$defs/Word/enum", "legal");
    refused("/$defs/Word/enum", json!([]), "/$defs/Word/enum", "nothing");
    refused("/$defs/Word/enum", json!(["one", 2]), "/$defs/Word", "no string");
    refused("/properties/Name", json!({"type": "string"}), "/properties/Name", "same name");
    refused("/properties/1st", json!({"type": "string"}), "/properties/1st", "legal");
    let size = sound()["$defs"]["Size"].clone();
    refused("/$defs/Thing", size.clone(), "/$defs/Thing", "defined twice");
    // Generated code uses the first ones under these names; to Rust itself the last one is one.
    for name in ["Option", "Rule", "Value", "Pointer", "Members", "Serialize", "TryFrom", "Self"] {
        let at = format!("/$defs/{name}");
        refused(&at, size.clone(), &at, "name of a type");
    }
    refused("/$defs/size", size.clone(), "/$defs/size", "name of a type");
    refused("/$defs/1st", size.clone(), "/$defs/1st", "name of a type");

    let mut nullable = sound();
    nullable["type"] = json!(["object", "null"]);
    nullable["$defs"]["ThingDocument"] = size;
    let said = refusal(&[("thing", nullable)]);
    let place = "schemas/thing.schema.json#/$defs/ThingDocument: ";
    assert!(said.starts_with(place) && said.contains("defined twice"), "{said}");
}

#[test]
fn a_file_that_can_be_no_module() {
    let mut parts = sound();
    for keyword in ["type", "properties", "required", "additionalProperties", "examples"] {
        parts.as_object_mut().unwrap().shift_remove(keyword);
    }
    for name in ["mod", "type", "1st", "", "é"] {
        let said = refusal(&[(name, parts.clone())]);
        assert!(said.starts_with(&format!("schemas/{name}.schema.json#: ")), "{said}");
        assert!(said.contains("rename the file"), "{said}");
    }
    let mut others = parts.clone();
    others["$defs"] = json!({"Other": sound()["$defs"]["Size"]});
    let said = refusal(&[("some-parts", parts), ("some_parts", others)]);
    assert!(said.starts_with("schemas/some_parts.schema.json#: "), "{said}");
    assert!(said.contains("rename the file"), "{said}");
}

/// What is said of the table of operations once `value` stands at `at`.
fn refused_in_table(at: &str, value: Value, words: &str) {
    let text = std::fs::read_to_string(super::root().join("schemas/operations.json")).unwrap();
    let mut table: Value = serde_json::from_str(&text).unwrap();
    let (parent, name) = at.rsplit_once('/').unwrap();
    table.pointer_mut(parent).unwrap()[name] = value;
    let said = Operations::parse(&table.to_string())
        .and_then(|operations| render(&super::sources(), &operations))
        .map_or_else(|error| format!("{error:#}"), |_| "nothing".to_owned());
    assert!(said.starts_with("schemas/operations.json: ") && said.contains(words), "{said}");
}

#[test]
fn a_table_of_operations_that_names_what_is_not_there() {
    let at = "/operations/0";
    refused_in_table(&format!("{at}/problems"), json!(["writting"]), "`writting`");
    refused_in_table("/problems/every", json!(["bad_requst"]), "`bad_requst`");
    refused_in_table(&format!("{at}/path"), json!("/v1/{what}"), "`what`");
    refused_in_table(&format!("{at}/query"), json!(["what"]), "`what`");
    refused_in_table(&format!("{at}/headers"), json!(["what"]), "`what`");
    refused_in_table(&format!("{at}/answers"), json!({"ok": {}}), "`ok`");
    refused_in_table(&format!("{at}/answers"), json!({"200": {"a/b": "what"}}), "`what`");
    refused_in_table(&format!("{at}/answers"), json!({"200": {"a/b": ["what"]}}), "`what`");
    refused_in_table(&format!("{at}/body"), json!({"schema": "entry#What"}), "`entry#What`");
    refused_in_table("/codes/in_use/status", json!("409"), "`in_use`");
    refused_in_table("/parameters/n/schema", json!("common#What"), "`common#What`");
}

#[test]
fn a_file_that_does_not_introduce_itself() {
    refused("/$schema", json!("http://json-schema.org/draft-07/schema#"), "", "2020-12");
    for keyword in ["title", "description"] {
        refused(&format!("/{keyword}"), json!(""), "", keyword);
        refused(&format!("/$defs/Size/{keyword}"), json!(null), "/$defs/Size", keyword);
    }
    refused("/examples", json!([]), "", "examples");
    refused("/$defs/Size/examples", json!(null), "/$defs/Size", "examples");
}

#[test]
fn a_member_that_stands_twice_in_the_file() {
    let text = format!("{:#}\n", sound()).replacen(
        "\"title\": \"Thing\",",
        "\"title\": \"A\",\n  \"title\": \"Thing\",",
        1,
    );
    let error = Sources::parse(vec![("thing".to_owned(), text)]).unwrap_err().to_string();
    assert!(
        error.starts_with("schemas/thing.schema.json, line 3: a member stands twice"),
        "{error}"
    );
}
