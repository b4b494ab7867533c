//! The secret that a client sends to show who asks; it is kept out of every message.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// A credential is shorter than this: a longer file is the wrong one.
const BYTES_MAX: u64 = 4096;

/// The secret of a credential, as `license credential create` prints it. No message shows it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// This text as a secret.
    ///
    /// # Errors
    /// When it is not one word of visible ASCII; the message does not repeat it.
    pub fn new(text: impl Into<String>) -> Result<Secret, Error> {
        let text = text.into();
        let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match sound {
            true => Ok(Secret(text)),
            false => Err(Error::setup("a credential is one word of visible ASCII characters")),
        }
    }

    /// Reads the secret from a file that holds nothing else but a line break at its end.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn from_file(path: &Path) -> Result<Secret, Error> {
        let mut text = String::new();
        let unreadable = |error| {
            Error::setup_because(format!("cannot read the credential in {}", path.display()), error)
        };
        let file = File::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        Secret::new(text.trim_end_matches(['\r', '\n']))
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
