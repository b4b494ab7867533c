//! Text from others, harmless wherever it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character escaped that could move the cursor, change colors or reorder
/// what a reader sees: control characters, bidirectional marks and invisible ones. It is one line.
///
/// ```
/// assert_eq!(license_types::escaped("ann\n\u{202e}nimda"), "ann\\n\\u{202e}nimda");
/// assert_eq!(license_types::escaped("Ann Müller"), "Ann Müller");
/// ```
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            hostile if is_hostile(hostile) => {
                write!(escaped, "\\u{{{:x}}}", u32::from(hostile)).expect("a String takes all");
            }
            harmless => escaped.push(harmless),
        }
    }
    Cow::Owned(escaped)
}

fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'       // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}'       // line and paragraph separators, embeddings, overrides
            | '\u{2060}'..='\u{206f}'       // joiners, isolates, deprecated format characters
            | '\u{fff9}'..='\u{fffb}'       // interlinear annotations
            | '\u{e0000}'..='\u{e007f}') // tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in ["", "Ann Müller", "日本語 🎫", r"DOMAIN\ann", "العربية"] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_could_fool_a_reader_is_shown_as_an_escape() {
        for (hostile, shown) in [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
            ("\u{2066}\u{2069}\u{200f}", "\\u{2066}\\u{2069}\\u{200f}"),
            ("pay\u{200b}pal", "pay\\u{200b}pal"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\u{61c}\u{200e}\u{2028}\u{2029}", "\\u{61c}\\u{200e}\\u{2028}\\u{2029}"),
        ] {
            assert_eq!(escaped(hostile), shown);
        }
    }
}
