//! The stream that a puller reads, and how it opens sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::PullerConfig;
use crate::budget::{ConnectionPermit, MemoryBudget, MemoryPermit, Waits};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::raw::RawWish;
use crate::session::{Memory, Session, Splitting, Wanted};
use crate::stream_ref::StreamRef;

/// A stream, the client that reads it, and the memory for its fragments. Clones share all of it.
#[derive(Clone)]
pub(crate) struct StreamSource {
    pub(crate) client: Arc<Client>,
    pub(crate) stream: StreamRef,
    pub(crate) config: PullerConfig,
    budget: MemoryBudget,
    waits: Waits,
    /// The memory of the stream's connection, if there was some. It is kept between sessions: fragments of other streams would
    /// have it by the time of the next one.
    connection: Arc<Mutex<Option<ConnectionPermit>>>,
}

impl StreamSource {
    pub(crate) fn new(client: Arc<Client>, stream: StreamRef, config: PullerConfig, budget: MemoryBudget) -> Self {
        let (waits, connection) = (Arc::new(watch::Sender::new(None)), Arc::default());
        let source = Self { client, stream, config, budget, waits, connection };
        source.connect();
        source
    }

    /// Acquires the memory of the connection if it is still missing.
    fn connect(&self) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_none() {
            *connection = self.budget.connection();
        }
    }

    /// Opens a session; `is_last_attempt` says whether a fragment is skipped if it is broken as before. If a fragment gave back `readmit_bytes` of memory, waits until there is room for that much
    /// again.
    pub(crate) async fn open(
        &self,
        wanted: Wanted<'_>,
        readmit_bytes: usize,
        is_last_attempt: bool,
    ) -> Result<Session, Error> {
        let begins_with = match readmit_bytes {
            0 => MemoryPermit::default(),
            had_bytes => self.budget.readmit(had_bytes, &self.waits).await,
        };
        self.connect();
        let factor = usize::try_from(self.config.memory_factor).unwrap_or(usize::MAX);
        let memory = Memory { budget: &self.budget, begins_with, waits: Arc::clone(&self.waits), factor };
        let PullerConfig { limits, headroom_bytes, pass_over_unparsable, raw_max_bytes, .. } = self.config;
        let raw = RawWish { max_bytes: if pass_over_unparsable { raw_max_bytes } else { 0 }, is_last_attempt };
        Session::open(&self.client, &self.stream, wanted, Splitting { limits, headroom_bytes, raw }, memory).await
    }

    /// Forgets what an error of this class shows to be stale.
    pub(crate) async fn refresh_after(&self, class: ErrorClass) {
        self.client.refresh_after(&self.stream, class).await;
    }

    /// Returns a receiver for the time since which the stream has been waiting for memory.
    pub(crate) fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.waits.subscribe()
    }
}
