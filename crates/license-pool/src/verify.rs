//! Whether a license document is believed: the place where signatures come in.

/// A document that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The bytes of the License info document itself.
    pub document: Vec<u8>,
    /// Whether a signature vouches for it.
    pub signed: bool,
}

/// Why a document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VerifyError(pub String);

/// Judges the bytes that are to be installed, before anything reads them.
pub trait Verifier: Send + Sync {
    /// Takes the document out of what was handed in.
    ///
    /// # Errors
    /// When it is not to be believed.
    fn verify(&self, bytes: &[u8]) -> Result<Verified, VerifyError>;
}

/// Believes every document and says that none is signed; what looks signed is refused later on,
/// rather than read as unsigned.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptUnsigned;

impl Verifier for AcceptUnsigned {
    fn verify(&self, bytes: &[u8]) -> Result<Verified, VerifyError> {
        Ok(Verified { document: bytes.to_vec(), signed: false })
    }
}
