//! Writes JSON by hand, piece by piece. Entries and records are written with it, since that takes a
//! fraction of the time of copying them into a struct to be serialized. Tests compare what it writes
//! with what is serialized.

use jiff::Timestamp;
use license_types::DateTime;

use crate::Digest;

/// JSON that is being written.
pub(crate) struct Json<'b>(pub(crate) &'b mut Vec<u8>);

impl Json<'_> {
    /// JSON as it stands, or text in which nothing needs to be escaped.
    #[inline]
    pub(crate) fn put(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        serde_json::to_writer(&mut *self.0, &number).expect("a growing buffer takes every number");
        self
    }

    /// Any text, in quotation marks.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            return self.put("\"").put(text).put("\"");
        }
        serde_json::to_writer(&mut *self.0, text).expect("a growing buffer takes every text");
        self
    }

    pub(crate) fn time(&mut self, time: Timestamp) -> &mut Self {
        self.0.extend_from_slice(&DateTime::digits(time));
        self
    }

    pub(crate) fn digest(&mut self, digest: Digest) -> &mut Self {
        self.0.extend_from_slice(&license_types::Digest::digits(digest.bytes()));
        self
    }
}
