//! Escapes text for a terminal, so that what others wrote cannot control it.

pub(crate) use license_types::escaped;

/// A text whose line breaks are our own, with each line escaped.
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
