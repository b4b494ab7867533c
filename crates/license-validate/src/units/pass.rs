//! The fast way through a stream: past units that are certainly valid, where they stand.

use std::io::Read;

use super::{Role, State, Units};
use crate::bytes::{Rest, space};

impl<R: Read> Units<R> {
    /// Moves past units that `accept` reads whole, and says how many they were.
    ///
    /// What is doubtful is left to [`next`](Units::next): a unit that is not accepted, one that the
    /// window breaks off, the first of a stream, and whatever stands between two of them that is
    /// not plainly right.
    pub(crate) fn pass(&mut self, accept: impl Fn(Role, &[u8]) -> Rest<'_>) -> u64 {
        let mut passed = 0;
        while let Some(length) = self.acceptable(&accept) {
            if let State::Elements(_, index) = &mut self.state {
                *index += 1;
            }
            self.window.consume(length);
            passed += 1;
        }
        passed
    }

    /// The length of the next unit, and of what leads to it.
    fn acceptable(&self, accept: impl Fn(Role, &[u8]) -> Rest<'_>) -> Option<usize> {
        let bytes = self.window.bytes();
        let start = space(bytes);
        let rest = match self.state {
            State::Elements(_, index) => {
                let start = if index == 0 { start } else { space(start.strip_prefix(b",")?) };
                let rest = accept(Role::Element(index), start)?;
                matches!(space(rest), [b',' | b']', ..]).then_some(rest)?
            }
            State::Values => {
                let rest = accept(Role::Record, start)?;
                matches!(rest, [b' ' | b'\t' | b'\r' | b'\n', ..]).then_some(rest)?
            }
            State::Lines => {
                let rest = accept(Role::Record, start)?;
                let record = &start[..start.len() - rest.len()];
                // A value that spans lines is one only where lines do not count.
                (!record.contains(&b'\n')).then_some(())?;
                rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?
            }
            State::Start | State::Done => return None,
        };
        let length = bytes.len() - rest.len();
        (length <= self.cut.limit).then_some(length)
    }
}
