//! The calls whose response is media.

use std::time::SystemTime;

use kvs_api::Operation;
use reqwest::Response;
use serde_json::{Value, json};

use super::Client;
use super::send::request_id;
use crate::clock;
use crate::error::Error;
use crate::selector::StartSelector;
use crate::shown::shown;
use crate::stream_ref::StreamRef;

/// A response with media whose body has not been read.
pub(crate) struct MediaResponse {
    pub(crate) response: Response,
    pub(crate) request_id: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The service's time when the response began, by its Date header.
    pub(crate) date: Option<SystemTime>,
}

impl Client {
    /// Opens a session of GetMedia, within the limits on calls.
    pub(crate) async fn get_media(&self, stream: &StreamRef, selector: &StartSelector) -> Result<MediaResponse, Error> {
        let request = json!({ "StartSelector": selector.to_json() });
        self.media(Operation::GetMedia, stream, request, Some(selector)).await
    }

    /// Opens a session of an operation whose response is media.
    pub(super) async fn media(
        &self,
        operation: Operation,
        stream: &StreamRef,
        request: Value,
        selector: Option<&StartSelector>,
    ) -> Result<MediaResponse, Error> {
        let endpoint = self.data_endpoint(stream, operation).await?;
        let response = self.open(operation, stream, &endpoint, request, selector).await?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(shown);
        Ok(MediaResponse {
            request_id: request_id(&response),
            content_type: header("content-type"),
            date: header("date")
                .and_then(|date| httpdate::parse_http_date(&date).ok())
                .filter(|date| clock::is_believed(*date)),
            response,
        })
    }
}
