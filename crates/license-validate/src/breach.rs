//! Findings on their way to a [`Violation`]: first a pointer, then, once all are known, a place.

use license_types::{Count, Violation};

use crate::{locate, place::Place};

/// One place of a value that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// JSON Pointer into the value.
    pub(crate) at: String,
    /// JSON Pointer into the schema, or the name of a rule.
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) shape: Option<String>,
}

/// Finds where in `text`, which begins at `place`, each breach stands; in the order of the text.
pub(crate) fn violations(breaches: Vec<Breach>, text: &[u8], place: Place) -> Vec<Violation> {
    let pointers: Vec<&str> = breaches.iter().map(|breach| breach.at.as_str()).collect();
    let offsets = locate::offsets(text, &pointers);
    let mut found: Vec<(usize, Breach)> = offsets.into_iter().zip(breaches).collect();
    found.sort_by(|(left_offset, left), (right_offset, right)| {
        (left_offset, &left.at, &left.rule).cmp(&(right_offset, &right.at, &right.rule))
    });
    let mut reached = (0, place);
    let violation = |(offset, breach): (usize, Breach)| {
        reached = (offset, reached.1.after(&text[reached.0..offset]));
        Violation {
            file: None,
            instance_path: breach.at,
            schema_path: breach.rule,
            line: count(reached.1.line),
            column: count(reached.1.column),
            message: breach.message,
            shape: breach.shape,
        }
    };
    found.into_iter().map(violation).collect()
}

/// Moves a violation to where it stands in the whole input: of a part that begins at `base`, and
/// of an element that was judged alone at its index.
pub(crate) fn moved(violation: Violation, base: Place, element: Option<u64>) -> Violation {
    let inner = Place { line: violation.line.get(), column: violation.column.get() };
    let place = base.of(inner);
    Violation {
        line: count(place.line),
        column: count(place.column),
        instance_path: match element {
            Some(index) => format!("/{index}{}", violation.instance_path),
            None => violation.instance_path,
        },
        ..violation
    }
}

fn count(number: u64) -> Count {
    Count::new(number).expect("no input has 2^53 lines or columns")
}
