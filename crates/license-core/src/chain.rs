//! The chain: each entry carries the hash of the entry before and itself, so that no line of a log
//! can be changed, dropped or put in between without notice.

use std::{fmt, str::FromStr};

use license_types::{Invalid, Sequence, documented};
use sha2::{Digest as _, Sha256};

use crate::{
    Breach, Entry, Event, Fault, Ledger, Released, Retained, Stamp, json::Json,
    ledger::milliseconds, wire::count,
};

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

    /// The digest of some bytes that come in pieces.
    ///
    /// ```
    /// use license_core::Digest;
    ///
    /// assert_eq!(Digest::of_all(["pie", "ces"]), Digest::of(b"pieces"));
    /// ```
    pub fn of_all<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Digest {
        let mut hasher = Sha256::new();
        pieces.into_iter().for_each(|piece| hasher.update(piece));
        Digest::from_hasher(hasher)
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
        Digest::spelled(wire.as_str()).expect("a digest is 64 hexadecimal digits")
    }

    fn spelled(digits: &str) -> Option<Digest> {
        let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        let mut all = 0;
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| NIBBLES[usize::from(digit)]);
            all |= high | low;
            *byte = high << 4 | low;
        }
        (all < 16).then_some(Digest(bytes))
    }
}

/// The value of each lower-case hexadecimal digit; of any other byte, more than four bits.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [u8::MAX; 256];
    let digits = b"0123456789abcdef";
    let mut nibble = 0;
    while nibble < 16 {
        nibbles[digits[nibble] as usize] = nibble as u8;
        nibble += 1;
    }
    nibbles
};

/// Reads 64 lower-case hexadecimal digits.
impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Digest, Invalid> {
        match Digest::spelled(text) {
            Some(digest) => Ok(digest),
            None => documented::Digest::new(text).map(|digest| Digest::from_wire(&digest)),
        }
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
        // One piece is hashed fastest.
        let mut linked = Vec::with_capacity(1024);
        linked.extend_from_slice(previous.bytes());
        if !self.write_frequent(&mut linked) {
            linked.truncate(previous.bytes().len());
            linked.extend_from_slice(self.json_without_chain().as_bytes());
        }
        Digest::of(&linked)
    }

    /// The JSON of [`to_wire`](Self::to_wire), mostly without building that first: everybody who
    /// follows the log gets it.
    ///
    /// ```
    /// use license_core::{Event, Ledger, Stamp};
    ///
    /// let now = "2026-01-05T10:00:00Z".parse()?;
    /// let entry = Ledger::new().seal(Event::ClockCorrected, &Stamp::local(), now);
    /// assert_eq!(entry.to_json(), serde_json::to_string(&entry.to_wire())?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(&self) -> String {
        let mut written = Vec::with_capacity(1024);
        if !self.write_frequent(&mut written) {
            return serde_json::to_string(&self.to_wire()).expect("entries have text keys");
        }
        // The event is the last member there, and its description would be its last.
        written.truncate(written.len() - "}}".len());
        let mut json = Json(&mut written);
        if let Event::Retained(retained) = &self.event
            && let Some(description) = retained.identity.kept()
        {
            json.put(r#","description":"#).put(description.text());
        }
        json.put(r#"},"chain":""#).digest(self.chain).put("\"}");
        String::from_utf8(written).expect("JSON is text")
    }

    fn json_without_chain(&self) -> String {
        let mut json =
            serde_json::to_string(&self.to_wire_erased()).expect("entries have text keys");
        // The chain is the last member of an entry, and a digest holds nothing that JSON escapes.
        let end = json.rfind(",\"chain\":").expect("every entry has a chain");
        json.replace_range(end.., "}");
        json
    }

    /// Writes the same JSON for the most frequent entries, retentions and releases, without copying
    /// what they hold. Says whether this is one; otherwise what was written is of no use.
    fn write_frequent(&self, out: &mut Vec<u8>) -> bool {
        // Every struct is destructured in full, so that a new field cannot be forgotten here.
        let Entry { sequence, time, stamp, event, chain: _ } = self;
        let Stamp { server, epoch, batch, principal } = stamp;
        let mut json = Json(out);
        let sequence = Sequence::new(*sequence).unwrap_or(Sequence::MAX);
        json.put(r#"{"sequence":"#).number(sequence.get());
        json.put(r#","time":""#).time(*time);
        json.put(r#"","server":"#).text(server.as_str());
        json.put(r#","epoch":"#).number(count(*epoch).get());
        json.put(r#","batch":""#).put(batch.as_str()).put("\"");
        if let Some(principal) = principal {
            json.put(r#","principal":"#).text(principal.as_str());
        }
        match event {
            Event::Retained(retained) => {
                let Retained {
                    session,
                    product,
                    product_name,
                    used_count,
                    balance,
                    global_used_count,
                    token,
                    reason,
                    lease_seconds,
                    identity,
                } = &**retained;
                json.put(r#","event":{"kind":"retained","sessionId":""#).put(session.as_str());
                json.put(r#"","productId":"#).number(product.get());
                json.put(r#","productName":"#).text(product_name);
                json.put(r#","productUsedCount":"#).number(count(*used_count).get());
                json.put(r#","productBalance":"#).number(count(*balance).get());
                json.put(r#","globalProductUsedCount":"#).number(count(*global_used_count).get());
                json.put(r#","token":"#).number(token.get());
                json.put(r#","reason":"#).text(reason.as_str());
                if let Some(lease) = lease_seconds {
                    json.put(r#","leaseSeconds":"#).number(lease.get());
                }
                json.put(r#","descriptionDigest":""#).digest(identity.digest()).put(r#""}}"#);
            }
            Event::Released(Released { token, session, product, cause, note }) => {
                json.put(r#","event":{"kind":"released","token":"#).number(token.get());
                json.put(r#","sessionId":""#).put(session.as_str());
                json.put(r#"","productId":"#).number(product.get());
                json.put(r#","cause":""#).put(cause.as_str()).put("\"");
                if let Some(note) = note {
                    json.put(r#","note":"#).text(note);
                }
                json.put("}}");
            }
            Event::Installed(_)
            | Event::Uninstalled { .. }
            | Event::Refused(_)
            | Event::StateChanged { .. }
            | Event::Described { .. }
            | Event::Moved { .. }
            | Event::Adopted { .. }
            | Event::ClockCorrected => return false,
        }
        true
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
        // The hash covers milliseconds only, so a time with more digits was not written by us.
        let is_whole = milliseconds(entry.time) == entry.time;
        match link == entry.chain && is_whole {
            true => Ok(()),
            false => Err(Fault::new(entry.sequence, Breach::Chain)),
        }
    }

    /// [Verifies](Self::verify) and applies an entry that was read back from a log.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply), and [`Breach::Chain`].
    pub fn replay(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.verify(entry)?;
        self.apply(entry)?;
        // Whoever appended the entry wrote its figures down.
        self.take_figures();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use license_types::{
        LeaseSeconds, Principal, ProductId, ReleaseCause, Session, SessionId, Token,
    };

    use super::*;
    use crate::{Description, Identity};

    #[test]
    fn a_time_that_nobody_wrote_breaks_the_chain() {
        let now = "2026-01-05T10:00:00.12Z".parse().unwrap();
        let mut entry = Ledger::new().seal(Event::ClockCorrected, &Stamp::local(), now);
        Ledger::new().verify(&entry).unwrap();
        entry.time = "2026-01-05T10:00:00.120001Z".parse().unwrap();
        let fault = Ledger::new().verify(&entry).unwrap_err();
        assert_eq!(fault.breach, Breach::Chain);
    }

    #[test]
    fn what_entries_mostly_are_is_hashed_and_told_as_its_json() {
        let session: Arc<SessionId> = Arc::new("job-7".parse().unwrap());
        let product: ProductId = "0009".parse().unwrap();
        let description = Description::new(Session::rest("ann", "job", "127.0.0.1"));
        let retained = |lease_seconds, identity: &Identity| {
            Event::Retained(Arc::new(Retained {
                session: session.clone(),
                product,
                product_name: "4D \\ \n".into(),
                used_count: 3,
                balance: u64::MAX,
                global_used_count: 7,
                token: Token::new(5).unwrap(),
                reason: Arc::new("why".parse().unwrap()),
                lease_seconds,
                identity: identity.clone(),
            }))
        };
        let released = |note: Option<&str>| {
            let (session, note) = (session.clone(), note.map(Arc::from));
            let (token, cause) = (Token::new(5).unwrap(), ReleaseCause::Revoked);
            Event::Released(Released { token, session, product, cause, note })
        };
        let lease = Some(LeaseSeconds::new(60).unwrap());
        let principal = Some(Arc::new("ann".parse::<Principal>().unwrap()));
        let kept = Identity::Kept(description.clone());
        let erased = Identity::Erased(description.digest());
        let events = [
            retained(None, &kept),
            retained(lease, &kept),
            retained(None, &erased),
            released(None),
            released(Some("\"gone\"\u{7}é")),
        ];
        for (event, principal) in events.into_iter().zip([None, principal].into_iter().cycle()) {
            let stamp = Stamp { principal, ..Stamp::local() };
            let entry =
                Ledger::new().seal(event, &stamp, "2026-01-05T10:00:00.12Z".parse().unwrap());
            let mut written = Vec::new();
            assert!(entry.write_frequent(&mut written));
            assert_eq!(str::from_utf8(&written).unwrap(), entry.json_without_chain());
            assert_eq!(entry.to_json(), serde_json::to_string(&entry.to_wire()).unwrap());
        }
    }
}
