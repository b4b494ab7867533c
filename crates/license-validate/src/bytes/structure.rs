//! Objects and arrays, and the space between their parts.

use super::{Rest, text};

/// The members of an object that were read, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen(u64);

impl Seen {
    /// Notes a member. One that is there again counts by its last value, and every value is read.
    #[inline]
    pub(crate) fn add(&mut self, member: u32) {
        self.0 |= mask([member]);
    }

    /// Whether all of these were read.
    #[inline]
    pub(crate) fn has<const N: usize>(self, required: [u32; N]) -> bool {
        let required = mask(required);
        self.0 & required == required
    }
}

/// The branches of a union that an object can still be of, one bit each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branches(u64);

impl Branches {
    /// Every branch.
    #[inline]
    pub(crate) fn all() -> Self {
        Self(u64::MAX)
    }

    /// Leaves only these.
    #[inline]
    pub(crate) fn only<const N: usize>(&mut self, left: [u32; N]) {
        self.0 &= mask(left);
    }

    /// Whether the object can be of this one.
    #[inline]
    pub(crate) fn has(self, branch: u32) -> bool {
        self.0 & mask([branch]) != 0
    }
}

#[inline]
fn mask<const N: usize>(bits: [u32; N]) -> u64 {
    bits.into_iter().fold(0, |mask, bit| mask | 1 << bit)
}

/// An object; `member` reads the value of each name.
#[inline]
pub(crate) fn members<'a>(
    input: &'a [u8],
    mut member: impl FnMut(&'a [u8], &'a [u8]) -> Rest<'a>,
) -> Rest<'a> {
    let mut input = space(input.strip_prefix(b"{")?);
    if let [b'}', rest @ ..] = input {
        return Some(rest);
    }
    loop {
        let (name, rest) = text::plain(input)?;
        let value = space(space(rest).strip_prefix(b":")?);
        input = match space(member(name, value)?) {
            [b',', rest @ ..] => space(rest),
            [b'}', rest @ ..] => return Some(rest),
            _ => return None,
        };
    }
}

/// An array; `element` reads each value.
#[inline]
pub(crate) fn elements<'a>(input: &'a [u8], element: impl Fn(&'a [u8]) -> Rest<'a>) -> Rest<'a> {
    let mut input = space(input.strip_prefix(b"[")?);
    if let [b']', rest @ ..] = input {
        return Some(rest);
    }
    loop {
        input = match space(element(input)?) {
            [b',', rest @ ..] => space(rest),
            [b']', rest @ ..] => return Some(rest),
            _ => return None,
        };
    }
}

/// What is left behind any space.
#[inline]
pub(crate) fn space(input: &[u8]) -> &[u8] {
    match input {
        // Every byte of space is at most b' ', and no value begins with one of those.
        [..=b' ', ..] => behind_space(input),
        _ => input,
    }
}

/// Apart from [`space`], which most calls can then inline as one comparison.
#[inline(never)]
fn behind_space(mut input: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = input {
        input = rest;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{accepts, boolean};

    fn pair(input: &[u8]) -> Rest<'_> {
        let mut seen = Seen::default();
        let rest = members(input, |name, value| match name {
            b"a" => {
                seen.add(0);
                boolean(value)
            }
            b"b" => {
                seen.add(1);
                elements(value, boolean)
            }
            _ => None,
        })?;
        seen.has([0]).then_some(rest)
    }

    #[test]
    fn an_object_has_its_members_in_any_order() {
        for document in [
            r#"{"a":true}"#,
            r#"{"b":[],"a":false}"#,
            r#"{"a":true,"b":[true,false]}"#,
            r#"{"a":true,"a":false}"#,
            " {\t\"a\" :\r\n true , \"b\" : [ true , false ] } \n",
        ] {
            assert!(accepts(pair, document.as_bytes()), "{document}");
        }
        for document in [
            "",
            "{",
            "{}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":true"#,
            r#"{"a":true,}"#,
            r#"{,"a":true}"#,
            r#"{"a":true "b":[]}"#,
            r#"{"a":true,"a":1}"#,
            r#"{"a":1,"a":true}"#,
            r#"{"a":true,"c":true}"#,
            r#"{"b":[]}"#,
            r#"{"b":[true,],"a":true}"#,
            r#"{"b":[,true],"a":true}"#,
            r#"{"b":[true false],"a":true}"#,
            r#"{"b":[true}"#,
            r#"{"a":true}}"#,
            r#"{"a":true} x"#,
            r#"{"\u0061":true}"#,
            r#"{a:true}"#,
            r#"{"a":truefalse}"#,
            "{\"a\":\u{a0}true}",
            "\u{feff}{\"a\":true}",
            "{\"a\":\x0btrue}",
        ] {
            assert!(!accepts(pair, document.as_bytes()), "{document}");
        }
    }
}
