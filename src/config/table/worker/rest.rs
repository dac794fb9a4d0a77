//! Settings of a worker's REST API, and of the secrets that connectors may refer to.

use std::path::PathBuf;

use regex::Regex;

use crate::config::table::definition::Group::{Rest, Secrets};
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::key::{Key, Optional, key, settings};

settings! {
    /// Where the REST API listens, and who may use it.
    REST {
        LISTENERS: Key<String> = key("listeners", "Listeners")
            .list_text("http://127.0.0.1:8083")
            .group(Rest)
            .importance(High)
            .doc(
                "Addresses at which the REST API listens, as http://ADDRESS:PORT or https://ADDRESS:PORT, separated by \
                 commas. The address is a number or localhost; port 0 takes any free port.",
            );
        ADVERTISED_HOST: Optional<String> = key("rest.advertised.host.name", "Advertised host name")
            .optional_text()
            .from("the first listener's address")
            .group(Rest)
            .importance(Low)
            .doc(
                "Host name by which others know this worker; it is the first half of the worker ID that statuses show.",
            );
        ADVERTISED_PORT: Optional<u16> = key("rest.advertised.port", "Advertised port")
            .optional_int::<u16>(0..=65_535)
            .from("the first listener's port")
            .group(Rest)
            .importance(Low)
            .doc(
                "Port by which others know this worker; it is the second half of the worker ID. 0 is the same as not \
                 setting it.",
            );
        INSECURE: Key<bool> = key("rest.insecure", "Listen without authentication")
            .flag(false)
            .group(Rest)
            .importance(Low)
            .doc(
                "Whether listeners that other machines can reach may work without authentication. Anyone who reaches \
                 them can then change all connectors.",
            );
        TLS_CERTIFICATE_FILE: Optional<PathBuf> = key("rest.tls.certificate.file", "TLS certificate")
            .file()
            .group(Rest)
            .doc(
                "PEM file with the certificate chain of https:// listeners. Required, with rest.tls.key.file, if there \
                 is one.",
            );
        TLS_KEY_FILE: Optional<PathBuf> = key("rest.tls.key.file", "TLS private key")
            .file()
            .group(Rest)
            .doc("PEM file with the private key of the certificate in rest.tls.certificate.file.");
        TLS_CLIENT_CA_FILE: Optional<PathBuf> = key("rest.tls.client.ca.file", "TLS client authorities")
            .file()
            .group(Rest)
            .doc(
                "PEM file with certificates of authorities. If it is set, clients of https:// listeners have to \
                 present a certificate that one of them has issued; its common name is the user.",
            );
        HTPASSWD_FILE: Optional<PathBuf> = key("rest.auth.htpasswd.file", "Users and passwords")
            .file()
            .group(Rest)
            .doc(
                "File with users and hashed passwords for basic authentication, NAME:HASH in each line, with bcrypt or \
                 Argon2 (htpasswd -B writes such lines). It is read when the worker starts.",
            );
        TOKENS_FILE: Optional<PathBuf> = key("rest.auth.tokens.file", "Bearer tokens")
            .file()
            .group(Rest)
            .doc(
                "File with bearer tokens, NAME:SHA256 in each line: the user, and the SHA-256 of the token in \
                 hexadecimal. It is read when the worker starts.",
            );
        ADMINS: Optional<Vec<String>> = key("rest.auth.admins", "Administrators")
            .optional_list()
            .group(Rest)
            .doc(
                "Users who may change connectors, offsets and log levels, separated by commas; * is every user. All \
                 others may only read. Required if users have to authenticate.",
            );
        ALLOWED_HOSTS: Optional<Vec<String>> = key("rest.allowed.hosts", "Allowed host names")
            .optional_list()
            .group(Rest)
            .importance(Low)
            .doc(
                "Host names, separated by commas, by which the REST API may be addressed besides localhost, the \
                 machine's name, rest.advertised.host.name and the certificate's names; *.example.com is every name \
                 below example.com, * any name. IP addresses always are. Requests for other names get status 403, \
                 which stops DNS rebinding.",
            );
        ALLOWED_ORIGINS: Optional<Vec<String>> = key("rest.allowed.origins", "Allowed origins")
            .optional_list()
            .group(Rest)
            .importance(Low)
            .doc(
                "Origins, such as https://ui.example.com, separated by commas, whose web pages may make changes; * is \
                 any. It is only needed for user interfaces behind a proxy that rewrites the Host header, in browsers \
                 that send no Sec-Fetch-Site.",
            );
    }
}

settings! {
    /// Which secrets connectors may refer to.
    SECRETS {
        ENV_PATTERN: Optional<Regex> =
            key("config.providers.env.param.allowlist.pattern", "Allowed environment variables")
                .regex()
                .group(Secrets)
                .doc(
                    "Regular expression of the environment variables that connectors may refer to as ${env:NAME}; it \
                     has to match the whole name. If it is not set, they may refer to none.",
                );
        FILE_PATHS: Optional<Vec<String>> =
            key("config.providers.file.param.allowed.paths", "Allowed files of secrets")
                .optional_list()
                .group(Secrets)
                .doc(
                    "Files, and folders of files, that connectors may refer to as ${file:/path:key}, separated by \
                     commas. If it is not set, they may refer to none.",
                );
        DIR_PATHS: Optional<Vec<String>> =
            key("config.providers.dir.param.allowed.paths", "Allowed folders of secrets")
                .optional_list()
                .group(Secrets)
                .doc(
                    "Folders whose files connectors may refer to as ${dir:/path:file}, separated by commas. If it is \
                     not set, they may refer to none.",
                );
    }
}
