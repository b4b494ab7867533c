//! TLS: a certificate from files, which are read again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How often the files are checked for changes, at most.
const LOOK: Duration = Duration::from_secs(1);

/// A certificate with its key, read from files; when those change, so does the certificate.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    config: Arc<ServerConfig>,
    stamps: [Option<SystemTime>; 2],
    looked: Instant,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or does not contain a certificate or key in PEM.
    #[error("{} cannot be read as PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("the certificate cannot be used with its key")]
    Pair(#[source] rustls::Error),
}

impl Certificate {
    /// Reads a certificate chain, the server's own certificate first, and its key: both in PEM.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn read(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Certificate, CertificateError> {
        let (chain, key) = (chain.into(), key.into());
        let stamps = stamps(&chain, &key);
        let config = config(&chain, &key)?;
        let read = Mutex::new(Read { config, stamps, looked: Instant::now() });
        Ok(Certificate { chain, key, read })
    }

    /// The configuration for a new connection, read again if the files have changed.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.looked.elapsed() >= LOOK {
            read.looked = Instant::now();
            let stamps = stamps(&self.chain, &self.key);
            if stamps != read.stamps {
                // While the files are being replaced, they may not match: then the old certificate stays
                // in use, and the next check tries again.
                match config(&self.chain, &self.key) {
                    Ok(config) => {
                        (read.config, read.stamps) = (config, stamps);
                        tracing::info!("read the certificate again");
                    }
                    Err(error) => {
                        let error = crate::failure::chain(&error);
                        tracing::warn!(error, "the new certificate cannot be used");
                    }
                }
            }
        }
        read.config.clone()
    }
}

fn stamps(chain: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [chain, key].map(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn config(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| CertificateError::File { path, source }
    };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect).map_err(file(chain))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(CertificateError::Pair)?;
    Ok(Arc::new(config))
}
