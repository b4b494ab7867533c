//! Values that a schema describes, and a few that it does not.

use fastrand::Rng;
use serde_json::{Map, Value};

use super::{node::Node, sample};

/// Makes values of one schema document.
pub(super) struct Generator<'a> {
    root: &'a Value,
    rng: &'a mut Rng,
    /// The chance of something odd, at each place where something can be.
    oddity: f64,
}

impl<'a> Generator<'a> {
    pub(super) fn new(root: &'a Value, rng: &'a mut Rng, oddity: f64) -> Generator<'a> {
        Generator { root, rng, oddity }
    }

    pub(super) fn document(mut self) -> Node {
        self.value(self.root)
    }

    fn value(&mut self, schema: &Value) -> Node {
        if self.odd() {
            return self.anything(3);
        }
        if let Some(target) = schema["$ref"].as_str() {
            return self.value(self.root.pointer(&target[1..]).unwrap());
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            let branch = self.rng.choice(branches).unwrap();
            return self.value(branch);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) if self.rng.u8(..8) > 0 => kinds[0].as_str(),
            Value::Array(kinds) => self.rng.choice(kinds).unwrap().as_str(),
            kind => kind.as_str(),
        };
        match kind {
            Some("object") => self.object(schema),
            Some("array") => {
                let count = self.rng.usize(..4);
                Node::Array((0..count).map(|_| self.value(&schema["items"])).collect())
            }
            Some("string") => Node::Text(self.text(schema)),
            Some("integer") => {
                let odd = self.odd();
                Node::Word(sample::integer(schema, self.rng, odd))
            }
            Some("boolean") => Node::Word(self.rng.bool().to_string()),
            Some("null") => Node::Word("null".to_owned()),
            other => panic!("the schemas have no type {other:?}"),
        }
    }

    fn object(&mut self, schema: &Value) -> Node {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == name))
        };
        let mut members = Vec::new();
        for (name, schema) in properties {
            let wanted = match schema {
                Value::Bool(_) => self.odd(),
                _ => (required(name) || self.rng.bool()) && !self.odd(),
            };
            if wanted {
                let value = match schema {
                    Value::Bool(_) => self.anything(2),
                    schema => self.value(schema),
                };
                members.push((name.clone(), value));
            }
        }
        let open = schema["additionalProperties"] == true;
        while self.odd() || open && self.rng.u8(..6) == 0 {
            let name = self.name(properties);
            let value = self.anything(4);
            members.push((name, value));
        }
        if self.rng.u8(..4) == 0 {
            self.rng.shuffle(&mut members);
        }
        if self.odd() && !members.is_empty() {
            let (name, mut value) = self.rng.choice(&members).unwrap().clone();
            if self.rng.bool() {
                value = self.anything(1);
            }
            let place = self.rng.usize(..=members.len());
            members.insert(place, (name, value));
        }
        Node::Object(members)
    }

    /// The name of a member that no property describes, most of the time.
    fn name(&mut self, properties: &Map<String, Value>) -> String {
        match self.rng.u8(..6) {
            0 => sample::text(self.rng),
            1 => "ID".to_owned(),
            2 => "products".to_owned(),
            3 if !properties.is_empty() => {
                let place = self.rng.usize(..properties.len());
                properties.keys().nth(place).unwrap().to_ascii_lowercase()
            }
            _ => (*self.rng.choice(&["x", "note", "userAgent", "sessionID", "kind"]).unwrap())
                .to_owned(),
        }
    }

    fn text(&mut self, schema: &Value) -> String {
        let odd = self.odd();
        let mut text = if let Some(word) = schema["const"].as_str() {
            word.to_owned()
        } else if let Some(words) = schema["enum"].as_array() {
            self.rng.choice(words).unwrap().as_str().unwrap().to_owned()
        } else if schema["format"] == "date-time" {
            sample::date_time(self.rng)
        } else if let Some(pattern) = schema["pattern"].as_str() {
            // Both ways to make one: a date-time is a pattern in one of the profiles.
            if pattern.contains("[Tt]") && self.rng.bool() {
                sample::date_time(self.rng)
            } else {
                sample::pattern(pattern, self.rng)
            }
        } else if let (Some(minimum), Some(maximum)) =
            (schema["minLength"].as_u64(), schema["maxLength"].as_u64())
        {
            sample::text_of(minimum, maximum, self.rng)
        } else {
            sample::text(self.rng)
        };
        if odd {
            match self.rng.u8(..5) {
                0 => text.clear(),
                1 => text.push('x'),
                2 => text = text.to_ascii_uppercase(),
                3 => text.push('\n'),
                _ => text = sample::text(self.rng),
            }
        }
        text
    }

    /// Any JSON of at most so many levels.
    fn anything(&mut self, depth: usize) -> Node {
        const WORDS: [&str; 18] = [
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1.5",
            "1e2",
            "-0.0",
            "1e400",
            "123456789012345678901234567890",
            "1E-7",
            "nul",
            "1.",
            "-",
            "01",
            "1e",
            ".5",
            "1e+",
        ];
        match self.rng.u8(..if depth == 0 { 6 } else { 8 }) {
            0..3 => Node::Text(sample::text(self.rng)),
            3..6 => Node::Word((*self.rng.choice(&WORDS).unwrap()).to_owned()),
            6 => {
                let count = self.rng.usize(..3);
                Node::Array((0..count).map(|_| self.anything(depth - 1)).collect())
            }
            _ => {
                let count = self.rng.usize(..3);
                let member = |_| (sample::text(self.rng), self.anything(depth - 1));
                Node::Object((0..count).map(member).collect())
            }
        }
    }

    fn odd(&mut self) -> bool {
        self.oddity > 0.0 && self.rng.f64() < self.oddity
    }
}
