//! Settings that cannot be used: of the client, its endpoint and its credentials.

use std::path::PathBuf;

use super::BoxError;
use crate::files::FileError;
use crate::shown::with_causes;
use crate::stream_ref::StreamRef;

/// What is wrong with a client's settings, or with AWS's variables and profile that replace them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No region is set anywhere.
    #[error("no region is set: set one, AWS_REGION, or region in the profile")]
    NoRegion,
    /// FIPS or dual stack is requested, which a custom endpoint cannot provide.
    #[error("{feature} endpoints and the endpoint {endpoint} cannot be combined: remove one of them")]
    EndpointConflict {
        /// `FIPS` or `dual stack`.
        feature: &'static str,
        /// The endpoint, without a possible password.
        endpoint: String,
    },
    /// The endpoint cannot be used.
    #[error(transparent)]
    Endpoint(EndpointError),
    /// The region in a stream's ARN is not in the ARN's partition.
    #[error("stream {stream}: region {region} is in the partition {expected}, not in {found}")]
    Partition {
        /// The stream, identified by its ARN.
        stream: StreamRef,
        /// The ARN's region.
        region: String,
        /// The partition of that region.
        expected: &'static str,
        /// The ARN's partition.
        found: String,
    },
    /// The proxy's URL cannot be parsed. It is not shown, because it may contain a password.
    #[error("the proxy is not a URL, http://host:port")]
    Proxy {
        /// The HTTP client's error.
        source: BoxError,
    },
    /// The file of trusted certificates cannot be read.
    #[error("the certificates in {}: {source}", file.display())]
    CertificatesUnreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: FileError,
    },
    /// The file of trusted certificates does not contain certificates in PEM.
    #[error("the certificates in {}: {}", file.display(), with_causes(&**source))]
    CertificatesInvalid {
        /// The file.
        file: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// The file of trusted certificates contains none.
    #[error("the certificates in {}: the file contains none", file.display())]
    NoCertificates {
        /// The file.
        file: PathBuf,
    },
    /// The HTTP client cannot be created.
    #[error("the HTTP client cannot be created: {}", with_causes(&**source))]
    HttpClient {
        /// Why.
        source: BoxError,
    },
    /// The time of a request cannot be represented in a signature.
    #[error(
        "the request cannot be signed: this machine's clock, or the clock offset that is set, is off by thousands of \
         years"
    )]
    Clock,
    /// A request cannot be signed.
    #[error("the request cannot be signed: {}", with_causes(&**source))]
    Signing {
        /// Why.
        source: BoxError,
    },
    /// An operation's path does not fit the endpoint.
    #[error("{}", with_causes(&**source))]
    Path {
        /// Why.
        source: BoxError,
    },
}

/// What is wrong with an endpoint, which is shown without a possible password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is not an http or https URL.
    #[error("{endpoint:?} is not an http or https URL")]
    NotHttp {
        /// The text.
        endpoint: String,
    },
    /// The URL has a user or a password, which would be ignored.
    #[error("{endpoint:?} has a user or a password, but requests are signed: remove the part before the @")]
    WithUser {
        /// The text.
        endpoint: String,
    },
    /// The URL has a path, a query or a fragment, which the operations' own paths replace.
    #[error("{endpoint:?} has a path or a query: use only scheme, host and port")]
    WithPath {
        /// The text.
        endpoint: String,
    },
    /// The URL is plain http to another machine, which is not allowed.
    #[error("{endpoint:?}: plain http to another machine must be allowed explicitly")]
    PlainHttp {
        /// The text.
        endpoint: String,
    },
}

/// Reasons why there are no credentials. They contain no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// AWS's default chain has no provider.
    #[error("AWS's default chain has no provider")]
    NoProvider,
    /// The provider, or the last one of the chain, has none.
    #[error("{}{}", with_causes(&**source), advice.unwrap_or_default())]
    NotProvided {
        /// Where credentials can be configured, if the end of the chain was reached.
        advice: Option<&'static str>,
        /// The provider's error.
        source: BoxError,
    },
}
