//! Enums for unions.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::super::model::{Definition, Model, ToldBy, Union};
use super::super::union::variant;
use super::source::{doc, inner_doc};

pub(crate) fn items(model: &Model, definition: &Definition, union: &Union) -> Vec<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let docs = doc(&[&definition.description]);
    let branches: Vec<_> = union.branches.iter().map(|it| format_ident!("{it}")).collect();
    let variants: Vec<_> = union
        .branches
        .iter()
        .map(|branch| format_ident!("{}", variant(&definition.name, branch)))
        .collect();
    let lines = union.branches.iter().map(|branch| inner_doc(&model.referred(branch).description));
    let declaration = quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(untagged)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        pub enum #name {
            #(#lines #variants(#branches),)*
        }
    };
    let mut items = vec![declaration];
    items.extend(match &union.told_by {
        ToldBy::Tag(tag) => vec![tagged(model, &name, union, &variants, tag)],
        ToldBy::Members(telling) => shapes(model, &name, union, &variants, telling),
    });
    for (branch, variant) in branches.iter().zip(&variants) {
        items.push(quote! {
            impl From<#branch> for #name {
                fn from(branch: #branch) -> Self {
                    Self::#variant(branch)
                }
            }
        });
    }
    items
}

fn tagged(
    model: &Model,
    name: &syn::Ident,
    union: &Union,
    variants: &[syn::Ident],
    tag: &str,
) -> TokenStream {
    let branches = union.branches.iter().zip(variants).map(|(branch, variant)| {
        let value = model.branch(branch).tag.as_ref().map(|tag| &tag.value);
        let of = format_ident!("{branch}");
        quote! {
            Tagged {
                tag: #value,
                name: #branch,
                read: |value, at| #of::from_json(value, at).map(#name::#variant),
            }
        }
    });
    quote! {
        impl FromJson for #name {
            fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
                const BRANCHES: &[Tagged<#name>] = &[#(#branches),*];
                shapes::read_tagged(value, at, #tag, BRANCHES)
            }
        }
    }
}

fn shapes(
    model: &Model,
    name: &syn::Ident,
    union: &Union,
    variants: &[syn::Ident],
    telling: &[Vec<String>],
) -> Vec<TokenStream> {
    let shapes = union.branches.iter().zip(variants).zip(telling).map(|((branch, variant), it)| {
        let object = model.branch(branch);
        let required = object.required();
        let known = object.tag.iter().map(|tag| &tag.name);
        let known = known.chain(object.members.iter().map(|member| &member.name));
        let of = format_ident!("{branch}");
        quote! {
            Shape {
                name: #branch,
                telling: &[#(#it),*],
                required: &[#(#required),*],
                known: &[#(#known),*],
                read: |value, at| #of::from_json(value, at).map(#name::#variant),
            }
        }
    });
    let table = quote! {
        impl #name {
            const SHAPES: &[Shape<Self>] = &[#(#shapes),*];

            /// The name of the shape that an object is nearest to: the one with most of its
            /// telling members present. None where no telling member is there.
            pub fn nearest_shape(members: &Map<String, Value>) -> Option<&'static str> {
                shapes::nearest(members, Self::SHAPES).map(|shape| shape.name)
            }
        }
    };
    let reader = quote! {
        impl FromJson for #name {
            fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
                shapes::read(value, at, Self::SHAPES)
            }
        }
    };
    vec![table, reader]
}
