//! How Kinesis Video Streams is reached, and with which credentials.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::table::definition::Group::{Credentials, Service};
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::key::{Key, Optional, key, settings};

/// Ten years, more than any clock is off.
const CLOCK_OFFSET_MAX_MS: i64 = 315_360_000_000;

settings! {
    /// How Kinesis Video Streams is reached.
    SERVICE {
        REGION: Optional<String> = key("kvs.region", "AWS region")
            .optional_text()
            .from("AWS_REGION, then the AWS profile")
            .group(Service)
            .importance(High)
            .doc(
                "AWS region of the streams, such as eu-central-1. Calls about a stream that is configured by ARN go to \
                 the ARN's region.",
            );
        ENDPOINT: Optional<String> = key("kvs.endpoint", "Endpoint")
            .optional_text()
            .from(
                "AWS_ENDPOINT_URL_KINESIS_VIDEO, AWS_ENDPOINT_URL, then \
                     the AWS profile, then the region's endpoint",
            )
            .group(Service)
            .doc(
                "URL of the Kinesis Video Streams API instead of the region's: scheme, host and port, for a VPC \
                 endpoint or a simulator such as http://127.0.0.1:9100.",
            );
        PLAIN_HTTP: Key<bool> = key("kvs.endpoint.plain.http", "Allow plain HTTP")
            .flag(false)
            .group(Service)
            .importance(Low)
            .doc(
                "Whether kvs.endpoint may be an http:// URL of another machine. Requests and media can then be read \
                 and changed on the network; on this machine plain HTTP is always allowed.",
            );
        FIPS: Optional<bool> = key("kvs.endpoint.fips", "FIPS endpoints")
            .optional_flag()
            .from("AWS_USE_FIPS_ENDPOINT, then the AWS profile")
            .group(Service)
            .importance(Low)
            .doc(
                "Whether to use endpoints whose cryptography is validated by FIPS 140. It cannot be true together with \
                 kvs.endpoint.",
            );
        DUAL_STACK: Optional<bool> = key("kvs.endpoint.dual.stack", "Dual-stack endpoints")
            .optional_flag()
            .from(
                "AWS_USE_DUALSTACK_ENDPOINT, then \
                     the AWS profile",
            )
            .group(Service)
            .importance(Low)
            .doc(
                "Whether to use endpoints that can be reached by IPv6 as well as IPv4. It cannot be true together with \
                 kvs.endpoint.",
            );
        CONNECT_TIMEOUT: Key<Duration> = key("kvs.connect.timeout.ms", "Connect timeout")
            .millis(5_000, 1..=600_000)
            .group(Service)
            .importance(Low)
            .doc(
                "How long connecting to the service may take. A connection that takes longer has failed and is tried \
                 again.",
            );
        PROXY: Optional<String> = key("kvs.proxy.url", "Proxy")
            .password()
            .from("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY")
            .group(Service)
            .importance(Low)
            .doc(
                "URL of an HTTP proxy for all calls to AWS: http://user:password@host:3128, the user and password only \
                 if the proxy requires them. It is never shown.",
            );
        PROXY_EXCEPTIONS: Optional<String> = key("kvs.proxy.exceptions", "Proxy exceptions")
            .optional_list_text()
            .from("NO_PROXY")
            .group(Service)
            .importance(Low)
            .doc(
                "Hosts, domains and networks, separated by commas, that are reached without the proxy of \
                 kvs.proxy.url.",
            );
        CA_FILE: Optional<PathBuf> = key("kvs.tls.ca.file", "Additional authorities")
            .file()
            .from("AWS_CA_BUNDLE")
            .group(Service)
            .importance(Low)
            .doc(
                "PEM file with certificates of authorities that are trusted in addition to the system's, for example \
                 those of a proxy that inspects TLS.",
            );
        CLOCK_OFFSET: Optional<i64> = key("kvs.clock.offset.ms", "Clock offset")
            .optional_signed_millis(-CLOCK_OFFSET_MAX_MS..=CLOCK_OFFSET_MAX_MS)
            .from("measured from the service's responses")
            .group(Service)
            .importance(Low)
            .doc(
                "How far the service's clock is ahead of this machine's, in milliseconds; negative if it is behind. \
                 Requests are signed by the service's clock. Only needed if the difference cannot be measured from \
                 the service's responses.",
            );
        PARAMETER_CHECKS: Key<bool> = key("kvs.parameter.checks", "Check requests")
            .flag(true)
            .group(Service)
            .importance(Low)
            .doc(
                "Whether requests are checked against the service's model before they are sent, so that all problems \
                 of a request are reported at once. Turn it off only if the service accepts more than the model does.",
            );
    }
}

settings! {
    /// AWS credentials.
    CREDENTIALS {
        ACCESS_KEY_ID: Optional<String> = key("kvs.credentials.access.key.id", "Access key ID")
            .optional_text()
            .strict_reference()
            .from("AWS's default chain")
            .group(Credentials)
            .doc(
                "ID of a static AWS access key, together with kvs.credentials.secret.access.key. Without one, \
                 credentials come from the environment, profile, web identity, container or instance, as in AWS's own \
                 tools.",
            );
        SECRET_ACCESS_KEY: Optional<String> = key("kvs.credentials.secret.access.key", "Secret access key")
            .password()
            .from("AWS's default chain")
            .group(Credentials)
            .doc(
                "Secret of the static AWS access key. It is never shown; a reference such as ${env:NAME} or \
                 ${file:/path:key} also keeps it out of Kafka's config topic.",
            );
        SESSION_TOKEN: Optional<String> = key("kvs.credentials.session.token", "Session token")
            .password()
            .group(Credentials)
            .importance(Low)
            .doc("Session token of a static AWS access key that is temporary. It is never shown.");
        PROFILE: Optional<String> = key("kvs.credentials.profile", "AWS profile")
            .optional_text()
            .from("AWS_PROFILE, then default")
            .group(Credentials)
            .doc(
                "Profile of the files ~/.aws/config and ~/.aws/credentials that credentials, region and endpoint come \
                 from. It cannot be set together with a static access key.",
            );
        ROLE_ARN: Optional<String> = key("kvs.role.arn", "IAM role")
            .optional_text()
            .dependents(&["kvs.role.external.id"])
            .group(Credentials)
            .doc(
                "ARN of an IAM role to assume, arn:aws:iam::ACCOUNT:role/NAME, for streams of another account or with \
                 fewer permissions. STS is asked at the region's endpoint.",
            );
        EXTERNAL_ID: Optional<String> = key("kvs.role.external.id", "External ID")
            .optional_text()
            .group(Credentials)
            .importance(Low)
            .doc("External ID that the trust policy of the role in kvs.role.arn asks for.");
    }
}
