//! Structs for objects.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::super::model::{Definition, Kind, Member, Model, Object, Tag};
use super::super::names;
use super::kind;
use super::source::{doc, inner_doc};

pub(crate) fn items(model: &Model, definition: &Definition, object: &Object) -> Vec<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let docs = doc(&[&definition.description]);
    let tag = object.tag.as_ref().map(|tag| {
        let (name, value) = (&tag.name, &tag.value);
        quote! { #[serde(tag = #name, rename = #value)] }
    });
    let fields = object.members.iter().map(|member| field(model, member));
    let rest = object.open.then(|| {
        quote! {
            /// Members that the schema does not name, in their order.
            #[serde(flatten)]
            pub unknown: Map<String, Value>,
        }
    });
    let mut schema = Vec::new();
    if !object.open {
        schema.push(quote!(deny_unknown_fields));
    }
    if !object.forbidden.is_empty() {
        schema.push(quote!(transform = crate::json::schema::forbid(#name::FORBIDDEN)));
    }
    if let Some(Tag { name, value, .. }) = &object.tag {
        let type_name = &definition.name;
        schema.push(quote!(rename = #type_name));
        schema.push(quote!(transform = crate::json::schema::tag(#name, #value)));
    }
    for member in object.members.iter().filter(|it| matches!(it.kind, Kind::OrNull(_))) {
        let name = &member.name;
        schema.push(quote!(transform = crate::json::schema::require(#name)));
    }
    let schema = (!schema.is_empty())
        .then(|| quote! { #[cfg_attr(feature = "schemars", schemars(#(#schema),*))] });
    let declaration = quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #tag
        #schema
        pub struct #name {
            #(#fields)*
            #rest
        }
    };
    let forbidden = &object.forbidden;
    let forbidden = (!forbidden.is_empty()).then(|| {
        quote! {
            impl #name {
                /// Members of the other shapes.
                const FORBIDDEN: &[&str] = &[#(#forbidden),*];
            }
        }
    });
    [declaration].into_iter().chain(forbidden).chain([reader(&name, object)]).collect()
}

/// The alias of a root that may be null.
pub(crate) fn document(definition: &Definition) -> Option<TokenStream> {
    let name = format_ident!("{}", definition.name);
    let alias = format_ident!("{}", definition.document_name()?);
    let docs = doc(&[&format!("A whole document: {} or null", names::spaced(&definition.name))]);
    Some(quote! { #docs pub type #alias = Option<#name>; })
}

fn field(model: &Model, member: &Member) -> TokenStream {
    let field = format_ident!("{}", names::field(&member.name));
    let name = &member.name;
    let kind = kind(&member.kind);
    let docs = inner_doc(&description(model, member));
    let rename = (field != name).then(|| quote! { #[serde(rename = #name)] });
    if member.required {
        return quote! { #docs #rename pub #field: #kind, };
    }
    let of = kind.to_string();
    quote! {
        #docs
        #rename
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schemars", schemars(default, with = #of))]
        pub #field: Option<#kind>,
    }
}

/// What a member is: in its own words, or in those of its definition.
pub(crate) fn description(model: &Model, member: &Member) -> String {
    let of_definition = || {
        let named = member.kind.reference().and_then(|name| model.definition(name));
        named.map(|named| named.description.clone())
    };
    member.description.clone().or_else(of_definition).unwrap_or_else(|| member.name.clone())
}

fn reader(name: &syn::Ident, object: &Object) -> TokenStream {
    let tag = object.tag.as_ref().map(|tag| {
        let (name, value) = (&tag.name, &tag.value);
        quote! { members.tag(#name, #value)?; }
    });
    let fields = object.members.iter().map(|member| {
        let field = format_ident!("{}", names::field(&member.name));
        let name = &member.name;
        let take = if member.required { quote!(required) } else { quote!(optional) };
        quote! { #field: members.#take(#name)?, }
    });
    let forbidden = if object.forbidden.is_empty() { quote!(&[]) } else { quote!(Self::FORBIDDEN) };
    let body = if object.open {
        quote! {
            Ok(Self { #(#fields)* unknown: members.left(#forbidden)? })
        }
    } else {
        quote! {
            let object = Self { #(#fields)* };
            members.none_left()?;
            Ok(object)
        }
    };
    quote! {
        impl FromJson for #name {
            fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
                let mut members = Members::of(value, at)?;
                #tag
                #body
            }
        }
    }
}
