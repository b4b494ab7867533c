//! The chain: each entry carries the hash of the entry before and itself, so that no line of a log
//! can be changed, dropped or put in between without notice.

use std::{fmt, str::FromStr};

use license_types::{Invalid, documented};
use sha2::{Digest as _, Sha256};

use crate::{Breach, Entry, Fault, Ledger};

/// A SHA-256.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    ///
    /// ```
    /// let digest = license_core::Digest::of(b"");
    /// assert!(digest.to_string().starts_with("e3b0c44298fc1c14"));
    /// ```
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The 32 bytes themselves.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    pub(crate) fn from_hasher(hasher: Sha256) -> Digest {
        Digest(hasher.finalize().into())
    }

    pub(crate) fn to_wire(self) -> documented::Digest {
        self.0.into()
    }

    pub(crate) fn from_wire(wire: &documented::Digest) -> Digest {
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit.wrapping_sub(b'a').wrapping_add(10) & 0xf,
        };
        let digits = wire.as_str().as_bytes();
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Digest(bytes)
    }
}

/// Reads 64 lower-case hexadecimal digits.
impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Digest, Invalid> {
        documented::Digest::new(text).map(|digest| Digest::from_wire(&digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_wire().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Entry {
    /// The chain value of this entry after `previous`: SHA-256 of the previous value's bytes and
    /// this entry's JSON, in which a digest stands for the description and the chain is left out.
    pub fn link(&self, previous: &Digest) -> Digest {
        let json = serde_json::to_string(&self.to_wire_erased()).expect("entries have text keys");
        // The chain is the last member of an entry, and a digest holds nothing that JSON escapes.
        let (hashed, _) = json.rsplit_once(",\"chain\":").expect("every entry has a chain");
        let mut hasher = Sha256::new();
        hasher.update(previous.bytes());
        hasher.update(hashed);
        hasher.update("}");
        Digest::from_hasher(hasher)
    }
}

impl Ledger {
    /// Whether `entry` is the one that its chain value says, after this ledger's last.
    ///
    /// # Errors
    /// [`Breach::Chain`] when any field of it was changed, or one before it.
    ///
    /// ```
    /// use license_core::{Breach, Event, Ledger, Stamp};
    ///
    /// let ledger = Ledger::new();
    /// let mut entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), "2026-01-05T10:00Z".parse()?);
    /// ledger.verify(&entry)?;
    /// entry.stamp.epoch = 7;
    /// assert_eq!(ledger.verify(&entry).unwrap_err().breach, Breach::Chain);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self, entry: &Entry) -> Result<(), Fault> {
        let link = entry.link(&self.head().chain);
        if link == entry.chain { Ok(()) } else { Err(Fault::new(entry.sequence, Breach::Chain)) }
    }

    /// [Verifies](Self::verify) and applies an entry that was read back from a log.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply), and [`Breach::Chain`].
    pub fn replay(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.verify(entry)?;
        self.apply(entry)?;
        // Whoever appended it wrote them down.
        self.take_figures();
        Ok(())
    }
}
