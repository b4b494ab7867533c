//! Patterns → code: each part takes bytes from the start of the text and returns the rest.
//!
//! A part takes what it can and is never asked again to take less, so the code may doubt a text
//! that fits, and never accepts one that does not. Every class is of ASCII, so bytes are characters.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote};

/// An expression that takes the whole pattern from `text`; none for one that is not anchored at
/// both ends, or repeats more than a class.
pub(crate) fn code(pattern: &str) -> Option<TokenStream> {
    let mut rest = pattern.strip_prefix('^')?.strip_suffix('$')?.as_bytes();
    let part = sequence(&mut rest)?;
    rest.is_empty().then(|| part.statements())
}

enum Part {
    /// Bytes of a class of ranges: how many at least and at most.
    Class {
        ranges: Vec<(u8, u8)>,
        minimum: u32,
        maximum: Option<u32>,
    },
    Sequence(Vec<Part>),
    Either(Box<Part>, Box<Part>),
    Optional(Box<Part>),
}

fn alternatives(input: &mut &[u8]) -> Option<Part> {
    let first = sequence(input)?;
    match input.strip_prefix(b"|") {
        None => Some(first),
        Some(rest) => {
            *input = rest;
            Some(Part::Either(Box::new(first), Box::new(alternatives(input)?)))
        }
    }
}

fn sequence(input: &mut &[u8]) -> Option<Part> {
    let mut parts = Vec::new();
    while let Some((first, rest)) = input.split_first()
        && !matches!(first, b'|' | b')')
    {
        *input = rest;
        let part = match first {
            b'(' => {
                let group = alternatives(input)?;
                *input = input.strip_prefix(b")")?;
                group
            }
            b'[' => class(input)?,
            b'.' | b'\\' | b'^' | b'$' | b'*' | b'+' | b'?' | b'{' | b'}' | b']' => return None,
            letter => {
                Part::Class { ranges: vec![(*letter, *letter)], minimum: 1, maximum: Some(1) }
            }
        };
        parts.push(repeated(part, input)?);
    }
    Some(Part::Sequence(parts))
}

/// The rest of a class.
fn class(input: &mut &[u8]) -> Option<Part> {
    let end = input.iter().position(|byte| *byte == b']')?;
    let (mut class, rest) = input.split_at(end);
    *input = &rest[1..];
    let mut ranges = Vec::new();
    while let [first, behind @ ..] = class {
        class = behind;
        let mut last = first;
        if let [b'-', end, behind @ ..] = class {
            (last, class) = (end, behind);
        }
        let plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | b'^' | b'[');
        if !plain(first) || !plain(last) {
            return None;
        }
        ranges.push((*first, *last));
    }
    (!ranges.is_empty()).then_some(Part::Class { ranges, minimum: 1, maximum: Some(1) })
}

/// The part with the count that follows it, if any.
fn repeated(part: Part, input: &mut &[u8]) -> Option<Part> {
    let (minimum, maximum) = match input.first() {
        Some(b'?') => (0, Some(1)),
        Some(b'*') => (0, None),
        Some(b'+') => (1, None),
        Some(b'{') => {
            let end = input.iter().position(|byte| *byte == b'}')?;
            let count = std::str::from_utf8(&input[1..end]).ok()?;
            let (minimum, maximum) = count.split_once(',').unwrap_or((count, count));
            *input = &input[end..];
            (minimum.parse().ok()?, Some(maximum.parse().ok()?))
        }
        _ => return Some(part),
    };
    *input = &input[1..];
    match (part, minimum, maximum) {
        (Part::Class { ranges, .. }, _, _) => Some(Part::Class { ranges, minimum, maximum }),
        (part, 0, Some(1)) => Some(Part::Optional(Box::new(part))),
        _ => None,
    }
}

impl Part {
    /// An expression.
    fn code(&self) -> TokenStream {
        let statements = self.statements();
        match self {
            Self::Sequence(parts) if parts.len() > 1 => quote!({ #statements }),
            _ => statements,
        }
    }

    /// The same without braces around statements.
    fn statements(&self) -> TokenStream {
        match self {
            Self::Class { ranges, minimum, maximum } => {
                let class = class_code(ranges);
                let least = Literal::u32_unsuffixed(*minimum);
                match (letter(ranges), maximum.map(Literal::u32_unsuffixed)) {
                    (Some(letter), Some(_)) if (*minimum, *maximum) == (1, Some(1)) => {
                        quote!(text.strip_prefix(#letter))
                    }
                    (_, Some(most)) if *maximum == Some(*minimum) => {
                        quote!(bytes::exactly(text, #most, #class))
                    }
                    (_, Some(most)) => quote!(bytes::repeat(text, #least, #most, #class)),
                    (_, None) => quote!(bytes::repeat(text, #least, usize::MAX, #class)),
                }
            }
            Self::Sequence(parts) => match parts.split_last() {
                None => quote!(Some(text)),
                Some((last, before)) => {
                    let before = before.iter().map(Self::code);
                    let last = last.code();
                    quote!(#(let text = #before?;)* #last)
                }
            },
            Self::Either(first, second) => {
                let (first, second) = (first.code(), second.code());
                quote!(bytes::either(text, |text| #first, |text| #second))
            }
            Self::Optional(part) => {
                let part = part.code();
                quote!(bytes::optional(text, |text| #part))
            }
        }
    }
}

/// The one byte of a class, as text.
fn letter(ranges: &[(u8, u8)]) -> Option<Literal> {
    match ranges {
        [(first, last)] if first == last => Some(Literal::byte_string(&[*first])),
        _ => None,
    }
}

fn class_code(ranges: &[(u8, u8)]) -> TokenStream {
    match ranges {
        [(b'0', b'9')] => quote!(bytes::digit),
        [(b'0', b'9'), (b'A', b'F'), (b'a', b'f')] => quote!(bytes::hex_digit),
        _ => {
            let ranges = ranges.iter().map(|(first, last)| {
                let ends = [first, last].map(|end| Literal::byte_character(*end));
                if first == last { ends[0].to_token_stream() } else { quote!(#(#ends)..=*) }
            });
            quote!(|byte| matches!(byte, #(#ranges)|*))
        }
    }
}
