//! Reads the pages of a list, one after the other.
//!
//! **Contract.** A list whose pages repeat, that has more rows than any real one, or that takes too long, is an error
//! that says so. The size of a row is limited where rows are read (`rows`), so their number limits the memory.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use kvs_api::Operation;
use serde_json::Value;
use tokio::time::Instant;

use super::Client;
use crate::error::{AnswerError, Error};
use crate::stream_ref::StreamRef;

/// How long all pages of a list together may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(600);

/// A list that is requested page by page.
pub(super) struct Pages<'a> {
    operation: Operation,
    stream: Option<&'a StreamRef>,
    request: Value,
    rows_max: usize,
    deadline: Instant,
    /// Hashes of the tokens so far, because a token may have any length.
    tokens: HashSet<u64>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(operation: Operation, stream: Option<&'a StreamRef>, request: Value, rows_max: usize) -> Self {
        let deadline = Instant::now() + LIST_TIMEOUT;
        Self { operation, stream, request, rows_max, deadline, tokens: HashSet::new() }
    }

    /// Requests the next page.
    pub(super) async fn get(&self, client: &Client) -> Result<(Value, Option<String>), Error> {
        let request = self.request.clone();
        match (self.operation.endpoint_name(), self.stream) {
            (Some(_), Some(stream)) => self.in_time(client.data(self.operation, stream, request)).await,
            _ => self.in_time(client.control(self.operation, self.stream, request)).await,
        }
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| self.bad(AnswerError::EndlessPages { timeout: LIST_TIMEOUT }, None);
        tokio::time::timeout_at(self.deadline, call).await.map_err(late)?
    }

    /// Notes a page, after which the list has `rows` rows. Returns whether there is another page.
    pub(super) fn more(&mut self, answer: &Value, rows: usize, request_id: Option<String>) -> Result<bool, Error> {
        if rows > self.rows_max {
            return Err(self.bad(AnswerError::TooManyRows { rows_max: self.rows_max }, request_id));
        }
        let Some(token) = answer["NextToken"].as_str().filter(|token| !token.is_empty()) else { return Ok(false) };
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        if !self.tokens.insert(hasher.finish()) {
            return Err(self.bad(AnswerError::RepeatedPage { page: self.tokens.len() + 1 }, request_id));
        }
        self.request["NextToken"] = token.into();
        Ok(true)
    }

    /// Returns the error for a response that is not as it should be.
    pub(super) fn bad(&self, error: AnswerError, request_id: Option<String>) -> Error {
        Error::bad_answer(self.operation, self.stream, error, request_id)
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
