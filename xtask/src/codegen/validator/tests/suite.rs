//! The official JSON Schema test suite (draft 2020-12) on validators that are generated, compiled
//! and run here: for each keyword that the generator accepts, the groups that use nothing else.
//!
//! The groups' schemas are anonymous and leave open what ours must say, so each is said again here;
//! the reference judges both by the suite's verdicts. `LICENSE_JSON_SCHEMA_SUITE` names the directory
//! of the draft, which is not ours to keep.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::*;

/// A group by its file and description, and what it says in our words.
struct Group {
    file: &'static str,
    description: &'static str,
    definitions: Value,
    /// Of the suite's values, those of which the group's schema says what ours says.
    applies: fn(&Value) -> bool,
}

fn group(
    file: &'static str,
    description: &'static str,
    applies: fn(&Value) -> bool,
    subject: Value,
) -> Group {
    let int = json!({
        "type": "integer", "minimum": -GREATEST, "maximum": GREATEST
    });
    let words = |word: &str| json!({"type": "string", "enum": [word]});
    let mut definitions = json!({
        "Subject": subject, "Int": int, "Foo": words("foo"), "Bar": words("bar"),
    });
    let branches = definitions["Subject"].as_object_mut().unwrap().remove("branches");
    if let Some(Value::Array(branches)) = branches {
        for (name, branch) in ["First", "Second"].iter().zip(branches) {
            definitions[name] = branch.clone();
        }
        definitions["Subject"] =
            json!({"oneOf": [{"$ref": "#/$defs/First"}, {"$ref": "#/$defs/Second"}]});
    }
    for (name, definition) in definitions.as_object_mut().unwrap() {
        definition["title"] = name.as_str().into();
        definition["description"] = "Of a group.".into();
        definition["examples"] = json!([1]);
    }
    Group { file, description, definitions, applies }
}

const GREATEST: i64 = 9_007_199_254_740_991;

fn is_integral(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn object(properties: Value, required: Value, open: bool) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": open
    })
}

fn groups() -> Vec<Group> {
    let int = || json!({"$ref": "#/$defs/Int"});
    let text = || json!({"type": "string"});
    let no_pattern = |value: &Value| value.is_object() && value.get("vroom").is_none();
    let mut groups = vec![
        group("type.json", "integer type matches integers", |_| true, {
            json!({"type": "integer", "minimum": -GREATEST, "maximum": GREATEST})
        }),
        group(
            "type.json",
            "object type matches objects",
            |_| true,
            object(json!({}), json!([]), true),
        ),
        group("minLength.json", "minLength validation", Value::is_string, {
            json!({"type": "string", "minLength": 2, "maxLength": 1000})
        }),
        group("maxLength.json", "maxLength validation", Value::is_string, {
            json!({"type": "string", "minLength": 0, "maxLength": 2})
        }),
        group("minLength.json", "minLength validation with a decimal", Value::is_string, {
            json!({"type": "string", "minLength": 2, "maxLength": 1000})
        }),
        group("maxLength.json", "maxLength validation with a decimal", Value::is_string, {
            json!({"type": "string", "minLength": 0, "maxLength": 2})
        }),
        group("minimum.json", "minimum validation with signed integer", is_integral, {
            json!({"type": "integer", "minimum": -2, "maximum": GREATEST})
        }),
        group("maximum.json", "maximum validation", is_integral, {
            json!({"type": "integer", "minimum": -GREATEST, "maximum": 3})
        }),
        group("maximum.json", "maximum validation with unsigned integer", is_integral, {
            json!({"type": "integer", "minimum": 0, "maximum": 300})
        }),
        group("pattern.json", "pattern validation", Value::is_string, {
            json!({"type": "string", "pattern": "^a*$"})
        }),
        group("enum.json", "enums in properties", |_| true, {
            let properties =
                json!({"foo": {"$ref": "#/$defs/Foo"}, "bar": {"$ref": "#/$defs/Bar"}});
            object(properties, json!(["bar"]), true)
        }),
        group("enum.json", "nul characters in strings", |_| true, {
            json!({"type": "string", "enum": ["hello\u{0}there"]})
        }),
        group("const.json", "nul characters in strings", |_| true, {
            let word = json!({"value": {"type": "string", "const": "hello\u{0}there"}});
            json!({ "member": object(word, json!(["value"]), false) })
        }),
        group("properties.json", "object properties validation", Value::is_object, {
            object(json!({"foo": int(), "bar": text()}), json!([]), true)
        }),
        group("required.json", "required validation", Value::is_object, {
            object(json!({"foo": int(), "bar": int()}), json!(["foo"]), true)
        }),
        group("required.json", "required default validation", Value::is_object, {
            object(json!({"foo": int()}), json!([]), true)
        }),
        group("required.json", "required with empty array", Value::is_object, {
            object(json!({"foo": int()}), json!([]), true)
        }),
        group(
            "additionalProperties.json",
            "additionalProperties are allowed by default",
            |_| true,
            object(json!({"foo": int(), "bar": int()}), json!([]), true),
        ),
        group(
            "additionalProperties.json",
            "additionalProperties being false does not allow other properties",
            no_pattern,
            object(json!({"foo": int(), "bar": int()}), json!([]), false),
        ),
        group("items.json", "a schema given for items", Value::is_array, {
            json!({"value": {"type": "array", "items": int()}})
        }),
        group("items.json", "nested items", |_| true, {
            let mut items = int();
            for _ in 0..4 {
                items = json!({"type": "array", "items": items});
            }
            json!({ "value": items })
        }),
        group("ref.json", "relative pointer ref to object", |_| true, {
            object(json!({"foo": int(), "bar": int()}), json!([]), true)
        }),
        group("ref.json", "nested refs", |_| true, json!({"value": int()})),
        group("ref.json", "property named $ref that is not a reference", |_| true, {
            object(json!({"$ref": text()}), json!([]), true)
        }),
        group("oneOf.json", "oneOf with required", |value| value.get("baz").is_none(), {
            json!({"branches": [
                object(json!({"foo": int(), "bar": int()}), json!(["foo", "bar"]), false),
                object(json!({"foo": int(), "baz": int()}), json!(["foo", "baz"]), false),
            ]})
        }),
        group("oneOf.json", "oneOf complex types", |_| true, {
            json!({"branches": [
                object(json!({"bar": int(), "foo": false}), json!(["bar"]), true),
                object(json!({"foo": text(), "bar": false}), json!(["foo"]), true),
            ]})
        }),
        group("oneOf.json", "oneOf with missing optional property", |_| true, {
            json!({"branches": [
                object(json!({"bar": int(), "baz": text(), "foo": false}), json!(["bar"]), true),
                object(json!({"foo": text(), "bar": false}), json!(["foo"]), true),
            ]})
        }),
        group(
            "optional/format/date-time.json",
            "validation of date-time strings",
            Value::is_string,
            json!({"type": "string", "format": "date-time"}),
        ),
    ];
    for (description, value) in [
        ("string type matches strings", text()),
        ("type as array with one item", text()),
        ("boolean type matches booleans", json!({"type": "boolean"})),
        ("array type matches arrays", json!({"type": "array", "items": int()})),
        (
            "null type matches only the null object",
            json!({"oneOf": [{"$ref": "#/$defs/Bar"}, {"type": "null"}]}),
        ),
    ] {
        groups.push(group("type.json", description, |_| true, json!({ "value": value })));
    }
    groups
}

#[test]
#[expect(clippy::print_stdout, reason = "it says how much it tested")]
fn generated_validators_pass_the_suite_for_every_keyword() {
    let Some(suite) = suite() else { return };
    let mut source = format!(
        "#![allow(warnings)]\n#[path = {:?}] mod bytes;\n",
        super::super::super::root().join("crates/license-validate/src/bytes/mod.rs")
    );
    let (mut documents, mut arms) = (Vec::new(), String::new());
    for (index, group) in groups().into_iter().enumerate() {
        let Group { file, description, mut definitions, applies } = group;
        // What needs no name of its own stands in a member, and so do the suite's values.
        let subject = definitions["Subject"].as_object_mut().unwrap();
        let of_value = |value| object(json!({ "value": value }), json!(["value"]), false);
        let member = subject.remove("member").or_else(|| subject.remove("value").map(of_value));
        let wrap = member.map(|member| {
            subject.extend(member.as_object().unwrap().clone());
            r#"{"value":@}"#
        });
        let functions =
            all_functions(&definitions).unwrap_or_else(|error| panic!("{description}: {error}"));
        let uses = "use crate::bytes::{self, Rest};";
        writeln!(source, "mod g{index} {{ {uses} {functions} }}").unwrap();
        writeln!(arms, "{index} => g{index}::subject,").unwrap();
        let mut schema = definitions["Subject"].clone();
        schema["$defs"] = definitions;
        let reference = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let groups = fs::read_to_string(suite.join(file)).unwrap();
        let groups: Vec<Value> = serde_json::from_str(&groups).unwrap();
        let group = groups.iter().find(|group| group["description"] == description);
        let tests = group.unwrap_or_else(|| panic!("{file}: {description}"))["tests"].as_array();
        for test in tests.unwrap().iter().filter(|test| applies(&test["data"])) {
            let document = match &wrap {
                Some(wrap) => wrap.replace('@', &test["data"].to_string()),
                None => test["data"].to_string(),
            };
            let valid = test["valid"].as_bool().unwrap();
            let value: Value = serde_json::from_str(&document).unwrap();
            assert_eq!(reference.is_valid(&value), valid, "{file}: {description}: {test}");
            documents.push((
                format!("{index} {document}"),
                valid,
                format!("{description}: {test}"),
            ));
        }
    }
    let accepted = run(&(source + &main(&arms)), &documents);
    let mut count = 0;
    for ((_, valid, test), accepted) in documents.iter().zip(&accepted) {
        assert!(!accepted || *valid, "{test}");
        count += usize::from(*accepted);
    }
    let valid = documents.iter().filter(|(_, valid, _)| *valid).count();
    println!("{} tests of the suite, {valid} of them valid, {count} accepted", documents.len());
    assert!(documents.len() > 110 && count * 4 > valid * 3, "{count} of {valid}");
}

fn all_functions(definitions: &Value) -> anyhow::Result<String> {
    let names = definitions.as_object().unwrap().keys();
    names.map(|name| functions(definitions, name)).collect()
}

/// Reads documents, one a line behind the number of its group, and tells which are accepted.
fn main(arms: &str) -> String {
    format!(
        "fn main() {{
            for line in std::io::stdin().lines() {{
                let line = line.unwrap();
                let (group, document) = line.split_once(' ').unwrap();
                let reader: bytes::Reader = match group.parse::<u32>().unwrap() {{
                    {arms} _ => panic!(),
                }};
                println!(\"{{}}\", bytes::accepts(reader, document.as_bytes()));
            }}
        }}"
    )
}

fn run(source: &str, documents: &[(String, bool, String)]) -> Vec<bool> {
    let directory = tempfile::tempdir().unwrap();
    let [file, program] = ["main.rs", "suite"].map(|name| directory.path().join(name));
    fs::write(&file, source).unwrap();
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled =
        Command::new(compiler).args(["--edition=2024", "-o"]).args([&program, &file]).output();
    let compiled = compiled.unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = documents.iter().map(|(line, ..)| line.clone() + "\n").collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "true").collect()
}

fn suite() -> Option<PathBuf> {
    let suite = env::var_os("LICENSE_JSON_SCHEMA_SUITE").map(PathBuf::from);
    if suite.as_deref().is_none_or(|suite| !Path::is_dir(suite)) {
        let missing = "LICENSE_JSON_SCHEMA_SUITE does not say where the JSON Schema test suite is";
        let required = env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "{missing}");
        // Past the capture of the test runner: nobody may believe that this was tested.
        let _ = writeln!(std::io::stderr().lock(), "\nNOT TESTED ON THE SUITE: {missing}");
        return None;
    }
    suite
}
