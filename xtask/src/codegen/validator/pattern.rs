//! Patterns → code: each part takes bytes from the start of the text and returns the rest.
//!
//! A part takes what it can and is never asked again to take less, so the code may doubt a text
//! that fits, and never accepts one that does not. Every class is of ASCII, so bytes are characters.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote};

use super::super::model::Part;

/// The statements that take a sequence from `text`, up to an expression for the rest.
pub(crate) fn statements(parts: &[Part]) -> TokenStream {
    let Some((last, before)) = parts.split_last() else { return quote!(Some(text)) };
    let (before, last) = (before.iter().map(code), code(last));
    quote!(#(let text = #before?;)* #last)
}

/// The same as one expression.
fn sequence(parts: &[Part]) -> TokenStream {
    let statements = statements(parts);
    if parts.len() > 1 { quote!({ #statements }) } else { statements }
}

fn code(part: &Part) -> TokenStream {
    match part {
        Part::Class { ranges, minimum: 1, maximum: 1 } if let Some(letter) = letter(ranges) => {
            quote!(text.strip_prefix(#letter))
        }
        Part::Class { ranges, minimum, maximum } => {
            let class = class(ranges);
            let [least, most] = [*minimum, *maximum].map(Literal::u32_unsuffixed);
            match *maximum {
                maximum if maximum == *minimum => quote!(bytes::exactly(text, #most, #class)),
                u32::MAX => quote!(bytes::repeat(text, #least, usize::MAX, #class)),
                _ => quote!(bytes::repeat(text, #least, #most, #class)),
            }
        }
        Part::Group { alternatives, optional } => {
            let sequences = alternatives.iter().map(|parts| sequence(parts)).rev();
            let group = sequences
                .reduce(|second, first| quote!(bytes::either(text, |text| #first, |text| #second)));
            let group = group.expect("a group has one alternative or more");
            if *optional { quote!(bytes::optional(text, |text| #group)) } else { group }
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

fn class(ranges: &[(u8, u8)]) -> TokenStream {
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
