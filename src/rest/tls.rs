//! TLS of the listeners: the certificate they present, and the client certificates they ask for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kvs_client::files;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, crypto};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::config::rest::TlsFiles;

/// Reasons why a listener's TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The error.
        source: files::FileError,
    },
    /// A file is not PEM, or does not contain what is expected.
    #[error("{}: {source}", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// The error.
        source: pem::Error,
    },
    /// A certificate file is empty.
    #[error("{}: it contains no certificate", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// A certificate or its key is not accepted.
    #[error("{}: {source}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// The error.
        source: rustls::Error,
    },
    /// The certificate authorities for client certificates are not accepted.
    #[error("{}: {source}", file.display())]
    ClientCa {
        /// The file.
        file: PathBuf,
        /// The error.
        source: VerifierBuilderError,
    },
    /// The TLS library does not support what is needed.
    #[error(transparent)]
    Library(rustls::Error),
}

/// Returns an acceptor for connections with these files.
///
/// # Errors
/// When a file cannot be used, with the file and the reason.
pub(super) fn acceptor(tls_files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&tls_files.certificate)?;
    let key = read(&tls_files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key);
    let key = key.map_err(|source| TlsError::Pem { file: tls_files.key.clone(), source })?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?;
    let builder = match &tls_files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|source| TlsError::Certificate { file: file.clone(), source })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let verifier = verifier.map_err(|source| TlsError::ClientCa { file: file.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, key);
    let mut config = config.map_err(|source| TlsError::Certificate { file: tls_files.certificate.clone(), source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    files::read(file).map_err(|source| TlsError::File { file: file.to_owned(), source })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|source| TlsError::Pem { file: file.to_owned(), source })?;
    if read.is_empty() { Err(TlsError::NoCertificate { file: file.to_owned() }) } else { Ok(read) }
}

/// Returns the host names in a certificate; none if it cannot be read, which [`acceptor`] reports.
pub(super) fn names(file: &Path) -> Vec<String> {
    let chain = certificates(file).unwrap_or_default();
    let Some(first) = chain.first() else { return Vec::new() };
    let Ok((_, certificate)) = X509Certificate::from_der(first) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns_name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(dns_name).collect()
}

/// Returns the common name of a certificate's subject.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    Some(name)
}
