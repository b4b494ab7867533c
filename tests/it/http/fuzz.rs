//! Everything that the description allows, and much that it does not, against the real server: no
//! fault of ours, and no answer that the description does not promise.
//!
//! `LICENSE_FUZZ_REQUESTS=1000000 cargo test -p license-tests --test it http::fuzz -- --nocapture`
//! runs longer; `LICENSE_FUZZ_SEED` repeats a run.

use std::collections::BTreeMap;
use std::env;

use fastrand::Rng;
use jsonschema::Validator;
use license_pool::CredentialRole;
use serde_json::{Map, Value, json};

use super::world::{Answer, SAMPLE, World};

const REQUESTS: u64 = 3000;
const SEED: u64 = 7427;

#[test]
fn no_request_finds_a_fault_or_an_answer_that_is_not_described() {
    let number = |name: &str, default| {
        env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let seed = number("LICENSE_FUZZ_SEED", SEED);
    let requests = number("LICENSE_FUZZ_REQUESTS", REQUESTS);
    let world = World::sample();
    let mut fuzzer = Fuzzer::new(&world, seed);
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for index in 0..requests {
        let (request, answer) = fuzzer.ask();
        let status = answer.status.as_u16();
        *statuses.entry(status).or_default() += 1;
        if let Err(fault) = fuzzer.judge(&request.operation, &answer) {
            panic!(
                "{fault}\nrequest {index} of seed {seed}: {request:#?}\n{status} {}",
                answer.text
            );
        }
    }
    println!("{requests} requests of seed {seed}: {statuses:?}");
    for status in [200, 201, 400, 401, 403, 404, 409, 422] {
        assert!(statuses.contains_key(&status), "nothing led to {status}: {statuses:?}");
    }
}

/// Texts that have broken others.
const TEXTS: [&str; 13] = [
    "",
    "a",
    "\0",
    "a\u{0}b",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "\u{202e}txet",
    "\r\nset-cookie: a=b",
    "%00",
    "%",
    "9999999999999999999999",
    "=cmd|' /C calc'!A0",
];

struct Fuzzer<'a> {
    world: &'a World,
    description: Value,
    operations: Vec<(String, String, Value)>,
    secrets: Vec<String>,
    validators: BTreeMap<String, Validator>,
    rng: Rng,
}

#[derive(Debug)]
struct Asked {
    operation: String,
    #[expect(dead_code, reason = "shown when something is wrong")]
    line: String,
    #[expect(dead_code, reason = "shown when something is wrong")]
    body: Option<String>,
}

impl<'a> Fuzzer<'a> {
    fn new(world: &'a World, seed: u64) -> Fuzzer<'a> {
        let description = world.get("/openapi.json").value();
        let mut operations = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        let roles = [CredentialRole::Client, CredentialRole::Viewer];
        let secrets = roles.map(|role| world.make(role)).to_vec();
        let (validators, rng) = (BTreeMap::new(), Rng::with_seed(seed));
        Fuzzer { world, description, operations, secrets, validators, rng }
    }

    /// One request, and what came back.
    fn ask(&mut self) -> (Asked, Answer) {
        let (method, path, operation) = self.rng.choice(&self.operations).unwrap().clone();
        let mut line = path;
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let value = encoded(&self.parameter(name, &parameter["schema"]));
            match parameter["in"].as_str().unwrap() {
                "path" => line = line.replace(&format!("{{{name}}}"), &value),
                "query" if self.rng.u8(..4) == 0 => query.push(format!("{name}={value}")),
                _ => {}
            }
        }
        if self.rng.u8(..50) == 0 {
            query.push(format!("{}={}", encoded(&self.text()), encoded(&self.text())));
        }
        if !query.is_empty() {
            line = format!("{line}?{}", query.join("&"));
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = match schema {
            Value::Null => None,
            _ if self.rng.u8(..30) == 0 => None,
            schema => Some(self.body(schema)),
        };
        let mut ask = self.world.ask(&method, &line);
        if let Some(body) = &body {
            ask = ask.body(body);
        }
        ask = match self.rng.u8(..12) {
            0 => ask.nobody(),
            1 => ask.credential(&self.secrets[0]),
            2 => ask.credential(&self.secrets[1]),
            3 => ask.header("accept", "application/x-ndjson"),
            4 => ask.header("last-event-id", &self.rng.u8(..).to_string()),
            5 => ask.header("content-type", "text/plain"),
            _ => ask,
        };
        let operation = operation["operationId"].as_str().unwrap().to_owned();
        let answer = ask.begun();
        (Asked { operation, line: format!("{method} {line}"), body }, answer)
    }

    fn body(&mut self, schema: &Value) -> String {
        if schema["$ref"].as_str().is_some_and(|it| it.ends_with("/LicenseInfo"))
            && self.rng.u8(..3) == 0
        {
            return SAMPLE.to_owned();
        }
        let mut value = self.value(&schema.clone());
        if self.rng.u8(..4) == 0 {
            self.spoil(&mut value);
        }
        let mut text = value.to_string();
        if self.rng.u8(..20) == 0 {
            let mut at = self.rng.usize(..=text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.truncate(at);
        }
        text
    }

    /// A value for a part of the path or the query: mostly one that leads somewhere.
    fn parameter(&mut self, name: &str, schema: &Value) -> String {
        if self.rng.u8(..10) == 0 {
            return match self.value(&schema.clone()) {
                Value::String(text) => text,
                other => other.to_string(),
            };
        }
        if self.rng.u8(..20) == 0 {
            return self.text();
        }
        let likely: &[&str] = match name {
            "n" => &["active", "active", "SAMPLE-0001", "none"],
            "sid" | "session" => &["s1", "s2", "s3", "s4", "s5"],
            "id" | "product" => &["0009", "0025", "0007", "808464441", "0001"],
            "token" => &["1", "2", "3", "4", "5", "6", "7"],
            "name" => &["license-usage", "entry", "nothing"],
            "asset" => &["index.html", "app.js", "style.css", "nothing"],
            "server" => &["all", "nobody"],
            "replaces" => &["SAMPLE-0001", "none"],
            "dryRun" => &["true", "false"],
            "wait" => &["0s", "1ms", "0"],
            "kind" => &["retained", "retained,released", "nothing"],
            "from" | "to" => &["2026-01-01", "2026-01-05T10:00:00Z", "2026-13-01"],
            "profile" => &["documented", "observed"],
            _ => &["0", "1", "2", "9007199254740991", "9007199254740992", "-1"],
        };
        (*self.rng.choice(likely).unwrap()).to_owned()
    }

    /// A value as the schema wants it, where that is easy.
    fn value(&mut self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self.description.pointer(&reference[1..]).unwrap().clone();
            return self.value(&schema);
        }
        for choices in [&schema["oneOf"], &schema["enum"]] {
            if let Some(choices) = choices.as_array() {
                let choice = self.rng.choice(choices).unwrap().clone();
                return if choice.is_object() { self.value(&choice) } else { choice };
            }
        }
        if let Some(examples) = schema["examples"].as_array()
            && self.rng.bool()
        {
            return self.rng.choice(examples).unwrap().clone();
        }
        match schema["type"].as_str() {
            Some("object") => {
                let mut object = Map::new();
                for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                    let required = schema_requires(&schema.clone(), name);
                    if required || self.rng.u8(..4) > 0 {
                        let value = self.value(schema);
                        object.insert(name.clone(), value);
                    }
                }
                object.into()
            }
            Some("array") => {
                let count = self.rng.usize(..4);
                (0..count).map(|_| self.value(&schema["items"])).collect()
            }
            Some("integer" | "number") => {
                let edge = |name: &str| schema[name].as_i64();
                let (least, most) =
                    (edge("minimum").unwrap_or(0), edge("maximum").unwrap_or(1 << 53));
                match self.rng.u8(..4) {
                    0 => least.into(),
                    1 => most.into(),
                    2 => (least - 1).into(),
                    _ => self.rng.i64(least..=most).into(),
                }
            }
            Some("boolean") => self.rng.bool().into(),
            Some("null") => Value::Null,
            _ => self.text().into(),
        }
    }

    /// Breaks a value somewhere.
    fn spoil(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.rng.u8(..3) > 0 => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.rng.choice(&names).unwrap();
                match self.rng.u8(..3) {
                    0 => drop(members.shift_remove(name)),
                    1 => drop(members.insert(self.text(), Value::Null)),
                    _ => self.spoil(members.get_mut(name).unwrap()),
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.rng.usize(..items.len());
                self.spoil(&mut items[at]);
            }
            _ => {
                let others =
                    [json!(null), json!(-1), json!(1.5), json!(1e300), json!([]), json!({})];
                *value = match self.rng.u8(..3) {
                    0 => self.text().into(),
                    _ => self.rng.choice(&others).unwrap().clone(),
                };
            }
        }
    }

    fn text(&mut self) -> String {
        match self.rng.usize(..TEXTS.len() + 2) {
            0 => "ä".repeat(300),
            1 => "🦀".repeat(1200),
            at => TEXTS[at - 2].to_owned(),
        }
    }

    /// Whether an answer is one that the description promises.
    fn judge(&mut self, id: &str, answer: &Answer) -> Result<(), String> {
        let status = answer.status.as_u16();
        if status >= 500 {
            return Err("a fault of ours".to_owned());
        }
        let of_id = |(_, _, it): &&(String, String, Value)| it["operationId"] == id;
        let (_, _, operation) = self.operations.iter().find(of_id).unwrap();
        let media = answer.header("content-type").split(';').next().unwrap();
        // A path that means another operation once it is decoded is answered as that one.
        let promised = &operation["responses"][&status.to_string()];
        let content = promised["content"].get(media).or_else(|| promised["content"].get("*/*"));
        let Some(content) = content else {
            let elsewhere = media == "application/problem+json" && matches!(status, 404 | 405);
            return if elsewhere { Ok(()) } else { Err(format!("{media} is not promised")) };
        };
        let schema = &content["schema"];
        if schema.is_null() {
            return Ok(());
        }
        if status >= 400 {
            let code = answer.value()["code"].clone();
            let codes = promised["x-codes"].as_array().unwrap();
            if !codes.contains(&code) && code != "not_found" {
                return Err(format!("the code {code} is not promised"));
            }
        }
        let name = schema.to_string();
        let validator = self.validators.entry(name.clone()).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = self.description["components"].clone();
            jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
        });
        let lines: Vec<&str> = match media {
            "application/x-ndjson" => answer.text.lines().collect(),
            "text/event-stream" => {
                answer.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
            }
            _ => vec![&answer.text],
        };
        for line in lines {
            let value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            if let Some(error) = validator.iter_errors(&value).next() {
                return Err(format!("{name} is broken: {error}"));
            }
        }
        Ok(())
    }
}

/// Those that tell a union's branches are given more often than chance would.
fn schema_requires(schema: &Value, name: &str) -> bool {
    schema["const"].is_string() || matches!(name, "session" | "sessions" | "sessionId")
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
