//! Settings of payloads: in their records, outside of Kafka, in chunks, or nowhere.

use std::collections::BTreeMap;

use kvs_client::ClientConfig;

use crate::config::reader::Reader;
use crate::config::table::STORE_OPTION;
use crate::config::table::connector::payload as table;
use crate::model::{PayloadMode, ReferenceFormat, Template};
use crate::nearest::nearest;
use crate::payload_store::{OptionError, PayloadStoreConfig, StoreKind, StoreUrl, check_option, option_names};

/// What happens to the payloads of fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadConfig {
    /// `payload.mode`.
    pub mode: PayloadMode,
    /// `payload.inline.max.bytes`.
    pub inline_max_bytes: usize,
    /// `payload.reference.format`.
    pub reference_format: ReferenceFormat,
    /// `payload.store.*`, with `payload.mode=reference`.
    pub store: Option<PayloadStoreConfig>,
    /// `payload.chunk.topic`, with `payload.mode=chunked`.
    pub chunk_topic: Option<Template>,
    /// `payload.chunk.max.bytes`.
    pub chunk_max_bytes: usize,
}

impl PayloadConfig {
    /// Returns how large a payload in a record can be, if fragments have at most this size, in bytes.
    pub fn inline_max_bytes(&self, fragment_max_bytes: usize) -> usize {
        let stays = self.mode == PayloadMode::Inline;
        if stays { fragment_max_bytes } else { self.inline_max_bytes.min(fragment_max_bytes) }
    }
}

impl Reader<'_> {
    /// Reads the settings of payloads.
    pub(super) fn payload(
        &mut self,
        client: Option<&ClientConfig>,
        topic: Option<&Template>,
        connector: &str,
    ) -> Option<PayloadConfig> {
        let mode = self.read(&table::MODE);
        let inline_max_bytes = self.read(&table::INLINE_MAX);
        let reference_format = self.read(&table::REFERENCE_FORMAT);
        let chunk_max_bytes = self.read(&table::CHUNK_MAX);
        let store = self.store(mode, client);
        let chunk_topic = self.chunk_topic(mode, topic, connector);
        let config = PayloadConfig {
            mode: mode?,
            inline_max_bytes: inline_max_bytes?,
            reference_format: reference_format?,
            store: store?,
            chunk_topic: chunk_topic?,
            chunk_max_bytes: chunk_max_bytes?,
        };
        Some(config)
    }

    fn chunk_topic(
        &mut self,
        mode: Option<PayloadMode>,
        topic: Option<&Template>,
        connector: &str,
    ) -> Option<Option<Template>> {
        let is_chunked = mode == Some(PayloadMode::Chunked);
        let chunks = self.topic_beside(&table::CHUNK_TOPIC, topic, connector)?;
        let problem = match (&chunks, mode) {
            (None, _) if is_chunked => "is required with payload.mode=chunked",
            (Some(_), Some(_)) if !is_chunked => "has no effect without payload.mode=chunked",
            _ => return Some(chunks),
        };
        self.problem(&table::CHUNK_TOPIC, problem);
        None
    }

    fn store(
        &mut self,
        mode: Option<PayloadMode>,
        client: Option<&ClientConfig>,
    ) -> Option<Option<PayloadStoreConfig>> {
        let url = self.text(&table::STORE_URL);
        let region = self.text(&table::STORE_REGION);
        let endpoint = self.text(&table::STORE_ENDPOINT);
        let path_style = self.read_optional(&table::STORE_PATH_STYLE);
        let timeout = self.read(&table::STORE_TIMEOUT);
        let options: BTreeMap<String, String> = self
            .all()
            .filter_map(|(key, _, value)| Some((key.strip_prefix(STORE_OPTION.name)?.to_owned(), value.to_owned())))
            .collect();
        if mode != Some(PayloadMode::Reference) {
            if url.is_some() && mode.is_some() {
                self.problem(&table::STORE_URL, "has no effect without payload.mode=reference");
                return None;
            }
            return Some(None);
        }
        let Some(url) = url else {
            self.problem(&table::STORE_URL, "is required with payload.mode=reference");
            return None;
        };
        let url = self.checked(&table::STORE_URL, StoreUrl::parse(&url))?;
        let mut is_right = true;
        for name in options.keys() {
            if let Err(error) = check_option(url.kind, name) {
                let problem = match (error, nearest(name, option_names(url.kind).iter().copied())) {
                    (OptionError::Unknown(_), Some(meant)) => format!("{error}; the nearest known one is {meant}"),
                    _ => error.to_string(),
                };
                self.problem_at(&format!("{}{name}", STORE_OPTION.name), problem);
                is_right = false;
            }
        }
        if let Some(endpoint) = &endpoint
            && let Err(error) = check_endpoint(url.kind, endpoint)
        {
            self.problem(&table::STORE_ENDPOINT, error);
            is_right = false;
        }
        if url.kind != StoreKind::S3 {
            for (key, is_set) in [
                (table::STORE_REGION.name(), region.is_some()),
                (table::STORE_PATH_STYLE.name(), self.is_given(&table::STORE_PATH_STYLE)),
            ] {
                if is_set {
                    self.problem_at(key, "has no effect: only S3 has it");
                    is_right = false;
                }
            }
        }
        let path_style = path_style?.unwrap_or(endpoint.is_some());
        let region = region.or_else(|| client.and_then(|client| client.region.clone()));
        let http = client.map(|client| client.http.clone()).unwrap_or_default();
        let config = PayloadStoreConfig {
            url,
            region,
            endpoint,
            path_style,
            timeout: timeout?,
            connect_timeout: http.connect_timeout,
            proxy: http.proxy,
            no_proxy: http.no_proxy,
            ca_file: http.ca_file,
            options,
        };
        is_right.then_some(Some(config))
    }
}

/// Checks the endpoint of a store.
///
/// # Errors
/// What was expected. The text is not shown, because it may contain a password.
fn check_endpoint(kind: StoreKind, text: &str) -> Result<(), &'static str> {
    if kind == StoreKind::Folder {
        return Err("has no effect: a folder has no endpoint");
    }
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    // A bucket is put in front of the host, or behind the path, so nothing else may follow.
    let is_plain = |url: &url::Url| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        // The emulator of Azure has the account in its path.
        let has_path = url.path() != "/" && kind != StoreKind::Azure;
        !has_user && !has_path && url.query().is_none() && url.fragment().is_none()
    };
    if url.as_ref().is_some_and(is_plain) { Ok(()) } else { Err("http://HOST:PORT or https://HOST:PORT was expected") }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
