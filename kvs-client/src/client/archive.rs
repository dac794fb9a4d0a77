//! The operations on a stream's archive.

use kvs_api::Operation;
use kvs_mkv::{FragmentNumber, Timestamp};
use serde_json::json;

use super::Client;
use super::media::MediaResponse;
use super::pages::Pages;
use super::rows::{self, FragmentInfo};
use crate::error::Error;
use crate::stream_ref::StreamRef;

/// The number of fragments requested by one call, which is the service's maximum, because calls are limited.
const FRAGMENTS_PAGE: u32 = 1_000;
/// The maximum number of rows in a list of fragments.
const FRAGMENTS_MAX: usize = 1_000_000;

impl Client {
    /// Returns the archived fragments that the service received between two times, both included, in the order of the
    /// stream.
    ///
    /// The service may not know the fragments of the latest second yet.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn list_fragments(
        &self,
        stream: &StreamRef,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FragmentInfo>, Error> {
        let listed = self.list_fragments_up_to(stream, from, to, usize::MAX).await?;
        Ok(listed.unwrap_or_default())
    }

    /// Returns the same fragments, or `None` if there are more than `most`.
    pub(crate) async fn list_fragments_up_to(
        &self,
        stream: &StreamRef,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<Option<Vec<FragmentInfo>>, Error> {
        let operation = Operation::ListFragments;
        let seconds = |timestamp: Timestamp| timestamp.millis() as f64 / 1000.0;
        let request = json!({
            "MaxResults": FRAGMENTS_PAGE,
            "FragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": { "StartTimestamp": seconds(from), "EndTimestamp": seconds(to) },
            },
        });
        let mut pages = Pages::new(operation, Some(stream), request, FRAGMENTS_MAX);
        let mut fragments = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            for row in answer["Fragments"].as_array().into_iter().flatten() {
                fragments.push(rows::fragment_info(row).map_err(|error| pages.bad(error, request_id.clone()))?);
            }
            if fragments.len() > most {
                return Ok(None);
            }
            if !pages.more(&answer, fragments.len(), request_id)? {
                break;
            }
        }
        // The service returns rows in no order, also across pages, and may repeat a row of another page.
        fragments.sort_by(|one, other| one.number.cmp(&other.number));
        fragments.dedup_by(|one, other| one.number == other.number);
        Ok(Some(fragments))
    }

    /// Opens a session of GetMediaForFragmentList, within the limits on calls.
    pub(crate) async fn get_media_for_fragment_list(
        &self,
        stream: &StreamRef,
        numbers: &[FragmentNumber],
    ) -> Result<MediaResponse, Error> {
        let numbers: Vec<&str> = numbers.iter().map(FragmentNumber::as_str).collect();
        self.media(Operation::GetMediaForFragmentList, stream, json!({ "Fragments": numbers }), None).await
    }
}
