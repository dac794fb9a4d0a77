//! Settings that cannot be used: of the client, its endpoint and its credentials.

use std::path::PathBuf;

use super::BoxError;
use crate::files::FileError;
use crate::shown::with_causes;
use crate::stream_ref::StreamRef;

/// What is wrong with the settings of a client, or with what AWS's variables and profile say in their place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No region is given anywhere.
    #[error("there is no region: give one, or set AWS_REGION, or region in the profile")]
    NoRegion,
    /// FIPS or dual stack is asked for, which a given endpoint cannot honour.
    #[error("{feature} endpoints and the endpoint {endpoint} do not go together: take one of them away")]
    EndpointConflict {
        /// `FIPS` or `dual stack`.
        feature: &'static str,
        /// The endpoint, without what may be a password.
        endpoint: String,
    },
    /// The endpoint cannot be used.
    #[error(transparent)]
    Endpoint(EndpointError),
    /// A stream's ARN has a region that is not of the ARN's partition.
    #[error("stream {stream}: region {region} is of the partition {expected}, not of {found}")]
    Partition {
        /// The stream, given by its ARN.
        stream: StreamRef,
        /// The ARN's region.
        region: String,
        /// The partition of that region.
        expected: &'static str,
        /// The ARN's partition.
        found: String,
    },
    /// The proxy's URL cannot be parsed; it is not shown, for it may hold a password.
    #[error("the proxy is no URL, http://host:port")]
    Proxy {
        /// What the HTTP client says.
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
    /// The file of trusted certificates does not hold certificates in PEM.
    #[error("the certificates in {}: {}", file.display(), with_causes(&**source))]
    CertificatesInvalid {
        /// The file.
        file: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// The file of trusted certificates holds none.
    #[error("the certificates in {}: there is none", file.display())]
    NoCertificates {
        /// The file.
        file: PathBuf,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {}", with_causes(&**source))]
    HttpClient {
        /// Why.
        source: BoxError,
    },
    /// The time to sign a request with has no form in a signature.
    #[error(
        "the request cannot be signed: this machine's clock, or the clock offset that is set, is off by thousands of years"
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

/// What is wrong with an endpoint. It is shown without what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is not an http or https URL.
    #[error("{endpoint:?} is no http or https URL")]
    NotHttp {
        /// What was given.
        endpoint: String,
    },
    /// The URL has a user or a password, which nobody reads.
    #[error("{endpoint:?} with a user or a password: requests are signed; leave out what is before the @")]
    WithUser {
        /// What was given.
        endpoint: String,
    },
    /// The URL has a path, a query or a fragment, which the operations' own paths replace.
    #[error("{endpoint:?} has a path or a query: give no more than scheme, host and port")]
    WithPath {
        /// What was given.
        endpoint: String,
    },
    /// The URL is plain http to another machine, which was not asked for.
    #[error("{endpoint:?}: plain http to another machine has to be asked for")]
    PlainHttp {
        /// What was given.
        endpoint: String,
    },
}

/// Why there are no credentials. No secret is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// AWS's default chain has no provider.
    #[error("AWS's default chain has no provider")]
    NoProvider,
    /// The provider, or the last one of the chain, has none.
    #[error("{}{}", with_causes(&**source), advice.unwrap_or_default())]
    NotProvided {
        /// Where credentials may be put, when the chain came to its end.
        advice: Option<&'static str>,
        /// What the provider says.
        source: BoxError,
    },
}
