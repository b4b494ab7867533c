//! The operations of the license server: one table, `schemas/operations.json`, of which the routes,
//! the description for programs and the codes of problems are made.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::emit::source::{doc, insert};
use super::load;
use super::model::Model;
use super::names;
use super::tree::Tree;

/// Where the table lies.
pub(crate) const PATH: &str = "schemas/operations.json";

/// What the server can be asked, and all that it can answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Operations {
    pub(crate) title: String,
    pub(crate) description: String,
    /// Status and title of each code of a problem, in the order of the schema.
    pub(crate) codes: Map<String, Value>,
    /// Codes that many operations share, by the name of what brings them.
    pub(crate) problems: BTreeMap<String, Vec<String>>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) operations: Vec<Operation>,
    #[serde(skip)]
    pub(crate) hash: String,
}

/// A part of the path or the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    pub(crate) description: String,
    /// `FILE#DEFINITION`, where a schema says what it is.
    pub(crate) schema: Option<String>,
    /// Keywords of a text.
    pub(crate) text: Option<Value>,
    /// Keywords of an integer.
    pub(crate) number: Option<Value>,
}

/// One thing to ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    /// Who may ask; everybody where empty.
    pub(crate) roles: Vec<String>,
    #[serde(default)]
    pub(crate) query: Vec<String>,
    /// Headers that mean something to it alone.
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    pub(crate) body: Option<Body>,
    /// What each status brings: media types and their schemas.
    pub(crate) answers: BTreeMap<String, BTreeMap<String, Option<Content>>>,
    /// Codes of its own, or names of such that are shared.
    pub(crate) problems: Vec<String>,
}

/// The schemas of a content: of the whole, or of each line or event.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    /// All is of one schema.
    Of(String),
    /// Each event is of one of several.
    OfEither(Vec<String>),
}

/// What a request carries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    pub(crate) schema: String,
    #[serde(default)]
    pub(crate) optional: bool,
    /// Its greatest length; 64 KiB unless it says more.
    pub(crate) bytes: Option<u64>,
}

const BODY_BYTES: u64 = 64 << 10;

impl Content {
    fn schemas(&self) -> &[String] {
        match self {
            Self::Of(schema) => std::slice::from_ref(schema),
            Self::OfEither(schemas) => schemas,
        }
    }
}

impl Operation {
    /// The parameters by name, each with the place where it stands.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let in_path = self
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')));
        let in_query = self.query.iter().map(String::as_str);
        let in_headers = self.headers.iter().map(String::as_str);
        in_path
            .map(|name| (name, "path"))
            .chain(in_query.map(|name| (name, "query")))
            .chain(in_headers.map(|name| (name, "header")))
    }
}

impl Operations {
    pub(crate) fn load(root: &Path) -> anyhow::Result<Operations> {
        let text = std::fs::read_to_string(root.join(PATH));
        Self::parse(&text.with_context(|| format!("cannot read {PATH}"))?)
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Operations> {
        let mut operations: Operations = serde_json::from_str(text).context(PATH)?;
        operations.hash = load::hash_of([text].into_iter());
        Ok(operations)
    }

    /// Every code, parameter and schema that the table names is there, so that what is made of it
    /// is whole.
    pub(crate) fn check(&self, schemas: &Model) -> anyhow::Result<()> {
        let is_schema = |name: &str| {
            let name = name.split_once('#').map_or_else(|| names::pascal(name), |it| it.1.into());
            schemas.definition(&name).is_some()
        };
        let schema = |name: &str| {
            ensure!(is_schema(name), "`{name}` is no schema: write FILE or FILE#DEFINITION");
            Ok(())
        };
        for (code, meaning) in &self.codes {
            let status = meaning["status"].as_u64().and_then(|status| u16::try_from(status).ok());
            ensure!(status.is_some(), "the code `{code}` needs a `status`, such as 404");
        }
        for code in self.problems.values().flatten() {
            ensure!(self.codes.contains_key(code), "`{code}` is not among the `codes`");
        }
        for parameter in self.parameters.values() {
            parameter.schema.as_deref().map_or(Ok(()), schema)?;
        }
        for operation in &self.operations {
            for (name, _) in operation.parameters() {
                ensure!(
                    self.parameters.contains_key(name),
                    "{}: `{name}` is not among the `parameters`",
                    operation.id
                );
            }
            for name in &operation.problems {
                ensure!(
                    self.problems.contains_key(name) || self.codes.contains_key(name),
                    "{}: `{name}` is not among the `problems` or `codes`",
                    operation.id
                );
            }
            for status in operation.answers.keys() {
                let is_status = status.parse::<u16>().is_ok();
                ensure!(is_status, "{}: `{status}` is no status, such as 200", operation.id);
            }
            let contents = operation.answers.values().flat_map(BTreeMap::values).flatten();
            let body = operation.body.iter().map(|body| body.schema.as_str());
            for name in contents.flat_map(Content::schemas).map(String::as_str).chain(body) {
                schema(name).with_context(|| operation.id.clone())?;
            }
        }
        Ok(())
    }

    /// Every code that `operation` can answer with, in the order of the schema.
    pub(crate) fn codes_of(&self, operation: &Operation) -> Vec<&str> {
        let own = operation.problems.iter().map(String::as_str);
        let body = operation.body.is_some().then_some("body");
        let named: Vec<&str> = ["every"].into_iter().chain(body).chain(own).collect();
        let has = |code: &&str| {
            named.iter().any(|name| match self.problems.get(*name) {
                Some(codes) => codes.iter().any(|it| it == code),
                None => name == code,
            })
        };
        self.codes.keys().map(String::as_str).filter(has).collect()
    }

    pub(crate) fn status(&self, code: &str) -> u64 {
        self.codes[code]["status"].as_u64().expect("the table was checked")
    }

    /// Whether an answer with this code may say when to ask again.
    pub(crate) fn is_retried(&self, code: &str) -> bool {
        self.codes[code]["retryAfter"] == true
    }
}

/// Writes the types that the server is made of, and what each code of a problem means.
pub(crate) fn render(operations: &Operations, tree: &mut Tree) -> anyhow::Result<()> {
    let mut write = |path, intro, items| insert(tree, path, PATH, &operations.hash, intro, items);
    write(
        "crates/license-http/src/generated/operations.rs",
        "What the server can be asked.",
        vec![type_of(operations), facts(operations)],
    )?;
    write(
        "crates/license-http/src/generated/mod.rs",
        "What is generated from the table.",
        vec![quote! { pub(crate) mod operations; }],
    )?;
    write(
        "crates/license-types/src/generated/meanings.rs",
        "What each code of a problem means.",
        meanings(operations),
    )
}

fn type_of(Operations { operations, .. }: &Operations) -> TokenStream {
    let variants = operations.iter().map(|operation| {
        let (name, doc) = (variant(operation), doc(&[&operation.summary]));
        quote! { #doc #name, }
    });
    quote! {
        /// One thing to ask.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation { #(#variants)* }
    }
}

fn facts(table: &Operations) -> TokenStream {
    let variants: Vec<_> = table.operations.iter().map(variant).collect();
    let count = variants.len();
    let arms = |value: &dyn Fn(&Operation) -> TokenStream| -> Vec<TokenStream> {
        let arm = |(variant, operation)| {
            let value = value(operation);
            quote! { Self::#variant => #value, }
        };
        variants.iter().zip(&table.operations).map(arm).collect()
    };
    let names = arms(&|operation| operation.id.to_token_stream());
    let methods = arms(&|operation| operation.method.to_token_stream());
    let paths = arms(&|operation| operation.path.to_token_stream());
    let roles = arms(&|operation| {
        let roles = operation.roles.iter().map(|role| format_ident!("{}", names::pascal(role)));
        quote!(&[#(Role::#roles),*])
    });
    let queries = arms(&|operation| {
        let query = &operation.query;
        quote!(&[#(#query),*])
    });
    let bodies = arms(&body);
    let answers = arms(&answers);
    let codes = arms(&|operation| {
        let codes = table.codes_of(operation);
        let codes = codes.into_iter().map(|code| format_ident!("{}", names::pascal(code)));
        quote!(&[#(ProblemCode::#codes),*])
    });
    quote! {
        use license_types::ProblemCode;
        use crate::operation::{Answered, Body};
        use crate::credentials::Role;

        impl Operation {
            /// Every one.
            pub(crate) const ALL: [Self; #count] = [#(Self::#variants),*];
            /// Its name.
            pub(crate) const fn name(self) -> &'static str { match self { #(#names)* } }
            /// Its method.
            pub(crate) const fn method(self) -> &'static str { match self { #(#methods)* } }
            /// Its path, with the names of its parameters.
            pub(crate) const fn path(self) -> &'static str { match self { #(#paths)* } }
            /// Who may ask; everybody where empty.
            pub(crate) const fn roles(self) -> &'static [Role] { match self { #(#roles)* } }
            /// The parameters of its query.
            pub(crate) const fn query(self) -> &'static [&'static str] { match self { #(#queries)* } }
            /// What it carries.
            pub(crate) const fn body(self) -> Option<Body> { match self { #(#bodies)* } }
            /// What it brings where nothing is wrong.
            pub(crate) const fn answers(self) -> &'static [Answered] { match self { #(#answers)* } }
            /// Every problem that it can meet.
            pub(crate) const fn codes(self) -> &'static [ProblemCode] { match self { #(#codes)* } }
        }
    }
}

fn body(operation: &Operation) -> TokenStream {
    let Some(Body { schema, optional, bytes }) = &operation.body else { return quote!(None) };
    let bytes = Literal::u64_unsuffixed(bytes.unwrap_or(BODY_BYTES));
    quote!(Some(Body { schema: #schema, optional: #optional, bytes: #bytes }))
}

fn answers(operation: &Operation) -> TokenStream {
    let answers = operation.answers.iter().flat_map(|(status, media)| {
        let status = Literal::u16_unsuffixed(status.parse().expect("the table was checked"));
        media.iter().map(move |(media, schema)| {
            let schema = match schema {
                Some(Content::Of(schema)) => quote!(Some(#schema)),
                Some(Content::OfEither(_)) | None => quote!(None),
            };
            quote!(Answered { status: #status, media: #media, schema: #schema })
        })
    });
    quote!(&[#(#answers),*])
}

fn meanings(table: &Operations) -> Vec<TokenStream> {
    let variants: Vec<_> =
        table.codes.keys().map(|code| format_ident!("{}", names::pascal(code))).collect();
    let statuses = table.codes.keys().map(|code| Literal::u64_unsuffixed(table.status(code)));
    let titles = table.codes.values().map(|meaning| meaning["title"].as_str().unwrap_or_default());
    vec![
        quote! { use super::documented::ProblemCode; },
        quote! {
            impl ProblemCode {
                /// Status of an answer that carries it.
                pub const fn status(self) -> u16 { match self { #(Self::#variants => #statuses,)* } }
                /// The kind of problem, for people.
                pub const fn title(self) -> &'static str { match self { #(Self::#variants => #titles,)* } }
            }
        },
    ]
}

fn variant(operation: &Operation) -> syn::Ident {
    format_ident!("{}", names::pascal(&operation.id))
}
