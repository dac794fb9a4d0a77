//! Lists a range of an archive, window by window, without its media.

use std::sync::Arc;
use std::time::Duration;

use kvs_mkv::Timestamp;

use super::ArchiveRange;
use super::windows::{SETTLED_MS, Window, Windows};
use crate::client::{Client, FragmentInfo};
use crate::error::{Error, ErrorClass};
use crate::retry::{RetryPolicy, RetryState};
use crate::stream_ref::StreamRef;

/// Lists the fragments of a range of server time in the order of the stream, some thousands at a time: however long the range
/// is, the memory for the list is bounded.
pub struct ArchiveLister {
    client: Arc<Client>,
    stream: StreamRef,
    range: ArchiveRange,
    windows: Windows,
    retries: RetryState,
}

impl ArchiveLister {
    /// Creates a lister. Errors that an operator has to resolve end it: somebody waits for the list. What the service received in
    /// the last seconds before now is not listed: it may not know it yet. `retry` says how often and when a call that fails is
    /// made again.
    pub fn new(client: Arc<Client>, stream: StreamRef, range: ArchiveRange, retry: RetryPolicy) -> Self {
        let settled_ms = Timestamp::from_system_time(std::time::SystemTime::now()).millis().saturating_sub(SETTLED_MS);
        let to = Timestamp::from_millis(range.to.millis().min(settled_ms));
        let windows = Windows::new(range.from.millis());
        Self {
            client,
            stream,
            range: ArchiveRange { to, ..range },
            windows,
            retries: RetryState::new(retry, Duration::ZERO),
        }
    }

    /// Returns the time up to which the range has been listed, in milliseconds of server time.
    pub fn listed_to_ms(&self) -> i64 {
        self.windows.next_ms().saturating_sub(1)
    }

    /// Returns the next fragments, in ascending order, perhaps none; `None` at the end of the range.
    ///
    /// # Errors
    /// When another attempt does not help, or has not helped.
    pub async fn next(&mut self) -> Result<Option<Vec<FragmentInfo>>, Error> {
        loop {
            let end_ms = self.range.to.millis();
            if self.windows.next_ms() > end_ms {
                return Ok(None);
            }
            // The whole range has settled.
            let Window::Settled { to_ms } = self.windows.next(end_ms, end_ms) else { return Ok(None) };
            let (from, to) = (Timestamp::from_millis(self.windows.next_ms()), Timestamp::from_millis(to_ms));
            let most = self.windows.fragments_max();
            match self.client.list_fragments_up_to(&self.stream, from, to, most).await {
                Ok(Some(listed)) => {
                    self.windows.pass(to_ms, listed.len());
                    self.retries.succeeded();
                    return Ok(Some(listed));
                }
                Ok(None) => self.windows.shorten(),
                Err(error) if error.class() == ErrorClass::RetrySlowly || matches!(error, Error::Credentials(_)) => {
                    return Err(error);
                }
                Err(error) => {
                    self.client.refresh_after(&self.stream, error.class()).await;
                    let delay = self.retries.failed(error.class()).ok_or(error)?;
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }
}
