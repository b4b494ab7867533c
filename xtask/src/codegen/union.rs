//! Unions: the proof that no value is of two branches, and what tells them apart.

use super::model::{Definition, Model, Object, Schema, Shape, ToldBy};
use super::names;
use super::read::{Place, Refusal};

/// Finds out how the branches of every union are told apart, or refuses.
pub(crate) fn tell_apart(mut schemas: Vec<Schema>) -> Result<Vec<Schema>, Refusal> {
    let all: Vec<Definition> =
        schemas.iter().flat_map(|schema| schema.definitions.iter().cloned()).collect();
    for schema in &mut schemas {
        for index in 0..schema.definitions.len() {
            let place = Place::of(schema, index).child("oneOf");
            let definition = &mut schema.definitions[index];
            let Shape::Union(union) = &mut definition.shape else { continue };
            let mut objects = Vec::new();
            for name in &union.branches {
                let branch = all.iter().find(|it| it.name == *name);
                match branch.map(|branch| &branch.shape) {
                    Some(Shape::Object(object)) => objects.push((name.as_str(), object)),
                    _ => return place.refuse(format_args!("`{name}` is no object")),
                }
            }
            check_variants(&definition.name, &union.branches, &place)?;
            union.told_by = match by_tag(&objects) {
                Some(tag) => ToldBy::Tag(tag),
                None => by_members(&objects, &place)?,
            };
        }
    }
    Ok(schemas)
}

/// The name of a branch as a variant: without the name of the union at its end.
pub(crate) fn variant<'a>(union: &str, branch: &'a str) -> &'a str {
    branch.strip_suffix(union).filter(|rest| !rest.is_empty()).unwrap_or(branch)
}

fn check_variants(union: &str, branches: &[String], place: &Place) -> Result<(), Refusal> {
    let variants: Vec<&str> = branches.iter().map(|branch| variant(union, branch)).collect();
    for (index, name) in variants.iter().enumerate() {
        if variants[..index].contains(name) || !names::is_type_name(name) {
            return place.refuse(format_args!("`{name}` stands twice, or is no legal variant"));
        }
    }
    Ok(())
}

/// The member of which every branch requires another value.
fn by_tag(objects: &[(&str, &Object)]) -> Option<String> {
    let tags: Option<Vec<_>> = objects.iter().map(|(_, object)| object.tag.as_ref()).collect();
    let tags = tags?;
    let name = &tags.first()?.name;
    let distinct = tags.iter().enumerate().all(|(index, tag)| {
        tag.name == *name && tags[..index].iter().all(|other| other.value != tag.value)
    });
    distinct.then(|| name.clone())
}

/// The required members of each branch that every other branch forbids. One is enough: a value of
/// the branch has it, so it is of no other.
fn by_members(objects: &[(&str, &Object)], place: &Place) -> Result<ToldBy, Refusal> {
    let mut telling = Vec::new();
    for (name, object) in objects {
        let others: Vec<&Object> =
            objects.iter().filter(|(other, _)| other != name).map(|(_, object)| *object).collect();
        let only: Vec<String> = object
            .required()
            .filter(|member| others.iter().all(|other| other.forbids(member)))
            .map(str::to_owned)
            .collect();
        if only.is_empty() {
            return place.refuse(format_args!(
                "`{name}` cannot be told from the other branches: it needs a required member that \
                 each of them forbids (closed, or `false`), or all need a `const` of the same name"
            ));
        }
        telling.push(only);
    }
    Ok(ToldBy::Members(telling))
}

/// Narrows what tells the branches of a documented union to what tells them in the observed one.
/// A closed branch is told by any member that only it has; the observed profile names those that
/// are meant to tell, and the nearest shape of a faulty value should be the same in both.
pub(crate) fn agree_on_telling(mut documented: Model, observed: &Model) -> Model {
    let definitions = documented.schemas.iter_mut().flat_map(|schema| &mut schema.definitions);
    for definition in definitions {
        let Some(other) = observed.definition(&definition.name) else { continue };
        if let (Shape::Union(mine), Shape::Union(other)) = (&mut definition.shape, &other.shape)
            && let (ToldBy::Members(mine), ToldBy::Members(other)) =
                (&mut mine.told_by, &other.told_by)
        {
            for (mine, other) in mine.iter_mut().zip(other) {
                if mine.iter().any(|name| other.contains(name)) {
                    mine.retain(|name| other.contains(name));
                }
            }
        }
    }
    documented
}
