//! Text for a terminal.

pub(crate) use license_types::escaped;

/// Text whose line breaks are ours, each line of it harmless.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_of_our_own_are_kept() {
        assert_eq!(escaped_lines("one\u{1b}\ntwo"), "one\\u{1b}\ntwo");
    }
}
