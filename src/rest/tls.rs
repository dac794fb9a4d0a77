//! TLS of the listeners: the certificate they show, and those they ask for.

use std::path::Path;
use std::sync::Arc;

use kvs_client::files;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::config::rest::TlsFiles;

/// What accepts connections with these files.
///
/// # Errors
/// Which file is wrong, and how.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let chain = certificates(&files.certificate)?;
    let in_key = |reason: String| format!("{}: {reason}", files.key.display());
    let key = files::read(&files.key).map_err(|error| in_key(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| in_key(error.to_string()))?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", file.display()))?)
        }
    };
    let config = builder.with_single_cert(chain, key);
    let mut config = config.map_err(|error| format!("{}: {error}", files.certificate.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let in_file = |reason: String| format!("{}: {reason}", file.display());
    let pem = files::read(file).map_err(|error| in_file(error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| in_file(error.to_string()))?;
    if read.is_empty() { Err(in_file("there is no certificate in it".to_owned())) } else { Ok(read) }
}

/// Names of hosts that a certificate is for; none when it cannot be read, which [`acceptor`] says.
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

/// The common name of a certificate's subject.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    Some(name)
}
