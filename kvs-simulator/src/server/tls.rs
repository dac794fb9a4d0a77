//! TLS of the listener, with a given or a generated certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};

use crate::files;

/// The certificate with which the simulator identifies itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// An existing certificate.
    Given {
        /// File with the certificate chain, in PEM.
        certificate: PathBuf,
        /// File with the private key, in PEM.
        key: PathBuf,
    },
    /// A self-signed certificate that is generated at the start, for localhost and these names.
    Generated {
        /// Further host names and addresses.
        names: Vec<String>,
        /// File to write the certificate to, in PEM, for clients to trust.
        certificate_file: Option<PathBuf>,
    },
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// Why it cannot be read or written.
        source: std::io::Error,
    },
    /// A file is not PEM, or does not hold what it should.
    #[error("{file}: {source}")]
    Pem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate or its key cannot be used: {source}")]
    Certificate {
        /// Why they cannot be used.
        source: rustls::Error,
    },
    /// No certificate can be generated.
    #[error("no certificate can be generated: {source}")]
    Generate {
        /// Why none can be generated.
        source: rcgen::Error,
    },
}

/// Returns an acceptor, and the certificate that clients have to trust, in PEM.
pub(super) fn acceptor(tls: &Tls) -> Result<(TlsAcceptor, String), TlsError> {
    let (pem, chain, key) = match tls {
        Tls::Given { certificate, key } => given(certificate, key)?,
        Tls::Generated { names, certificate_file } => generated(names, certificate_file.as_deref())?,
    };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|source| TlsError::Certificate { source })?;
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}

type Certificate = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn given(certificate: &Path, key: &Path) -> Result<Certificate, TlsError> {
    let pem = read_text(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|source| TlsError::Pem { file: certificate.to_owned(), source })?;
    let key_der = PrivateKeyDer::from_pem_slice(read_text(key)?.as_bytes())
        .map_err(|source| TlsError::Pem { file: key.to_owned(), source })?;
    Ok((pem, chain, key_der))
}

fn read_text(file: &Path) -> Result<String, TlsError> {
    let bytes = files::read(file, files::SMALL_MAX_BYTES);
    let text = bytes
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| std::io::Error::other("is not text; PEM is expected")));
    text.map_err(|source| TlsError::File { file: file.to_owned(), source })
}

fn generated(names: &[String], certificate_file: Option<&Path>) -> Result<Certificate, TlsError> {
    let all: Vec<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).chain(names.iter().cloned()).collect();
    let made = rcgen::generate_simple_self_signed(all).map_err(|source| TlsError::Generate { source })?;
    let pem = made.cert.pem();
    if let Some(file) = certificate_file {
        std::fs::write(file, &pem).map_err(|source| TlsError::File { file: file.to_owned(), source })?;
    }
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Ok((pem, vec![made.cert.der().clone()], key))
}
