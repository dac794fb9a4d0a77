//! Settings of payloads: in their records, outside of Kafka, in chunks, or nowhere.

use std::collections::BTreeMap;

use kvs_client::ClientConfig;

use crate::config::reader::Reader;
use crate::config::table::STORE_OPTION;
use crate::config::table::connector::payload as table;
use crate::model::{PayloadMode, ReferenceFormat, Template};
use crate::payload_store::{PayloadStoreConfig, StoreKind, StoreUrl, option_names};

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
        let Some(chunks) = self.read_optional(&table::CHUNK_TOPIC)? else {
            if is_chunked {
                self.problem(&table::CHUNK_TOPIC, "is required with payload.mode=chunked");
                return None;
            }
            return Some(None);
        };
        if mode.is_some() && !is_chunked {
            self.problem(&table::CHUNK_TOPIC, "has no effect without payload.mode=chunked");
            return None;
        }
        let chunks = self.topic_of(&table::CHUNK_TOPIC, &chunks, connector)?;
        if topic.is_some_and(|topic| topic.has_track() != chunks.has_track()) {
            self.problem(&table::CHUNK_TOPIC, "must contain ${track} if topic does, and only then");
            return None;
        }
        Some(Some(chunks))
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
            if let Err(reason) = option_names(url.kind, name) {
                self.problem_at(&format!("{}{name}", STORE_OPTION.name), reason);
                is_right = false;
            }
        }
        if let Some(endpoint) = &endpoint {
            let is_http = url::Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_http || !matches!(url.kind, StoreKind::S3 | StoreKind::Azure) {
                let reason = "http://HOST:PORT or https://HOST:PORT was expected, and only S3 and Azure have endpoints";
                self.problem(&table::STORE_ENDPOINT, reason);
                is_right = false;
            }
        }
        let path_style = path_style?.unwrap_or(endpoint.is_some());
        let region = region.or_else(|| client.and_then(|client| client.region.clone()));
        let proxy = client.and_then(|client| client.http.proxy.clone());
        let config = PayloadStoreConfig { url, region, endpoint, path_style, timeout: timeout?, proxy, options };
        is_right.then_some(Some(config))
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
