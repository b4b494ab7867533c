//! The block that shows an object of License info as JSON with `//` comments.
//!
//! It says a second time what the tables say: names, types and, in comments, what is optional.
//! Older pages show a block that is not JSON; it is reported and not compared.

use super::model::{Kind, Property};
use super::words;

/// One member that the block shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) property: Property,
    /// What is in it, where it is an object or a collection of objects.
    pub(crate) members: Vec<Member>,
}

/// Where a block stops being JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NotJson {
    pub(crate) line: usize,
    pub(crate) expected: &'static str,
}

/// No page nests deeper than a handful of levels.
const DEPTH_MAX: usize = 32;

/// Reads the first block that begins above the line `end`, if there is one.
pub(crate) fn read(text: &str, end: usize) -> Option<Result<Vec<Member>, NotJson>> {
    let mut start = 0;
    for (content, line) in text.split_inclusive('\n').zip(1..end) {
        if content.trim_start().starts_with('{') {
            let value = Reader { rest: &text[start..], line }.value(0);
            return Some(value.map(|(_, members)| members));
        }
        start += content.len();
    }
    None
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Reads a value: its type, and the members of the object that it is or that is its element.
    fn value(&mut self, depth: usize) -> Result<(Kind, Vec<Member>), NotJson> {
        if depth > DEPTH_MAX {
            return Err(self.expected("fewer levels"));
        }
        self.skip_to_token();
        if self.eat("{") {
            return Ok((Kind::Object(Vec::new()), self.members(depth)?));
        }
        if self.eat("[") {
            let (element, members) = self.first_element(depth)?.unzip();
            return Ok((Kind::Collection(element.map(Box::new)), members.unwrap_or_default()));
        }
        let kind = if self.rest.starts_with('"') {
            self.string()?;
            Kind::Text
        } else {
            self.literal()?
        };
        Ok((kind, Vec::new()))
    }

    fn literal(&mut self) -> Result<Kind, NotJson> {
        let is_literal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        let length = self.rest.find(|c| !is_literal(c)).unwrap_or(self.rest.len());
        let (literal, rest) = self.rest.split_at(length);
        let kind = match literal {
            "true" | "false" => Kind::Boolean,
            "null" => Kind::Unknown(literal.to_owned()),
            number if number.parse::<f64>().is_ok() => Kind::Number,
            _ => return Err(self.expected("a value")),
        };
        self.rest = rest;
        Ok(kind)
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, NotJson> {
        let mut all = Vec::new();
        loop {
            self.skip_to_token();
            if self.eat("}") {
                return Ok(all);
            }
            let line = self.line;
            let name = self.string()?.to_owned();
            self.skip_to_token();
            if !self.eat(":") {
                return Err(self.expected("`:`"));
            }
            let (kind, members) = self.value(depth + 1)?;
            let (is_last, optional) = self.after_value();
            all.push(Member { property: Property { name, kind, optional, line }, members });
            if is_last && !self.rest.starts_with('}') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn first_element(&mut self, depth: usize) -> Result<Option<(Kind, Vec<Member>)>, NotJson> {
        let mut first = None;
        loop {
            self.skip_to_token();
            if self.eat("]") {
                return Ok(first);
            }
            let element = self.value(depth + 1)?;
            first.get_or_insert(element);
            let (is_last, _) = self.after_value();
            if is_last && !self.rest.starts_with(']') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    /// Goes to the next token, and tells whether no comma was on the way, and whether a comment on
    /// the line where the value ended says that it is optional.
    fn after_value(&mut self) -> (bool, bool) {
        let (end, mut is_last, mut optional) = (self.line, true, false);
        loop {
            self.skip_spaces();
            if self.eat(",") {
                is_last = false;
            } else if let Some(comment) = self.comment() {
                optional |= self.line == end && words::is_optional(comment);
            } else {
                return (is_last, optional);
            }
        }
    }

    /// Skips spaces, comments and the `...` that stands for what is left out.
    fn skip_to_token(&mut self) {
        loop {
            self.skip_spaces();
            if self.comment().is_none() && !self.eat("...") {
                return;
            }
        }
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest.trim_start();
        let spaces = &self.rest[..self.rest.len() - rest.len()];
        self.line += spaces.matches('\n').count();
        self.rest = rest;
    }

    fn comment(&mut self) -> Option<&'a str> {
        let comment = self.rest.strip_prefix("//")?;
        let (comment, rest) = comment.split_at(comment.find('\n').unwrap_or(comment.len()));
        self.rest = rest;
        Some(comment)
    }

    fn string(&mut self) -> Result<&'a str, NotJson> {
        let content = self.rest.strip_prefix('"').ok_or_else(|| self.expected("`\"`"))?;
        let mut is_escaped = false;
        for (at, character) in content.char_indices() {
            match character {
                '\n' => break,
                '"' if !is_escaped => {
                    self.rest = &content[at + 1..];
                    return Ok(&content[..at]);
                }
                _ => is_escaped = character == '\\' && !is_escaped,
            }
        }
        Err(self.expected("a string that ends"))
    }

    fn eat(&mut self, token: &str) -> bool {
        self.rest.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn expected(&self, expected: &'static str) -> NotJson {
        NotJson { line: self.line, expected }
    }
}
