//! On every page, every row is dropped, renamed, retyped and made optional or required; each time
//! a drift must name the property.

use super::*;
use crate::pages::model::{Kind, Property};
use crate::pages::words;

#[test]
fn every_change_of_every_row_is_a_drift_that_names_the_property() {
    let files = files().into_iter().filter(|file| name(file) != "license-info.older.pt.md");
    let mutants: usize = files.map(|file| check_mutants(&file)).sum();
    assert_eq!(mutants, 4 * (15 * 27 + 8 * 19 + 3 * 18));
    files_of_the_environment().iter().for_each(|file| assert!(check_mutants(file) > 0));
}

/// How many mutants a page has, each of which must be found out.
fn check_mutants(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap();
    let (page, _) = examine(&text, &COMMANDS).unwrap();
    let mut mutants = 0;
    for (object, part) in page.command.objects.iter().zip(&page.parts) {
        for property in part.iter().flat_map(|part| &part.properties) {
            let subject = format!("{}.{}: the page says", object.title, property.name);
            for change in [drop, rename, retype, flip] {
                let found = findings(&change(&text, property));
                let is_drift = |line: &str| line.contains(&subject) && !line.starts_with("warning");
                assert!(found.lines().any(is_drift), "{}: {subject}: {found}", file.display());
                mutants += 1;
            }
        }
    }
    mutants
}

/// The page cut in three: what is above the row, the row, and what follows.
fn cut<'a>(text: &'a str, property: &Property) -> (&'a str, &'a str, &'a str) {
    let start: usize = text.split_inclusive('\n').take(property.line - 1).map(str::len).sum();
    let length = text[start..].split_inclusive('\n').next().unwrap().len();
    (&text[..start], &text[start..start + length], &text[start + length..])
}

fn drop(text: &str, property: &Property) -> String {
    let (above, _, below) = cut(text, property);
    format!("{above}{below}")
}

fn rename(text: &str, property: &Property) -> String {
    let (above, row, below) = cut(text, property);
    let row = with(row, &property.name, &format!("{}Renamed", property.name));
    format!("{above}{row}{below}")
}

fn retype(text: &str, property: &Property) -> String {
    let (above, row, below) = cut(text, property);
    let name_end = row.find(&property.name).unwrap() + property.name.len();
    let starts = row.char_indices().map(|(at, _)| at).filter(|at| *at >= name_end);
    let kind_at = |at| Some((at, words::kind_at_start(&row[at..])?));
    let (start, (kind, rest)) = starts.into_iter().find_map(kind_at).unwrap();
    let new = if kind == Kind::Boolean { "Number" } else { "Boolean" };
    format!("{above}{}{new}{rest}{below}", &row[..start])
}

fn flip(text: &str, property: &Property) -> String {
    let (above, row, below) = cut(text, property);
    if !property.optional {
        let end = row.rfind('|').unwrap_or(row.trim_end().len());
        return format!("{above}{} (optional) {}{below}", &row[..end], &row[end..]);
    }
    // The description may go on below the row.
    let rest = &text[above.len()..];
    let says = |at: &usize| words::is_optional(&rest[at + 1..]);
    let at = rest.match_indices('(').map(|(at, _)| at).find(says).unwrap();
    format!("{above}{}[{}", &rest[..at], &rest[at + 1..])
}
