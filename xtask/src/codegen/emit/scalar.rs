//! Newtypes for integers and texts, enumerations for words.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::super::load::Profile;
use super::super::model::{Definition, Part, Text};
use super::super::names;
use super::source::doc;

/// The type inside an integer newtype.
pub(crate) fn integer_type(minimum: i64) -> TokenStream {
    if minimum < 0 { quote!(i64) } else { quote!(u64) }
}

pub(crate) fn integer(definition: &Definition, minimum: i64, maximum: i64) -> Vec<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let integer = integer_type(minimum);
    let expected = format!("an integer from {minimum} to {maximum}");
    let docs = doc(&[&definition.description, &capitalized(&expected)]);
    let rule = rule(definition, &expected);
    let (minimum, maximum) = (Literal::i64_unsuffixed(minimum), Literal::i64_unsuffixed(maximum));
    let declaration = quote! {
        #docs
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #[cfg_attr(
            feature = "schemars",
            schemars(extend("minimum" = #name::MIN.0, "maximum" = #name::MAX.0))
        )]
        pub struct #name(#integer);
    };
    let methods = quote! {
        impl #name {
            #rule
            /// The smallest one.
            pub const MIN: Self = Self(#minimum);
            /// The greatest one.
            pub const MAX: Self = Self(#maximum);

            /// Takes an integer within the bounds.
            ///
            /// # Errors
            /// [`Invalid`] outside of them.
            pub fn new(number: #integer) -> Result<Self, Invalid> {
                if (Self::MIN.0..=Self::MAX.0).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(Self::RULE.refuse(number))
                }
            }

            /// The integer.
            pub const fn get(self) -> #integer {
                self.0
            }
        }
    };
    vec![declaration, methods]
}

pub(crate) fn text(definition: &Definition, text: &Text, profile: Profile) -> Vec<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let expected = expected_text(definition, text);
    let docs = doc(&[&definition.description, &capitalized(&expected)]);
    let rule = rule(definition, &expected);
    let mut checks = Vec::new();
    let mut keywords = Vec::new();
    let mut statics = TokenStream::new();
    if let Some(pattern) = &text.pattern {
        let (parts, pattern) = (parts(&pattern.parts), &pattern.text);
        statics = quote! { const PATTERN: &[Part] = #parts; };
        checks.push(quote!(pattern::matches(PATTERN, &text)));
        keywords.push(quote!("pattern" = #pattern));
    }
    if text.is_date_time {
        checks.push(quote!(date_time::is_rfc3339(&text)));
        keywords.push(quote!("format" = "date-time"));
    }
    if let Some((minimum, maximum)) = text.length {
        let (minimum, maximum) =
            (Literal::u64_unsuffixed(minimum), Literal::u64_unsuffixed(maximum));
        checks.push(quote!(scalar::length_within(&text, #minimum, #maximum)));
        keywords.push(quote!("minLength" = #minimum, "maxLength" = #maximum));
    }
    // The order of date-times is not the order of their texts.
    let order =
        (!text.is_date_time && profile == Profile::Documented).then(|| quote!(PartialOrd, Ord,));
    // The crate of the types writes some texts itself, which fit by construction.
    let declaration = quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, Eq, #order Hash, Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schemars", schemars(extend(#(#keywords),*)))]
        pub struct #name(pub(crate) String);
    };
    let methods = quote! {
        impl #name {
            #rule

            /// Takes a text that fits.
            ///
            /// # Errors
            /// [`Invalid`] for any other.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                #statics
                let text = text.into();
                if #(#checks)&&* {
                    Ok(Self(text))
                } else {
                    Err(Self::RULE.refuse_text(&text))
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
    vec![declaration, methods]
}

/// A pattern as data; ranges are pairs of bytes.
fn parts(sequence: &[Part]) -> TokenStream {
    let list = sequence.iter().map(|part| match part {
        Part::Class { ranges, minimum, maximum } => {
            let ranges: Vec<u8> = ranges.iter().flat_map(|(first, last)| [*first, *last]).collect();
            let ranges = Literal::byte_string(&ranges);
            let (minimum, maximum) =
                (Literal::u32_unsuffixed(*minimum), Literal::u32_unsuffixed(*maximum));
            quote!(Part::Class(#ranges, #minimum, #maximum))
        }
        Part::Group { alternatives, optional } => {
            let variant = if *optional { quote!(Maybe) } else { quote!(Either) };
            let alternatives = alternatives.iter().map(|it| parts(it));
            quote!(Part::#variant(&[#(#alternatives),*]))
        }
    });
    quote!(&[#(#list),*])
}

pub(crate) fn words(definition: &Definition, words: &[String]) -> Vec<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let docs = doc(&[&definition.description]);
    let list: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let rule = rule(definition, &format!("one of {}", list.join(", ")));
    let variants: Vec<_> = words.iter().map(|it| format_ident!("{}", names::pascal(it))).collect();
    let lines = words.iter().map(|word| format!(" `{word}`."));
    let declaration = quote! {
        #docs
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        pub enum #name {
            #(
                #[doc = #lines]
                #[serde(rename = #words)]
                #variants,
            )*
        }
    };
    let methods = quote! {
        impl #name {
            #rule
            /// Every one, in the order of the schema.
            pub const ALL: &[Self] = &[#(Self::#variants),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    #(Self::#variants => #words,)*
                }
            }
        }
    };
    vec![declaration, methods]
}

/// What refusals name.
fn rule(definition: &Definition, expected: &str) -> TokenStream {
    let name = &definition.name;
    quote! { const RULE: Rule = Rule { name: #name, expected: #expected }; }
}

fn expected_text(definition: &Definition, text: &Text) -> String {
    let mut expected = String::from("text");
    if let Some((minimum, maximum)) = text.length {
        expected += &format!(" of {minimum} to {maximum} characters");
    }
    if let Some(example) = definition.examples.first().and_then(|it| it.as_str()) {
        expected += &format!(" such as {example}");
    }
    if text.is_date_time {
        expected += ", a date-time of RFC 3339";
    }
    if let Some(pattern) = &text.pattern {
        expected += &format!(", matching `{}`", pattern.text);
    }
    expected
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
