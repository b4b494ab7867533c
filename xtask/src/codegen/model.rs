//! What a schema can be: all that the generator understands, and nothing of JSON Schema left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::load::{Profile, Sources};
use super::read;

/// The schemas of one profile.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) profile: Profile,
    pub(crate) schemas: Vec<Schema>,
}

/// One schema file. Its root, if it has one, is the first of its definitions and named after it.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    /// SHA-256 of the file.
    pub(crate) hash: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) has_root: bool,
}

/// A named schema. Names are unique over all files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) examples: Vec<Value>,
    pub(crate) shape: Shape,
    /// A root that may be null instead; nothing refers to such.
    pub(crate) or_null: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Both bounds are within ±(2^53 − 1), so that every float in them is exact.
    Integer {
        minimum: i64,
        maximum: i64,
    },
    Text(Text),
    Words(Vec<String>),
    Object(Object),
    Union(Union),
    /// Roots only.
    List(Kind),
}

/// A text with at least one constraint; all hold together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub(crate) pattern: Option<Pattern>,
    /// RFC 3339, asserted.
    pub(crate) is_date_time: bool,
    /// In code points.
    pub(crate) length: Option<(u64, u64)>,
}

/// A pattern of the whole text, in the subset that ECMA, Rust and Python share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    /// As it is written.
    pub(crate) text: String,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// So many bytes within the ranges, all of them ASCII.
    Class { ranges: Vec<(u8, u8)>, minimum: u32, maximum: u32 },
    /// One of several sequences.
    Group { alternatives: Vec<Vec<Part>>, optional: bool },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// A member with one possible value, which tells a branch of a union; it comes first.
    pub(crate) tag: Option<Tag>,
    /// All others, in the order of the schema.
    pub(crate) members: Vec<Member>,
    /// Members that an open object must not have.
    pub(crate) forbidden: Vec<String>,
    /// Whether members that are not named here may be there.
    pub(crate) open: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) description: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Where absent, what the definition says is enough.
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
}

/// What stands at a place: plain, or by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    /// A definition, by its unique name.
    Named(String),
    List(Box<Kind>),
    /// Required members only.
    OrNull(Box<Kind>),
}

/// Objects of which a value is exactly one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Union {
    /// Names of the objects.
    pub(crate) branches: Vec<String>,
    pub(crate) told_by: ToldBy,
}

/// How the branches of a union are proven to be disjoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ToldBy {
    /// Each branch has another value of this required member.
    Tag(String),
    /// Each branch requires these members, which every other branch forbids.
    Members(Vec<Vec<String>>),
}

impl Model {
    /// Reads the schemas of a profile.
    pub(crate) fn of(sources: &Sources, profile: Profile) -> anyhow::Result<Self> {
        let schemas = read::schemas(&sources.of_profile(profile)?);
        let schemas = schemas.map_err(|refusal| match profile {
            Profile::Documented => refusal,
            // Who reads the file there does not see it: it comes of the patch.
            Profile::Observed => {
                refusal.with("; so it is in the observed profile, which `x-observed` makes")
            }
        })?;
        Ok(Self { profile, schemas })
    }

    pub(crate) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.schemas.iter().flat_map(|schema| &schema.definitions)
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions().find(|definition| definition.name == name)
    }

    /// What a name that something refers to means; that all are defined was checked.
    pub(crate) fn referred(&self, name: &str) -> &Definition {
        self.definition(name).expect("references were checked")
    }

    /// The object that is the branch `name` of a union.
    pub(crate) fn branch(&self, name: &str) -> &Object {
        match &self.referred(name).shape {
            Shape::Object(object) => object,
            _ => unreachable!("the branches of a union were checked to be objects"),
        }
    }

    /// The file that defines each name.
    pub(crate) fn homes(&self) -> BTreeMap<&str, &str> {
        let homes = self.schemas.iter().flat_map(|schema| {
            schema.definitions.iter().map(|it| (it.name.as_str(), schema.name.as_str()))
        });
        homes.collect()
    }

    /// Names of all that a definition refers to, however far.
    pub(crate) fn reach(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(definition) = open.pop().and_then(|name| self.definition(&name)) {
            for target in definition.shape.references() {
                if found.insert(target.to_owned()) {
                    open.push(target.to_owned());
                }
            }
        }
        found
    }

    /// Names of the definitions that differ from those of `other`, themselves or in what they
    /// refer to.
    pub(crate) fn differing(&self, other: &Self) -> BTreeSet<String> {
        let differs = |name: &str| self.definition(name) != other.definition(name);
        let names = self.definitions().map(|definition| definition.name.clone());
        names
            .filter(|name| differs(name) || self.reach(name).iter().any(|inner| differs(inner)))
            .collect()
    }
}

impl Schema {
    pub(crate) fn root(&self) -> Option<&Definition> {
        self.definitions.first().filter(|_| self.has_root)
    }
}

impl Definition {
    /// The name of a whole document, where that is this object or null.
    pub(crate) fn document_name(&self) -> Option<String> {
        let has_one = self.or_null && matches!(self.shape, Shape::Object(_));
        has_one.then(|| format!("{}Document", self.name))
    }
}

impl Shape {
    /// Names that it refers to directly.
    pub(crate) fn references(&self) -> Vec<&str> {
        match self {
            Self::Integer { .. } | Self::Text(_) | Self::Words(_) => Vec::new(),
            Self::Object(object) => {
                object.members.iter().filter_map(|member| member.kind.reference()).collect()
            }
            Self::Union(union) => union.branches.iter().map(String::as_str).collect(),
            Self::List(items) => items.reference().into_iter().collect(),
        }
    }
}

impl Kind {
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::Text | Self::Boolean => None,
            Self::Named(name) => Some(name),
            Self::List(inner) | Self::OrNull(inner) => inner.reference(),
        }
    }
}

impl Object {
    /// Names of the members that must be there, the tag included.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        let members = self.members.iter().filter(|member| member.required);
        self.tag.iter().map(|tag| tag.name.as_str()).chain(members.map(|it| it.name.as_str()))
    }

    /// Whether a value with the member `name` cannot be this object.
    pub(crate) fn forbids(&self, name: &str) -> bool {
        let known = self.members.iter().any(|member| member.name == name)
            || self.tag.as_ref().is_some_and(|tag| tag.name == name);
        if self.open { self.forbidden.iter().any(|it| it == name) } else { !known }
    }
}
