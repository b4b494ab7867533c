//! Digests from the bytes that they spell.

use crate::Digest;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// ```
/// use license_types::Digest;
///
/// let digest = Digest::from([0xe3; 32]);
/// assert_eq!(Digest::new(digest.as_str())?, digest);
/// assert!(digest.as_str().starts_with("e3e3"));
/// # Ok::<(), license_types::Invalid>(())
/// ```
impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Digest {
        let digits = Digest::digits(&bytes).to_vec();
        Digest(String::from_utf8(digits).expect("digits are ASCII"))
    }
}

impl Digest {
    /// The ASCII text of the digest that these bytes are, for who writes many.
    ///
    /// ```
    /// assert_eq!(license_types::Digest::digits(&[0x0a; 32])[..4], *b"0a0a");
    /// ```
    pub fn digits(bytes: &[u8; 32]) -> [u8; 64] {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        digits
    }
}
