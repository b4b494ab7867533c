//! JSON Pointers to offsets: where in its text the value stands that a violation is about.

use std::collections::BTreeMap;

use crate::{split, window::is_space};

/// The offset in `text` of each value that `pointers` name, in their order. Of duplicated members
/// the last is meant, as in the value that was judged. One pass, whatever their number.
///
/// `text` is JSON that a parser has read; a pointer that names nothing gives the offset 0.
pub(crate) fn offsets(text: &[u8], pointers: &[&str]) -> Vec<usize> {
    let mut root = Wanted::default();
    for pointer in pointers {
        root.descend(pointer);
    }
    let start = spaces(text);
    root.visit(text, start);
    pointers.iter().map(|pointer| root.descend(pointer).offset).collect()
}

/// A value that is looked for, or one on the way to it.
#[derive(Default)]
struct Wanted {
    offset: usize,
    members: BTreeMap<String, Wanted>,
}

impl Wanted {
    fn descend(&mut self, pointer: &str) -> &mut Wanted {
        pointer
            .split('/')
            .skip(1)
            .fold(self, |wanted, segment| wanted.members.entry(unescape(segment)).or_default())
    }

    /// Notes where the value at `start` and the wanted ones inside it stand; returns its end.
    fn visit(&mut self, text: &[u8], start: usize) -> usize {
        self.offset = start;
        let in_object = match text.get(start) {
            Some(b'{') if !self.members.is_empty() => true,
            Some(b'[') if !self.members.is_empty() => false,
            _ => return start + split::length(&text[start..]),
        };
        let mut at = start + 1;
        for index in 0.. {
            at += spaces(&text[at..]);
            if matches!(text.get(at), None | Some(b'}' | b']')) {
                break;
            }
            let name = if in_object {
                let end = at + split::length(&text[at..]);
                let name = serde_json::from_slice(&text[at..end]).unwrap_or_default();
                at = end + spaces(&text[end..]) + 1; // the colon
                at += spaces(text.get(at..).unwrap_or_default());
                name
            } else {
                index.to_string()
            };
            at = match self.members.get_mut(&name) {
                Some(wanted) => wanted.visit(text, at),
                None => at + split::length(text.get(at..).unwrap_or_default()),
            };
            at += spaces(text.get(at..).unwrap_or_default());
            at += usize::from(text.get(at) == Some(&b','));
        }
        at + 1
    }
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| is_space(byte)).count()
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}
