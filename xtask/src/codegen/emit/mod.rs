//! Model → Rust: one module for each schema file, and the namespaces of the two profiles.

mod object;
mod scalar;
pub(crate) mod source;
mod union;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::load::Profile;
use super::model::{Definition, Kind, Model, Shape};
use super::names;
use super::tree::Tree;
use source::{doc, insert};

pub(crate) use object::description;

const GENERATED: &str = "crates/license-types/src/generated";

/// Emits the types of both profiles; of the observed one only what differs.
pub(crate) fn render(documented: &Model, observed: &Model, tree: &mut Tree) -> anyhow::Result<()> {
    let all = documented.definitions().map(|definition| definition.name.clone()).collect();
    let differing = observed.differing(documented);
    namespace(documented, &all, tree)?;
    namespace(observed, &differing, tree)?;
    let mut write = |file: &str, hash: &str, intro: &str, items: TokenStream| {
        insert(tree, &format!("{GENERATED}/{file}"), "schemas/", hash, intro, vec![items])
    };
    // What differs is a type of its own; everything else is the documented one.
    let same = documented.definitions().filter(|it| !differing.contains(&it.name));
    let same: BTreeSet<_> = same.flat_map(names_of).collect();
    let modules = modules(observed, &differing);
    let items = quote! {
        #(mod #modules;)*
        #(pub use #modules::*;)*
        pub use super::documented::{#(#same),*};
    };
    let intro = "The types of the observed profile: what we accept from others. Those that do not \
                 differ are the documented ones.";
    write("observed/mod.rs", &hash(observed), intro, items)?;

    let modules = self::modules(documented, &all);
    let items = quote! { #(mod #modules;)* #(pub use #modules::*;)* };
    let intro = "The types of the documented profile: what we write.";
    write("documented/mod.rs", &hash(documented), intro, items)?;

    let items =
        quote! { pub(crate) mod bundles; pub mod documented; mod meanings; pub mod observed; };
    let intro = "What is generated from the schemas.";
    write("mod.rs", &hash(documented), intro, items)?;
    bundles(documented, observed, tree)
}

/// The modules of the schemas that define something of `wanted`.
fn modules(model: &Model, wanted: &BTreeSet<String>) -> Vec<syn::Ident> {
    let with_types = model
        .schemas
        .iter()
        .filter(|schema| schema.definitions.iter().any(|it| wanted.contains(&it.name)));
    with_types.map(|schema| format_ident!("{}", names::module(&schema.name))).collect()
}

/// The names that a definition makes public.
fn names_of(definition: &Definition) -> Vec<syn::Ident> {
    let names = [definition.name.clone()].into_iter().chain(definition.document_name());
    names.map(|name| format_ident!("{name}")).collect()
}

/// One hash for a file that depends on every schema.
pub(crate) fn hash(model: &Model) -> String {
    super::load::hash_of(model.schemas.iter().map(|schema| schema.hash.as_str()))
}

fn namespace(model: &Model, wanted: &BTreeSet<String>, tree: &mut Tree) -> anyhow::Result<()> {
    for schema in &model.schemas {
        let definitions: Vec<&Definition> =
            schema.definitions.iter().filter(|it| wanted.contains(&it.name)).collect();
        if definitions.is_empty() {
            continue;
        }
        let path =
            format!("{GENERATED}/{}/{}.rs", model.profile.as_str(), names::module(&schema.name));
        let items = module(model, &definitions);
        let origin = format!("schemas/{}.schema.json", schema.name);
        let intro = format!("{}: {}", schema.title, source::uncapitalized(&schema.description));
        insert(tree, &path, &origin, &schema.hash, &intro, items)?;
    }
    Ok(())
}

fn module(model: &Model, definitions: &[&Definition]) -> Vec<TokenStream> {
    let here: BTreeSet<&str> = definitions.iter().map(|it| it.name.as_str()).collect();
    let foreign: BTreeSet<&str> = definitions
        .iter()
        .flat_map(|definition| definition.shape.references())
        .filter(|name| !here.contains(name))
        .collect();
    let mut items = Vec::new();
    if definitions.iter().any(|it| !matches!(it.shape, Shape::List(_))) {
        items.push(quote! { use crate::json::prelude::*; });
    }
    if !foreign.is_empty() {
        let foreign = foreign.iter().map(|name| format_ident!("{name}"));
        items.push(quote! { use super::{#(#foreign),*}; });
    }
    for definition in definitions {
        items.extend(self::definition(model, definition));
    }
    items.extend(traits(model.profile, definitions));
    items
}

fn definition(model: &Model, definition: &Definition) -> Vec<TokenStream> {
    match &definition.shape {
        Shape::Integer { minimum, maximum } => scalar::integer(definition, *minimum, *maximum),
        Shape::Text(text) => scalar::text(definition, text, model.profile),
        Shape::Words(words) => scalar::words(definition, words),
        Shape::Object(object) => {
            let mut items = object::items(model, definition, object);
            items.extend(object::document(definition));
            items
        }
        Shape::Union(union) => union::items(model, definition, union),
        Shape::List(of) => {
            let name = format_ident!("{}", definition.name);
            let docs = doc(&[&definition.description]);
            let list = kind(&Kind::List(Box::new(of.clone())));
            let list = if definition.or_null { quote!(Option<#list>) } else { list };
            vec![quote! { #docs pub type #name = #list; }]
        }
    }
}

/// The implementations that all types of a kind share.
fn traits(profile: Profile, definitions: &[&Definition]) -> Vec<TokenStream> {
    let mut lists: BTreeMap<&str, Vec<TokenStream>> = BTreeMap::new();
    for definition in definitions {
        let name = format_ident!("{}", definition.name);
        match &definition.shape {
            Shape::Integer { minimum, .. } => {
                let integer = scalar::integer_type(*minimum);
                lists.entry("integer_traits").or_default().push(quote!(#name: #integer));
            }
            Shape::Text(_) => lists.entry("text_traits").or_default().push(quote!(#name)),
            Shape::Words(_) => lists.entry("word_traits").or_default().push(quote!(#name)),
            Shape::Object(_) | Shape::Union(_) => {}
            Shape::List(_) => continue,
        }
        lists.entry("deserialize").or_default().push(quote!(#name));
        if profile == Profile::Observed {
            lists.entry("convert").or_default().push(quote!(#name));
        }
    }
    let call = |(name, list): (&str, Vec<TokenStream>)| {
        let name = format_ident!("{name}");
        quote! { #name!(#(#list),*); }
    };
    lists.into_iter().map(call).collect()
}

/// The type of what stands at a place.
fn kind(kind: &Kind) -> TokenStream {
    match kind {
        Kind::Text => quote!(String),
        Kind::Boolean => quote!(bool),
        Kind::Named(name) => {
            let name = format_ident!("{name}");
            quote!(#name)
        }
        Kind::List(inner) => {
            let inner = self::kind(inner);
            quote!(Vec<#inner>)
        }
        Kind::OrNull(inner) => {
            let inner = self::kind(inner);
            quote!(Option<#inner>)
        }
    }
}

/// The table of the embedded schemas.
fn bundles(documented: &Model, observed: &Model, tree: &mut Tree) -> anyhow::Result<()> {
    let with_root = documented.schemas.iter().filter(|schema| schema.has_root);
    let names: Vec<&str> = with_root.map(|schema| schema.name.as_str()).collect();
    let path = |profile: Profile, name: &&str| {
        format!("../../schemas/{}/{name}.schema.json", profile.as_str())
    };
    let mine: Vec<String> = names.iter().map(|name| path(Profile::Documented, name)).collect();
    let others = names.iter().map(|name| {
        let has_two = observed.schemas.iter().any(|schema| schema.name == **name);
        path(if has_two { Profile::Observed } else { Profile::Documented }, name)
    });
    let items = vec![
        quote! {
            /// The names of the schemas.
            pub const NAMES: &[&str] = &[#(#names),*];
        },
        quote! {
            /// The texts of the documented profile, in the order of the names.
            pub(crate) const DOCUMENTED: &[&str] = &[#(include_str!(#mine)),*];
        },
        quote! {
            /// The texts of the observed profile, in the order of the names.
            pub(crate) const OBSERVED: &[&str] = &[#(include_str!(#others)),*];
        },
    ];
    let intro = "The embedded schemas.";
    insert(tree, &format!("{GENERATED}/bundles.rs"), "schemas/", &hash(documented), intro, items)
}
