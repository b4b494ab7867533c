//! Patterns of texts. The generator reads them, so that here they are data and need no compiling.

/// A part of a pattern.
pub(crate) enum Part {
    /// So many bytes within ranges of ASCII: pairs of the first and the last byte.
    Class(&'static [u8], u32, u32),
    /// One of several sequences.
    Either(&'static [&'static [Part]]),
    /// One of several sequences, or nothing.
    Maybe(&'static [&'static [Part]]),
}

/// Whether the whole text matches.
pub(crate) fn matches(pattern: &[Part], text: &str) -> bool {
    match pattern {
        // Most are no more than that: of how many of which bytes.
        [Part::Class(ranges, minimum, maximum)] => {
            (*minimum as usize..=*maximum as usize).contains(&text.len())
                && text.bytes().all(|byte| is_within(ranges, byte))
        }
        parts => start_matches(parts, text.as_bytes(), &<[u8]>::is_empty),
    }
}

/// Whether the parts match the start of a text, and `then` what is left.
fn start_matches(parts: &[Part], text: &[u8], then: &dyn Fn(&[u8]) -> bool) -> bool {
    let Some((part, parts)) = parts.split_first() else { return then(text) };
    let then = |rest: &[u8]| start_matches(parts, rest, then);
    let any = |sequences: &[&[Part]]| sequences.iter().any(|it| start_matches(it, text, &then));
    match part {
        Part::Class(ranges, minimum, maximum) => {
            let within = text.iter().take_while(|byte| is_within(ranges, **byte));
            let longest = within.take(*maximum as usize).count();
            (*minimum as usize..=longest).rev().any(|length| then(&text[length..]))
        }
        Part::Either(sequences) => any(sequences),
        Part::Maybe(sequences) => any(sequences) || then(text),
    }
}

/// Whether a byte is in one of the ranges.
fn is_within(ranges: &[u8], byte: u8) -> bool {
    ranges.chunks_exact(2).any(|range| (range[0]..=range[1]).contains(&byte))
}
