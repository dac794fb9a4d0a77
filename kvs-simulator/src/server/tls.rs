//! TLS of the listener, with a certificate that is given or made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::files;

/// Which certificate the simulator shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// One that is there.
    Given {
        /// The chain, PEM.
        certificate: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
    /// One that is made at the start, for localhost and these names, and signed by itself.
    Generated {
        /// More host names and addresses.
        names: Vec<String>,
        /// Where to write it, PEM, for clients to trust.
        certificate_file: Option<PathBuf>,
    },
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {0}")]
pub struct TlsError(String);

/// An acceptor and the certificate to trust, PEM.
pub(super) fn acceptor(tls: &Tls) -> Result<(TlsAcceptor, String), TlsError> {
    let (pem, chain, key) = match tls {
        Tls::Given { certificate, key } => given(certificate, key)?,
        Tls::Generated { names, certificate_file } => generated(names, certificate_file.as_deref())?,
    };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| TlsError(error.to_string()))?;
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}

type Certificate = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn given(certificate: &Path, key: &Path) -> Result<Certificate, TlsError> {
    let in_file = |file: &Path, reason: String| TlsError(format!("{}: {reason}", file.display()));
    let read = |file: &Path| {
        let bytes = files::read(file, files::SMALL_MAX_BYTES).map_err(|error| in_file(file, error.to_string()))?;
        String::from_utf8(bytes).map_err(|_| in_file(file, "is no text; PEM is expected".to_owned()))
    };
    let pem = read(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|error| in_file(certificate, error.to_string()))?;
    let key_der =
        PrivateKeyDer::from_pem_slice(read(key)?.as_bytes()).map_err(|error| in_file(key, error.to_string()))?;
    Ok((pem, chain, key_der))
}

fn generated(names: &[String], certificate_file: Option<&Path>) -> Result<Certificate, TlsError> {
    let all: Vec<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).chain(names.iter().cloned()).collect();
    let made = rcgen::generate_simple_self_signed(all).map_err(|error| TlsError(error.to_string()))?;
    let pem = made.cert.pem();
    if let Some(file) = certificate_file {
        std::fs::write(file, &pem).map_err(|error| TlsError(format!("{}: {error}", file.display())))?;
    }
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Ok((pem, vec![made.cert.der().clone()], key))
}
