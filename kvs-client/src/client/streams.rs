//! The operations that describe streams: descriptions, lists and tags.

use kvs_api::Operation;
use serde_json::json;

use super::Client;
use super::pages::Pages;
use super::rows::{self, StreamInfo};
use crate::error::{AnswerError, Error};
use crate::stream_ref::StreamRef;

/// The number of streams requested by one call, which is the service's maximum, because calls are limited.
const STREAMS_PAGE: u32 = 10_000;
/// The maximum number of rows in a list of streams, or of a stream's tags.
const STREAMS_MAX: usize = 1_000_000;
const TAGS_MAX: usize = 1_000;

impl Client {
    /// Returns name, ARN and status of a stream.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn describe_stream(&self, stream: &StreamRef) -> Result<StreamInfo, Error> {
        let operation = Operation::DescribeStream;
        let (answer, request_id) = self.control(operation, Some(stream), json!({})).await?;
        rows::stream_info(&answer["StreamInfo"], "StreamInfo")
            .map_err(|error| Error::bad_answer(operation, Some(stream), error, request_id))
    }

    /// Returns all streams whose names begin with `prefix`, or all of the account in this region.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn list_streams(&self, prefix: Option<&str>) -> Result<Vec<StreamInfo>, Error> {
        const LIST: &str = "StreamInfoList";
        let operation = Operation::ListStreams;
        let mut request = json!({ "MaxResults": STREAMS_PAGE });
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            request["StreamNameCondition"] = json!({ "ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix });
        }
        let mut pages = Pages::new(operation, None, request, STREAMS_MAX);
        let mut streams = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            let bad = |error: AnswerError| pages.bad(error, request_id.clone());
            let rows = answer[LIST].as_array().ok_or_else(|| bad(AnswerError::NotAList { member: LIST }))?;
            for row in rows {
                streams.push(rows::stream_info(row, LIST).map_err(bad)?);
            }
            if !pages.more(&answer, streams.len(), request_id)? {
                return Ok(streams);
            }
        }
    }

    /// Returns the tags of a stream: keys and values.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn list_tags(&self, stream: &StreamRef) -> Result<Vec<(String, String)>, Error> {
        let operation = Operation::ListTagsForStream;
        let mut pages = Pages::new(operation, Some(stream), json!({}), TAGS_MAX);
        let mut tags = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            for (key, value) in answer["Tags"].as_object().into_iter().flatten() {
                let tag = rows::tag(key, value).map_err(|error| pages.bad(error, request_id.clone()))?;
                tags.push(tag);
            }
            if !pages.more(&answer, tags.len(), request_id)? {
                return Ok(tags);
            }
        }
    }
}
