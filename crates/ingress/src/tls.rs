//! TLS of the doors: rustls with our certificate, and authorities that vouch for peers where they must show one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

/// The files of listeners with TLS, in PEM form; they are read anew when they change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Our certificate, and those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities that must vouch for a peer's certificate; `None`: peers need none.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS can't be spoken with these files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds nothing that is looked for in it.
    #[error("{path}: {why}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Key and certificate don't belong together, or are of a kind that isn't known.
    #[error("{certificate} can't be used with the key {key}: {why}", certificate = .certificate.display(), key = .key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        why: String,
    },
    /// A `tls` listener without a certificate.
    #[error("a tls listener needs a certificate and its key")]
    Missing,
}

impl TlsFiles {
    /// Whether the files can be read and belong together. Blocks on the disk.
    ///
    /// # Errors
    /// With the first that can't be used, and why.
    pub fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    /// Reads the files: what handshakes are made with, TLS 1.2 or 1.3.
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let pair = |error: Error| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            why: error.to_string(),
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(pair)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut authorities = RootCertStore::empty();
                for certificate in certificates(path)? {
                    authorities.add(certificate).map_err(|error| unusable(path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| unusable(path, &error))?)
            }
        };
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unusable(&self.key, &error))?;
        Ok(Arc::new(builder.with_single_cert(chain, key).map_err(pair)?))
    }

    /// What changes when a file is written or replaced.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let stamp = |path: &PathBuf| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        };
        files.into_iter().flatten().map(stamp).collect()
    }
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unusable(path, &error))?;
    if found.is_empty() { Err(unusable(path, &"no certificate in it")) } else { Ok(found) }
}

/// The files as they were when they last made sense.
#[derive(Debug)]
pub struct Credentials {
    /// Whose they are, for the log.
    whose: &'static str,
    files: TlsFiles,
    stamps: Vec<Option<(SystemTime, u64)>>,
    config: Arc<ServerConfig>,
    /// What was last said about files that can't be used, so that it is said once.
    complaint: Option<TlsError>,
}

impl Credentials {
    /// Reads the files of `whose` listener. Blocks on the disk.
    ///
    /// # Errors
    /// When they can't be used.
    pub fn read(files: TlsFiles, whose: &'static str) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let config = files.load()?;
        Ok(Self { whose, files, stamps, config, complaint: None })
    }

    /// What handshakes are made with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Reads the files anew if they have changed; what can't be used changes nothing, and is tried again the next time, since
    /// files are not replaced in one instant. Blocks on the disk.
    pub fn refresh(&mut self) -> Arc<ServerConfig> {
        let stamps = self.files.stamps();
        if stamps != self.stamps {
            match self.files.load() {
                Ok(config) => {
                    let certificate = self.files.certificate.display();
                    tracing::info!(%certificate, listener = self.whose, "the new certificate is shown");
                    (self.stamps, self.config, self.complaint) = (stamps, config, None);
                }
                Err(error) if self.complaint.as_ref() != Some(&error) => {
                    let listener = self.whose;
                    tracing::warn!(%error, listener, "the new TLS files can't be used: the ones before stay in use");
                    self.complaint = Some(error);
                }
                Err(_) => {}
            }
        }
        Arc::clone(&self.config)
    }
}

/// What is wrong with a handshake, in words for whoever runs the peer.
pub(crate) fn fault(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else {
        return format!("the connection broke: {error}");
    };
    match error {
        Error::NoCertificatesPresented => "the peer shows no certificate, and must".to_owned(),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the peer's certificate has expired".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the peer's certificate is not valid yet".to_owned()
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the peer's certificate is of no known authority".to_owned()
        }
        Error::InvalidCertificate(other) => format!("the peer's certificate can't be used: {other:?}"),
        Error::AlertReceived(alert) => format!("the peer refuses our certificate or what we speak: {alert:?}"),
        Error::InvalidMessage(_) => "the peer does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, InvalidMessage};

    #[test]
    fn a_failed_handshake_says_what_is_wrong() {
        for (error, said) in [
            (Error::NoCertificatesPresented, "no certificate"),
            (Error::InvalidCertificate(CertificateError::Expired), "has expired"),
            (Error::InvalidCertificate(CertificateError::NotValidYet), "not valid yet"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "no known authority"),
            (Error::InvalidCertificate(CertificateError::Revoked), "Revoked"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "refuses our certificate"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "does not speak TLS"),
            (Error::HandshakeNotComplete, "handshake"),
        ] {
            let fault = fault(&io::Error::new(io::ErrorKind::InvalidData, error));
            assert!(fault.contains(said), "{fault}");
        }
        assert!(fault(&io::ErrorKind::ConnectionReset.into()).contains("broke"));
    }
}
