//! Patterns: only what ECMA, Rust and Python read alike.

use super::keywords::{Place, Refusal};

/// Accepts literals, classes of ASCII ranges, groups, alternatives, counts and anchors. A class
/// has no nested class, and neither a backslash nor a dot has its special meaning anywhere: both
/// differ between engines, and `[.]` says what a dot would.
pub(crate) fn check(pattern: &str, place: &Place) -> Result<(), Refusal> {
    if !pattern.is_ascii() || pattern.contains(|letter: char| letter.is_ascii_control()) {
        return place.refuse("only printable ASCII is read alike everywhere");
    }
    let mut rest = pattern.chars().peekable();
    let mut depth = 0_i32;
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => return place.refuse("backslashes differ between engines: write a class"),
            '.' => return place.refuse("a bare dot differs between engines: write a class"),
            '[' => {
                let class: String = rest.by_ref().take_while(|letter| *letter != ']').collect();
                if class.is_empty()
                    || class.contains(['\\', '[', '&', '~', '^'])
                    || class.contains("--")
                {
                    return place
                        .refuse(format_args!("[{class}] is no plain class of ASCII ranges"));
                }
            }
            '(' if rest.peek() == Some(&'?') => {
                return place.refuse("groups with a question mark differ between engines");
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            '{' => {
                let count: String = rest.by_ref().take_while(|letter| *letter != '}').collect();
                if !count
                    .split(',')
                    .all(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit()))
                {
                    return place
                        .refuse(format_args!("{{{count}}} is no count such as {{2}} or {{1,3}}"));
                }
            }
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    if depth != 0 {
        return place.refuse("its parentheses do not match");
    }
    Ok(())
}
