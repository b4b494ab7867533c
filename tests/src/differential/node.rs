//! JSON that keeps how it is to be written.

use fastrand::Rng;

/// A value; members can repeat, and a number is any text.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A number or literal, as it is written.
    Word(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// How a document is written.
struct Style {
    /// The chance of space at each place that allows it.
    space: f64,
    /// The chance that a character is escaped without need.
    escape: f64,
}

impl Node {
    pub(super) fn written(&self, rng: &mut Rng) -> Vec<u8> {
        let style = match rng.u8(..10) {
            0..6 => Style { space: 0.0, escape: 0.0 },
            6..8 => Style { space: 0.5 * rng.f64(), escape: 0.0 },
            _ => Style { space: 0.2 * rng.f64(), escape: 0.05 * rng.f64() },
        };
        let mut text = String::new();
        style.space(&mut text, rng);
        style.write(self, &mut text, rng);
        style.space(&mut text, rng);
        text.into_bytes()
    }
}

impl Style {
    fn write(&self, node: &Node, text: &mut String, rng: &mut Rng) {
        match node {
            Node::Word(word) => text.push_str(word),
            Node::Text(content) => self.string(content, text, rng),
            Node::Array(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index, text, rng);
                    self.write(item, text, rng);
                }
                self.space(text, rng);
                text.push(']');
            }
            Node::Object(members) => {
                text.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    self.separate(index, text, rng);
                    self.string(name, text, rng);
                    self.space(text, rng);
                    text.push(':');
                    self.space(text, rng);
                    self.write(value, text, rng);
                }
                self.space(text, rng);
                text.push('}');
            }
        }
    }

    fn separate(&self, index: usize, text: &mut String, rng: &mut Rng) {
        self.space(text, rng);
        if index > 0 {
            text.push(',');
            self.space(text, rng);
        }
    }

    fn space(&self, text: &mut String, rng: &mut Rng) {
        while rng.f64() < self.space {
            text.push(*rng.choice(&[' ', '\n', '\t', '\r']).unwrap());
        }
    }

    fn string(&self, content: &str, text: &mut String, rng: &mut Rng) {
        text.push('"');
        for letter in content.chars() {
            let short = match letter {
                '"' | '\\' => Some(letter),
                '\n' => Some('n'),
                '\t' => Some('t'),
                '/' if rng.f64() < self.escape => Some('/'),
                _ => None,
            };
            if let Some(short) = short {
                text.extend(['\\', short]);
            } else if letter < ' ' || rng.f64() < self.escape {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                text.push(letter);
            }
        }
        text.push('"');
    }
}
