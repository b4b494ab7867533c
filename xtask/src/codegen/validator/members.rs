//! Objects, and unions of them: one walk over the members, whichever branch they are of.
//!
//! An object is a union of one branch. Branches are disjoint, as the model has proven, so a value
//! is valid as soon as it is of any branch: each member leaves those that may have it, and at the
//! end one of them must have all that it requires.

use anyhow::ensure;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::super::model::{Kind, Object};
use super::Emitter;

/// What a member of some name is to one branch.
enum Reading<'a> {
    /// A constant, which tells the branch.
    Tag(&'a str),
    Kind(&'a Kind),
    /// Anything: the branch is open and does not name it.
    Anything,
    Forbidden,
}

impl Emitter<'_> {
    /// The body that reads an object of one of these branches.
    pub(crate) fn members(&self, branches: &[&Object]) -> anyhow::Result<TokenStream> {
        let mut seen = Vec::new();
        let mut arms = Vec::new();
        for name in names(branches) {
            let arm = self.member(name, branches, &mut seen);
            let name = Literal::byte_string(name.as_bytes());
            arms.push(quote!(#name => #arm));
        }
        let open: Vec<usize> = places(branches, |object| object.open);
        let unknown = anything(&open, branches.len());
        let required: Vec<TokenStream> = branches
            .iter()
            .map(|object| {
                let places = object.required().map(|name| place(name, &mut seen));
                quote!(seen.has([#(#places),*]))
            })
            .collect();
        let (declaration, complete) = match required.as_slice() {
            [complete] => (quote!(), complete.clone()),
            _ => {
                let each = required.iter().enumerate().map(|(index, complete)| {
                    let index = Literal::usize_unsuffixed(index);
                    quote!(branches.has(#index) && #complete)
                });
                (quote!(let mut branches = bytes::Branches::all();), quote!((#(#each)||*)))
            }
        };
        ensure!(seen.len() <= 64 && branches.len() <= 64, "it has more parts than a mask has bits");
        Ok(quote! {
            let mut seen = bytes::Seen::default();
            #declaration
            let rest = bytes::members(input, |name, value| match name {
                #(#arms,)*
                _ => #unknown,
            })?;
            #complete.then_some(rest)
        })
    }

    /// What reads the value of the member `name`.
    fn member<'a>(
        &self,
        name: &'a str,
        branches: &[&'a Object],
        seen: &mut Vec<&'a str>,
    ) -> TokenStream {
        let count = branches.len();
        let readings: Vec<Reading<'_>> = branches.iter().map(|it| reading(it, name)).collect();
        let tags = readings.iter().enumerate().filter_map(|(branch, reading)| match reading {
            Reading::Tag(word) => Some((branch, Literal::byte_string(word.as_bytes()))),
            Reading::Kind(_) | Reading::Anything | Reading::Forbidden => None,
        });
        let tags: Vec<_> = tags.collect();
        let read = match tags.as_slice() {
            [] => self.first_that_fits(&readings),
            tags => Some(told_by_tag(tags, count)),
        };
        let Some(read) = read else {
            let left =
                places(branches, |object| matches!(reading(object, name), Reading::Anything));
            return anything(&left, count);
        };
        let place = place(name, seen);
        quote!({ seen.add(#place); #read })
    }

    /// Reads a value as the kind that a branch gives it; where branches disagree, the first kind that
    /// fits is meant. Nothing where no branch gives it one.
    fn first_that_fits(&self, readings: &[Reading<'_>]) -> Option<TokenStream> {
        let mut kinds: Vec<&Kind> = Vec::new();
        for reading in readings {
            if let Reading::Kind(kind) = reading
                && !kinds.contains(kind)
            {
                kinds.push(kind);
            }
        }
        let readers = kinds.iter().map(|kind| {
            let left = readings.iter().enumerate().filter(|(_, reading)| match reading {
                Reading::Kind(other) => other == kind,
                // A branch that takes anything takes what another one wants.
                Reading::Anything => true,
                Reading::Tag(_) | Reading::Forbidden => false,
            });
            let left: Vec<usize> = left.map(|(branch, _)| branch).collect();
            (only(&left, readings.len()), self.call(kind))
        });
        readers.rev().fold(None, |next, (only, call)| {
            Some(match next {
                None => quote!(#only #call),
                Some(next) => quote! {
                    if let Some(rest) = #call { #only Some(rest) } else { #next }
                },
            })
        })
    }
}

/// Reads a constant, which leaves the one branch that it tells.
fn told_by_tag(tags: &[(usize, Literal)], count: usize) -> TokenStream {
    if let ([(_, word)], 1) = (tags, count) {
        return quote!(bytes::text_where(value, |text| text == #word));
    }
    let arms = tags.iter().map(|(branch, word)| {
        let branch = Literal::usize_unsuffixed(*branch);
        quote!(#word => branches.only([#branch]))
    });
    quote! {
        bytes::text_where(value, |text| {
            match text { #(#arms,)* _ => return false }
            true
        })
    }
}

/// The names of all members, in the order of the branches.
fn names<'a>(branches: &[&'a Object]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for object in branches {
        let tag = object.tag.iter().map(|tag| &tag.name);
        let members = object.members.iter().map(|member| &member.name);
        for name in tag.chain(members).chain(&object.forbidden) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names
}

fn reading<'a>(object: &'a Object, name: &str) -> Reading<'a> {
    let tag = object.tag.as_ref().filter(|tag| tag.name == name);
    let member = object.members.iter().find(|member| member.name == name);
    match (tag, member) {
        (Some(tag), _) => Reading::Tag(&tag.value),
        (None, Some(member)) => Reading::Kind(&member.kind),
        (None, None) if object.forbids(name) => Reading::Forbidden,
        (None, None) => Reading::Anything,
    }
}

/// The number of a member among those that are counted.
fn place<'a>(name: &'a str, seen: &mut Vec<&'a str>) -> Literal {
    let place = seen.iter().position(|it| *it == name).unwrap_or_else(|| {
        seen.push(name);
        seen.len() - 1
    });
    Literal::usize_unsuffixed(place)
}

fn places(branches: &[&Object], wanted: impl Fn(&Object) -> bool) -> Vec<usize> {
    branches.iter().enumerate().filter(|(_, it)| wanted(it)).map(|(branch, _)| branch).collect()
}

/// Leaves only these of all branches; nothing to do if that is all of them.
fn only(left: &[usize], count: usize) -> TokenStream {
    if left.len() == count {
        return quote!();
    }
    let left = left.iter().map(|branch| Literal::usize_unsuffixed(*branch));
    quote!(branches.only([#(#left),*]);)
}

/// Passes over a value that only these branches may have.
fn anything(left: &[usize], count: usize) -> TokenStream {
    let only = only(left, count);
    match left {
        [] => quote!(None),
        _ if only.is_empty() => quote!(bytes::anything(value)),
        _ => quote!({ #only bytes::anything(value) }),
    }
}
