//! Values close to a schema's examples, on both sides of every keyword.
//!
//! A mutant is a value with marks that only a text can hold: a string `@raw:1e2` stands for the
//! bare text `1e2`, and a member `@dup:type` for a second member `type`. [`text`] writes them out.

use serde_json::{Map, Value, json};

/// The text of a mutant.
pub(crate) fn text(mutant: &Value) -> String {
    let mut text = mutant.to_string().replace("\"@dup:", "\"");
    while let Some((before, rest)) = text.split_once("\"@raw:") {
        let (raw, after) = rest.split_once('"').expect("a raw text holds no quote");
        text = format!("{before}{raw}{after}");
    }
    text
}

/// Every text has a type of its own, where it stands at the top and gets every mutant; inside of
/// others a sample is enough to show that the type is used there.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Top,
    Inside,
}

/// Makes mutants of the values of one document.
pub(crate) struct Mutator<'a> {
    root: &'a Value,
    /// Members of any object of the document with a value that is valid there: those of the other
    /// shapes of a union are among them.
    strangers: Map<String, Value>,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        let mut mutator = Self { root, strangers: Map::new() };
        let definitions = root["$defs"].as_object().into_iter().flat_map(Map::values);
        for schema in definitions.chain([root]) {
            let properties = schema["properties"].as_object().into_iter().flatten();
            for (name, property) in properties.filter(|(_, it)| it.is_object()) {
                mutator.strangers.insert(name.clone(), mutator.sample(property));
            }
        }
        mutator
    }

    /// All mutants of the document's examples, the examples among them.
    pub(crate) fn all(&self) -> Vec<Value> {
        let root = self.resolve(self.root);
        let mut all = Vec::new();
        for example in root["examples"].as_array().into_iter().flatten() {
            all.push(example.clone());
            all.extend(self.mutants(root, example, Depth::Top));
        }
        all
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(target) => self.resolve(self.root.pointer(&target[1..]).unwrap()),
            None => schema,
        }
    }

    /// A valid value.
    fn sample(&self, schema: &'a Value) -> Value {
        let schema = self.resolve(schema);
        match (&schema["examples"][0], schema["type"].as_str()) {
            (Value::Null, Some("string")) => {
                schema.get("const").cloned().unwrap_or_else(|| json!("some text"))
            }
            (Value::Null, Some("boolean")) => json!(true),
            (Value::Null, Some("array")) => json!([self.sample(&schema["items"])]),
            (Value::Null, _) => self.sample(&schema["oneOf"][0]),
            (example, _) => example.clone(),
        }
    }

    /// Values to stand in the place of `base`.
    fn mutants(&self, schema: &'a Value, base: &Value, depth: Depth) -> Vec<Value> {
        let schema = self.resolve(schema);
        let mut mutants = wrong_kinds();
        if let Some(words) = schema["enum"].as_array() {
            mutants.extend(words.iter().flat_map(neighbors));
            mutants.extend(words.iter().cloned());
        }
        if let Some(only) = schema.get("const") {
            mutants.extend(neighbors(only));
        }
        if let (Some(minimum), Some(maximum)) =
            (schema["minimum"].as_i64(), schema["maximum"].as_i64())
        {
            mutants.extend(integers(minimum, maximum));
        }
        if let (Some(minimum), Some(maximum)) =
            (schema["minLength"].as_u64(), schema["maxLength"].as_u64())
        {
            mutants.extend(lengths(minimum as usize, maximum as usize));
        }
        if schema.get("pattern").is_some() || schema.get("format").is_some() {
            let near = near_texts(base.as_str().unwrap_or_default());
            let step = if depth == Depth::Top { 1 } else { 11 };
            mutants.extend(near.into_iter().step_by(step));
        }
        for branch in schema["oneOf"].as_array().into_iter().flatten() {
            let sample = self.sample_of_branch(branch);
            mutants.extend(self.mutants(branch, &sample, Depth::Inside));
            mutants.push(sample);
        }
        match base {
            Value::Object(members) if schema["properties"].is_object() => {
                self.objects(schema, members, &mut mutants);
            }
            Value::Array(items) => self.arrays(schema, items, &mut mutants),
            _ => {}
        }
        mutants
    }

    fn sample_of_branch(&self, branch: &'a Value) -> Value {
        if branch["type"] == "null" { Value::Null } else { self.sample(branch) }
    }

    fn objects(&self, schema: &'a Value, base: &Map<String, Value>, mutants: &mut Vec<Value>) {
        let mut push = |members: Map<String, Value>| mutants.push(Value::Object(members));
        push(base.clone().into_iter().rev().collect());
        for name in base.keys() {
            let mut dropped = base.clone();
            dropped.shift_remove(name);
            push(dropped);
            for (index, wrong) in [json!(null), json!({"wrong": []})].into_iter().enumerate() {
                // A second member of the name, invalid before the valid one and after it.
                let mut twice = base.clone();
                twice.shift_insert(index * base.len(), format!("@dup:{name}"), wrong);
                push(twice);
            }
        }
        for (name, value) in [("x", json!(1)), ("Type", json!([{}])), ("", json!(null))] {
            let mut more = base.clone();
            more.shift_insert(0, name.to_owned(), value);
            push(more);
        }
        let mut full = base.clone();
        for (name, value) in &self.strangers {
            if !base.contains_key(name) {
                let mut more = base.clone();
                more.insert(name.clone(), value.clone());
                push(more);
                let mut null = base.clone();
                null.insert(name.clone(), Value::Null);
                push(null);
                full.insert(name.clone(), value.clone());
            }
        }
        push(full);
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, property) in properties.filter(|(_, it)| it.is_object()) {
            let value = base.get(name).cloned().unwrap_or_else(|| self.sample(property));
            for mutant in self.mutants(property, &value, Depth::Inside) {
                let mut members = base.clone();
                members.insert(name.clone(), mutant);
                push(members);
            }
        }
    }

    fn arrays(&self, schema: &'a Value, base: &[Value], mutants: &mut Vec<Value>) {
        mutants.push([base, base].concat().into());
        let item = self.sample(&schema["items"]);
        let base = if base.is_empty() { std::slice::from_ref(&item) } else { base };
        for mutant in self.mutants(&schema["items"], &base[0], Depth::Inside) {
            let mut items = base.to_vec();
            items[0] = mutant;
            mutants.push(items.into());
        }
    }
}

fn wrong_kinds() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1.5),
        json!(""),
        json!("null"),
        json!([]),
        json!([null]),
        json!({}),
    ]
}

fn integers(minimum: i64, maximum: i64) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for bound in [minimum, maximum] {
        for integer in [bound - 1, bound, bound + 1] {
            all.push(json!(integer));
            all.push(json!(integer as f64));
            all.push(json!(integer.to_string()));
        }
    }
    let raw = [
        "15.0",
        "1e2",
        "1E2",
        "2.5e1",
        "100e-2",
        "-0",
        "-0.0",
        "0.0",
        "0e0",
        "1.0000000000000002",
        "15.000000000000001",
        "1e19",
        "-1e19",
        "1e308",
        "-1e308",
        "1e309",
        "01",
        "+1",
        "1.",
        ".5",
        "0x1F",
        "NaN",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "9007199254740992",
        "9007199254740991.0",
        "9007199254740991.4",
        "1e-400",
        "123456789012345678901234567890",
        "1000000000000000000000e-20",
    ];
    all.extend(raw.map(|raw| json!(format!("@raw:{raw}"))));
    all
}

fn lengths(minimum: usize, maximum: usize) -> Vec<Value> {
    let mut all = Vec::new();
    // A combining accent is a code point of its own; an emoji is one in four bytes.
    for letter in ["a", "é", "e\u{301}", "🦀"] {
        let points = letter.chars().count();
        for count in
            [minimum.saturating_sub(1), minimum, minimum + 1, maximum - 1, maximum, maximum + 1]
        {
            all.push(json!(letter.repeat(count.div_ceil(points))));
        }
    }
    all
}

/// Words close to one.
fn neighbors(word: &Value) -> Vec<Value> {
    let word = word.as_str().unwrap_or_default();
    let swapped = |letter: char| {
        if letter.is_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        }
    };
    let mut all = vec![
        word.to_uppercase(),
        word.chars().map(swapped).collect(),
        format!("{word} "),
        format!("{word}\u{0}"),
        format!("{word}{word}"),
        word[..word.len() - 1].to_owned(),
        word.replace('_', "-"),
        "standalone".to_owned(),
    ];
    all.retain(|it| it != word);
    all.into_iter().map(Value::from).collect()
}

/// Texts close to one that a pattern or a format allows.
fn near_texts(base: &str) -> Vec<Value> {
    let letters: Vec<char> = base.chars().collect();
    let mut all: Vec<String> = Vec::new();
    for place in 0..letters.len() {
        let (before, after) = (&letters[..place], &letters[place + 1..]);
        for other in [
            "", "g", "G", "A", "f", "0", "9", "7", "-", ":", ".", " ", "\n", "é", "٣", "ｆ", "@",
            "/",
        ] {
            all.push(before.iter().collect::<String>() + other + &after.iter().collect::<String>());
        }
    }
    for other in ["a", "0", "-", "_", " ", "\n", "\r\n", "\u{0}", "é", "Z", "."] {
        all.push(format!("{base}{other}"));
        all.push(format!("{other}{base}"));
    }
    all.push(base.to_lowercase());
    all.push(base.to_uppercase());
    all.push(base.repeat(2));
    all.push(base.repeat(130));
    all.extend([127, 128, 129].map(|count| "a".repeat(count)));
    all.extend(ODDITIES.map(str::to_owned));
    all.into_iter().map(Value::from).collect()
}

/// Date-times on both sides of RFC 3339 and of the wider observed form, and spellings of UUIDs.
const ODDITIES: [&str; 66] = [
    "2021-12-01T15:36:42Z",
    "2021-12-01t15:36:42z",
    "2021-12-01T15:36:42z",
    "2021-12-01T15:36:42+01:00",
    "2021-12-01T15:36+01:00",
    "2021-12-01T15:36Z",
    "2021-12-01t15:36z",
    "2021-12-01T15Z",
    "2021-12-01T15:36:42",
    "2021-12-01T15:36",
    "2021-12-01",
    "2021-12-01 15:36:42Z",
    "2021-12-01T15:36:42 Z",
    "2021-12-01T15:36:42.1Z",
    "2021-12-01T15:36:42.123456789012345678901234567890Z",
    "2021-12-01T15:36:42.Z",
    "2021-12-01T15:36:42,1Z",
    "2021-12-01T15:36.5Z",
    "2021-12-01T15:36:42+24:00",
    "2021-12-01T15:36:42+23:59",
    "2021-12-01T15:36:42-23:59",
    "2021-12-01T15:36:42+01:60",
    "2021-12-01T15:36:42+0100",
    "2021-12-01T15:36:42+01",
    "2021-12-01T15:36:42+1:00",
    "2021-12-01T15:36:42-00:00",
    "2021-12-01T15:36:42Z+01:00",
    "2021-12-01T24:00:00Z",
    "2021-12-01T23:60:00Z",
    "2021-12-01T00:00:00Z",
    "2021-02-28T00:00:00Z",
    "2021-02-29T00:00:00Z",
    "2021-02-30T00:00:00Z",
    "2020-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "2021-04-31T00:00:00Z",
    "2021-01-32T00:00:00Z",
    "2021-00-01T00:00:00Z",
    "2021-13-01T00:00:00Z",
    "2021-01-00T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0000-02-29T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "10000-01-01T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "1998-12-31T23:59:60Z",
    "1998-12-31T23:59:60.5Z",
    "1998-12-31T23:59:61Z",
    "1998-12-31T22:59:60Z",
    "1998-12-31T23:58:60Z",
    "1998-12-31T15:59:60-08:00",
    "1998-12-31T15:59:60+08:00",
    "1999-01-01T00:59:60+01:00",
    "1999-01-01T05:29:60+05:30",
    "1998-12-31T00:00:60+00:01",
    "1998-12-31T23:29:60-00:30",
    "1998-12-31T00:29:60+00:30",
    "20211201T153642Z",
    "2021-W48-3T15:36:42Z",
    "2021-335T15:36:42Z",
    "3C81A8D7-AFE6-4C2E-9CCF-FCDC35DC52F5",
    "3c81a8d7-afe6-4c2e-9ccf-fcdc35dc52f5",
    "3C81A8D7AFE6-4C2E-9CCF-FCDC35DC52F5",
    "{3C81A8D7-AFE6-4C2E-9CCF-FCDC35DC52F5}",
    "urn:uuid:3C81A8D7-AFE6-4C2E-9CCF-FCDC35DC52F5",
];
