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
        let (role, start) = match self.state {
            State::Elements(_, 0) => (Role::Element(0), start),
            State::Elements(_, index) => (Role::Element(index), space(start.strip_prefix(b",")?)),
            State::Values | State::Lines => (Role::Record, start),
            State::Start | State::Done => return None,
        };
        let mut rest = accept(role, start)?;
        // Of a value that the window breaks off, the start may look like one: `12` of `123`.
        matches!(rest.first()?, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']').then_some(())?;
        if let State::Lines = self.state {
            // A value that spans lines is one only where lines do not count.
            let record = &start[..start.len() - rest.len()];
            (!record.contains(&b'\n')).then_some(())?;
            rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
        }
        let length = bytes.len() - rest.len();
        (length <= self.cut.limit).then_some(length)
    }
}
