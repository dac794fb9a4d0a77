//! The URL of a store.

use std::fmt;
use std::path::Path;

use object_store::path::PathPart;
use url::Url;

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    GoogleCloud,
    /// Azure Blob Storage.
    Azure,
    /// A folder of this machine.
    Folder,
}

impl StoreKind {
    /// Returns the store's name, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::GoogleCloud => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
            Self::Folder => "a folder",
        }
    }
}

/// The URL of a store: the kind, the bucket or container, and a prefix of all names; or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// Which store.
    pub kind: StoreKind,
    /// `s3://bucket`, without the prefix; of a folder its path.
    base: String,
    /// What all names begin with, without slashes at its ends. A folder has none.
    pub prefix: String,
}

/// Reasons why a text is not the URL of a store. None shows the text, because it may contain a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// It is no URL of a known kind.
    #[error(
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX or \
         file:///FOLDER was expected"
    )]
    Scheme,
    /// There is no bucket, or its name cannot be one.
    #[error("the name of a bucket or container was expected after the scheme, as in s3://BUCKET/PREFIX")]
    Bucket,
    /// An `abfss` URL does not name container and account.
    #[error("abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX was expected")]
    Account,
    /// A folder is not absolute, is the root, or the URL names a machine.
    #[error("an absolute folder was expected, as in file:///var/lib/payloads")]
    NotFolder,
    /// The prefix has characters that stores and tools write in different ways, or segments that are empty, `.` or `..`.
    #[error("a prefix of letters, digits and -_.=+@,:/ was expected, without empty segments, . and ..")]
    Prefix,
    /// It has parts that no such URL has.
    #[error("neither a user, a port, a query nor a fragment was expected; keys belong in payload.store.option.*")]
    More,
}

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let url = Url::parse(text).map_err(|_| StoreUrlError::Scheme)?;
        let kind = match url.scheme() {
            "s3" => StoreKind::S3,
            "gs" => StoreKind::GoogleCloud,
            "az" | "abfss" => StoreKind::Azure,
            "file" => StoreKind::Folder,
            _ => return Err(StoreUrlError::Scheme),
        };
        let is_abfss = url.scheme() == "abfss";
        let has_user = !url.username().is_empty() && !is_abfss;
        let has_more = has_user || url.password().is_some() || url.port().is_some();
        if has_more || url.query().is_some() || url.fragment().is_some() {
            return Err(StoreUrlError::More);
        }
        let host = url.host_str().unwrap_or_default();
        if kind == StoreKind::Folder {
            let folder = url.to_file_path().ok().filter(|folder| folder.is_absolute() && host.is_empty());
            let folder =
                folder.and_then(|folder| folder.to_str().map(|folder| folder.trim_end_matches('/').to_owned()));
            let folder = folder.filter(|folder| !folder.is_empty()).ok_or(StoreUrlError::NotFolder)?;
            return Ok(Self { kind, base: folder, prefix: String::new() });
        }
        // Not from `url`, which has resolved `..` and encoded some characters.
        let behind = text.trim().split_once("://").map_or("", |(_, behind)| behind);
        let prefix = behind.split_once('/').map_or("", |(_, prefix)| prefix).trim_end_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
            return Err(StoreUrlError::Prefix);
        }
        let base = match (is_abfss, url.username()) {
            (false, _) if is_bucket(host) => format!("{}://{host}", url.scheme()),
            (false, _) => return Err(StoreUrlError::Bucket),
            (true, container) if is_bucket(container) && host.contains(".dfs.") => {
                format!("abfss://{container}@{host}")
            }
            (true, _) => return Err(StoreUrlError::Account),
        };
        Ok(Self { kind, base, prefix: prefix.to_owned() })
    }

    /// Returns the URL without the prefix; of a folder its path.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Returns the folder.
    pub(super) fn folder(&self) -> &Path {
        Path::new(&self.base)
    }

    /// Returns the bucket or container.
    pub(super) fn bucket(&self) -> &str {
        let behind = self.base.split_once("://").map_or("", |(_, behind)| behind);
        behind.split_once('@').map_or(behind, |(container, _)| container)
    }

    /// Returns the URI of an object with this path in the store.
    pub(super) fn uri_of(&self, path: &str) -> String {
        match self.kind {
            StoreKind::Folder => file_uri(&self.folder().join(path)),
            _ => format!("{}/{path}", self.base),
        }
    }

    /// Returns the path of an object of this bucket or folder, from its URI.
    pub(super) fn path_of(&self, uri: &str) -> Option<String> {
        match self.kind {
            StoreKind::Folder => {
                let file = Url::parse(uri).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()?;
                file.strip_prefix(self.folder()).ok()?.to_str().map(str::to_owned)
            }
            _ => uri.strip_prefix(&self.base)?.strip_prefix('/').map(str::to_owned),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            StoreKind::Folder => formatter.write_str(&file_uri(self.folder())),
            _ if self.prefix.is_empty() => formatter.write_str(&self.base),
            _ => write!(formatter, "{}/{}", self.base, self.prefix),
        }
    }
}

fn file_uri(path: &Path) -> String {
    Url::from_file_path(path).map_or_else(|()| format!("file://{}", path.display()), |url| url.to_string())
}

/// Returns whether a segment of a prefix is the same text in keys, in requests and in URIs.
fn is_plain(segment: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+@,:".contains(&byte);
    !segment.is_empty() && segment.bytes().all(is_known) && PathPart::from(segment).as_ref() == segment
}

/// Returns whether a bucket or container may have this name, as far as the stores agree.
fn is_bucket(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.$".contains(&byte);
    (1..=222).contains(&name.len()) && name.bytes().all(is_known) && !name.starts_with('.') && !name.contains("..")
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
