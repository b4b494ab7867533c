//! Violations counted by what they have in common, for files with too many to read one by one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use license_types::{Count, Violation, ViolationKind};

use super::table::Rows;

/// How many kinds are counted apart, to bound the memory when hostile input invents names.
const KINDS_MAX: usize = 10_000;

/// Counts of violations by rule and place.
#[derive(Default)]
pub(crate) struct Kinds {
    /// By rule and place; each with its rank in the order in which they were first met.
    kinds: BTreeMap<(String, String), (usize, ViolationKind)>,
    others: u64,
}

impl Kinds {
    /// Counts one more.
    pub(crate) fn add(&mut self, violation: Violation) {
        let met = self.kinds.len();
        let key = (violation.schema_path.clone(), generalised(&violation.instance_path));
        match self.kinds.entry(key) {
            Entry::Occupied(mut kind) => {
                let count = &mut kind.get_mut().1.count;
                *count = counted(count.get() + 1);
            }
            Entry::Vacant(_) if met == KINDS_MAX => self.others += 1,
            Entry::Vacant(vacant) => {
                let (schema_path, instance_path) = vacant.key().clone();
                let count = counted(1);
                let kind = ViolationKind { count, schema_path, instance_path, first: violation };
                vacant.insert((met, kind));
            }
        }
    }

    /// The kinds, the most frequent first and, of equals, the one that was met first; and how many
    /// violations are of further kinds.
    pub(crate) fn sorted(self) -> (Vec<ViolationKind>, u64) {
        let mut kinds: Vec<_> = self.kinds.into_values().collect();
        kinds.sort_by_key(|(met, kind)| (Reverse(kind.count), *met));
        (kinds.into_iter().map(|(_, kind)| kind).collect(), self.others)
    }
}

/// The kinds as a table for people.
pub(crate) fn table(kinds: &[ViolationKind], others: u64, width: Option<u16>) -> String {
    if kinds.is_empty() {
        return String::new();
    }
    let headings = ["violations", "at", "rule", "first"];
    let mut rows = Rows::new(&headings, width).right_aligned(0..1);
    for ViolationKind { count, schema_path, instance_path, first } in kinds {
        let file = first.file.as_deref().unwrap_or_default();
        let place = format!("{file}:{}:{}", first.line, first.column);
        rows.row([&count.to_string(), instance_path, schema_path, &place]);
    }
    if others > 0 {
        rows.row([&others.to_string(), "", "of further kinds", ""]);
    }
    rows.text()
}

/// The pointer with `*` for every index. A member whose name is a number is taken for an index.
fn generalised(pointer: &str) -> String {
    let is_index =
        |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let segments = pointer.split('/').map(|segment| if is_index(segment) { "*" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn counted(number: u64) -> Count {
    Count::new(number).expect("nobody counts to 2^53")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_generalised_and_names_are_not() {
        assert_eq!(generalised("/0/session/ID"), "/*/session/ID");
        assert_eq!(generalised("/products/12/rights/3/count"), "/products/*/rights/*/count");
        assert_eq!(generalised(""), "");
        assert_eq!(generalised("/a1//"), "/a1//");
    }

    #[test]
    fn invented_names_do_not_fill_the_memory() {
        let mut kinds = Kinds::default();
        for number in 0..KINDS_MAX + 5 {
            kinds.add(Violation {
                file: None,
                instance_path: format!("/x{number}"),
                schema_path: String::new(),
                line: counted(1),
                column: counted(1),
                message: String::new(),
                shape: None,
            });
        }
        let (kinds, others) = kinds.sorted();
        assert_eq!((kinds.len(), others), (KINDS_MAX, 5));
    }
}
