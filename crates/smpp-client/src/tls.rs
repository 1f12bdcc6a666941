//! TLS to an SMSC: rustls, with the authorities of the system or of a file, and our own certificate where the SMSC asks for one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::settings::TlsSettings;
use crate::state::TlsFault;

/// Why TLS can't be spoken with these settings.
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
    /// A certificate of our own without its key, or the other way round.
    #[error("a certificate of our own needs its key, and a key its certificate")]
    Half,
    /// Key and certificate don't belong together.
    #[error("our own certificate can't be used: {0}")]
    Own(String),
    /// No authority at all.
    #[error("the system has no certificates of authorities: name a file of them")]
    NoAuthority,
    /// The name that is to be in the SMSC's certificate is no name.
    #[error("{0:?} is no name that a certificate could have")]
    Name(String),
}

impl TlsSettings {
    /// Whether its files can be read and belong together; `host` is the SMSC's.
    ///
    /// # Errors
    /// With the first that can't be used.
    pub fn check(&self, host: &str) -> Result<(), TlsError> {
        self.load(host).map(drop)
    }

    /// Reads the files: what a connection to `host` is made with, and the name that is asked for.
    pub(crate) fn load(&self, host: &str) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        let provider = Arc::new(ring::default_provider());
        let own = |error: Error| TlsError::Own(error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(own)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Known::new(self.ca.as_deref(), provider)?));
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let read = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
                builder.with_client_auth_cert(certificates(certificate)?, read).map_err(own)?
            }
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        Ok((Arc::new(config), server))
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

/// Takes what an authority signed for this name; and a certificate that is in the file itself, whatever name it has: many SMSCs sign their own.
#[derive(Debug)]
struct Known {
    provider: Arc<CryptoProvider>,
    authorities: Arc<WebPkiServerVerifier>,
    themselves: Vec<CertificateDer<'static>>,
}

impl Known {
    fn new(ca: Option<&Path>, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let mut themselves = Vec::new();
        match ca {
            None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
            Some(path) => {
                themselves = certificates(path)?;
                for certificate in &themselves {
                    roots.add(certificate.clone()).map_err(|error| unusable(path, &error))?;
                }
            }
        }
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Ok(Self { provider, authorities: authorities.map_err(|_| TlsError::NoAuthority)?, themselves })
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.themselves.iter().any(|known| known == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a failed handshake comes to, if TLS is what failed.
pub(crate) fn fault(error: &std::io::Error) -> Option<TlsFault> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            TlsFault::Expired
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsFault::WrongName,
        Error::InvalidCertificate(_) => TlsFault::Untrusted,
        Error::AlertReceived(_) => TlsFault::Refused,
        _ => TlsFault::NotSpoken,
    })
}
