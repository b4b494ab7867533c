//! Model → validators: functions that judge the bytes of a document as they pass.
//!
//! A function for each definition reads one value and returns what is left behind it, or `None`
//! where it is not sure; `license_validate::bytes` says what that means, and holds what they are
//! made of. One module for each schema file; of the observed profile only what differs.

mod members;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::emit::hash;
use super::emit::source::{doc, insert, uncapitalized};
use super::load::Profile;
use super::model::{Definition, Kind, Model, Schema, Shape, Text};
use super::names;
use super::tree::Tree;

const GENERATED: &str = "crates/license-validate/src/generated";

/// Variables of the functions, which would hide a function of the same name.
const LOCALS: [&str; 7] = ["branches", "input", "name", "rest", "seen", "text", "value"];

/// Emits the validators of both profiles.
pub(crate) fn render(documented: &Model, observed: &Model, tree: &mut Tree) -> anyhow::Result<()> {
    let differing = observed.differing(documented);
    let (other, same) = called(observed).into_iter().partition(|name| differing.contains(name));
    let own = [&called(documented) | &same, other];
    let homes = documented.homes().into_iter().chain(observed.homes()).collect();
    let [of_documented, of_observed] = [documented, observed].map(|model| Emitter {
        model,
        homes: &homes,
        observed: &own[1],
        here: "",
    });
    of_documented.profile(&own[0], tree)?;
    of_observed.profile(&own[1], tree)?;

    let table = |emitter: &Emitter<'_>| {
        let arms = documented.schemas.iter().filter_map(|schema| {
            let name = &schema.name;
            let reader = emitter.reader(&schema.root()?.name);
            Some(quote!(#name => Some(#reader)))
        });
        quote! { match name { #(#arms,)* _ => None } }
    };
    let (mine, others) = (table(&of_documented), table(&of_observed));
    let items = vec![
        quote! { pub(crate) mod documented; pub(crate) mod observed; },
        quote! { use license_types::schemas::Profile; use crate::bytes::Reader; },
        quote! {
            /// What reads a whole document of the schema `name`, where there is one.
            pub(crate) fn reader(name: &str, profile: Profile) -> Option<Reader> {
                match profile {
                    Profile::Documented => #mine,
                    Profile::Observed => #others,
                }
            }
        },
    ];
    let intro = "Validators that judge the bytes of a document as they pass.";
    insert(tree, &format!("{GENERATED}/mod.rs"), "schemas/", &hash(documented), intro, items)
}

/// The roots, and all that is called from there. The branches of a union are not: the union reads
/// their members itself.
fn called(model: &Model) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    let roots = model.schemas.iter().filter_map(Schema::root);
    let mut open: Vec<&str> = roots.map(|root| root.name.as_str()).collect();
    while let Some(name) = open.pop() {
        if called.insert(name.to_owned()) {
            match &model.referred(name).shape {
                Shape::Union(union) => open.extend(
                    union.branches.iter().flat_map(|it| model.referred(it).shape.references()),
                ),
                shape => open.extend(shape.references()),
            }
        }
    }
    called
}

/// Emits the functions of one profile.
#[derive(Clone, Copy)]
struct Emitter<'a> {
    model: &'a Model,
    /// The file that defines each name.
    homes: &'a BTreeMap<&'a str, &'a str>,
    /// What the observed profile has functions of its own for.
    observed: &'a BTreeSet<String>,
    /// The file whose module is written.
    here: &'a str,
}

impl Emitter<'_> {
    /// The modules of the profile, with the functions for the definitions of `own`.
    fn profile(&self, own: &BTreeSet<String>, tree: &mut Tree) -> anyhow::Result<()> {
        let profile = self.model.profile.as_str();
        let mut modules = Vec::new();
        for schema in &self.model.schemas {
            let definitions = schema.definitions.iter().filter(|it| own.contains(&it.name));
            let emitter = Emitter { here: &schema.name, ..*self };
            let mut functions = Vec::new();
            for definition in definitions {
                let place = || format!("schemas/{}.schema.json: {}", schema.name, definition.name);
                functions.push(emitter.function(definition).with_context(place)?);
                functions.extend(pattern_function(definition));
            }
            if functions.is_empty() {
                continue;
            }
            let text = quote!(#(#functions)*).to_string();
            let called = ["documented", "observed"].into_iter();
            let called = called.filter(|profile| text.contains(&format!("{profile} ::")));
            let called = called.map(|profile| format_ident!("{profile}"));
            let uses = quote! {
                use crate::bytes::{self, Rest};
                #(use crate::generated::#called;)*
            };
            let module = names::module(&schema.name);
            let path = format!("{GENERATED}/{profile}/{module}.rs");
            let origin = format!("schemas/{}.schema.json", schema.name);
            let intro =
                format!("Judges bytes by the schema \"{}\", {profile} profile.", schema.title);
            let items = [uses].into_iter().chain(functions).collect();
            insert(tree, &path, &origin, &schema.hash, &intro, items)?;
            modules.push(format_ident!("{module}"));
        }
        let path = format!("{GENERATED}/{profile}/mod.rs");
        let intro = format!("Validators of the {profile} profile.");
        let items = vec![quote! { #(pub(crate) mod #modules;)* }];
        insert(tree, &path, "schemas/", &hash(self.model), &intro, items)
    }

    /// The function that reads one definition.
    fn function(&self, definition: &Definition) -> anyhow::Result<TokenStream> {
        let name = format_ident!("{}", names::field(&definition.name));
        let description = uncapitalized(&definition.description);
        let docs = doc(&[&format!("{}: {description}", definition.title)]);
        ensure!(
            !LOCALS.contains(&name.to_string().as_str()),
            "a variable has this name: choose another"
        );
        let or_null = definition.or_null.then(|| {
            quote! {
                if let Some(rest) = bytes::null(input) {
                    return Some(rest);
                }
            }
        });
        let body = match &definition.shape {
            Shape::Integer { minimum, maximum } => {
                let bounds = [*minimum, *maximum].map(Literal::i64_unsuffixed);
                quote!(bytes::integer(input, #(#bounds),*))
            }
            Shape::Words(words) => {
                let words = words.iter().map(|word| Literal::byte_string(word.as_bytes()));
                quote!(bytes::text_where(input, |text| matches!(text, #(#words)|*)))
            }
            Shape::Text(text) => constrained(text, &pattern_name(definition)),
            Shape::Object(object) => self.members(&[object])?,
            Shape::Union(union) => {
                let branches = union.branches.iter();
                let objects: Vec<_> = branches.map(|name| self.model.branch(name)).collect();
                self.members(&objects)?
            }
            Shape::List(items) => {
                let reader = self.kind(items);
                quote!(bytes::elements(input, #reader))
            }
        };
        Ok(quote! {
            #docs
            pub(crate) fn #name(input: &[u8]) -> Rest<'_> {
                #or_null
                #body
            }
        })
    }

    /// The path of the function that reads a definition.
    fn reader(&self, name: &str) -> TokenStream {
        let profile = match self.model.profile {
            Profile::Observed if self.observed.contains(name) => Profile::Observed,
            Profile::Observed | Profile::Documented => Profile::Documented,
        };
        let function = format_ident!("{}", names::field(name));
        if profile == self.model.profile && self.homes[name] == self.here {
            return quote!(#function);
        }
        let profile = format_ident!("{}", profile.as_str());
        let module = format_ident!("{}", names::module(self.homes[name]));
        quote!(#profile::#module::#function)
    }

    /// What reads a value of a kind: a function, or a closure.
    fn kind(&self, kind: &Kind) -> TokenStream {
        match kind {
            Kind::Text => quote!(bytes::text),
            Kind::Boolean => quote!(bytes::boolean),
            Kind::Named(name) => self.reader(name),
            Kind::List(_) | Kind::OrNull(_) => {
                let call = self.call(kind);
                quote!(|value| #call)
            }
        }
    }

    /// The same, called with `value`.
    fn call(&self, kind: &Kind) -> TokenStream {
        match kind {
            Kind::Text | Kind::Boolean | Kind::Named(_) => {
                let reader = self.kind(kind);
                quote!(#reader(value))
            }
            Kind::List(items) => {
                let reader = self.kind(items);
                quote!(bytes::elements(value, #reader))
            }
            Kind::OrNull(inner) => {
                let call = self.call(inner);
                quote!(bytes::null(value).or_else(|| #call))
            }
        }
    }
}

/// The body for a text whose constraints all hold.
fn constrained(text: &Text, pattern: &Ident) -> TokenStream {
    let length = text.length.map(|(minimum, maximum)| {
        let bounds = [minimum, maximum].map(Literal::u64_unsuffixed);
        quote!((#(#bounds)..=*).contains(&bytes::characters(text)))
    });
    let date_time = text.is_date_time.then(|| quote!(bytes::is_date_time(text)));
    let pattern = text.pattern.as_ref().map(|_| quote!(bytes::fits(text, #pattern)));
    let all = [length, date_time, pattern].into_iter().flatten();
    quote!(bytes::text_where(input, |text| #(#all)&&*))
}

/// The function that takes what the pattern of a text describes.
fn pattern_function(definition: &Definition) -> Option<TokenStream> {
    let Shape::Text(Text { pattern: Some(pattern), .. }) = &definition.shape else { return None };
    let name = pattern_name(definition);
    let docs = format!(" `{}`", pattern.text);
    let statements = pattern::statements(&pattern.parts);
    Some(quote! { #[doc = #docs] fn #name(text: &[u8]) -> Rest<'_> { #statements } })
}

fn pattern_name(definition: &Definition) -> Ident {
    format_ident!("{}_pattern", names::field(&definition.name))
}
