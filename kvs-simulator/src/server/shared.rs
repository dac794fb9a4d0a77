//! What all requests share.

use std::sync::Arc;

use crate::call_limits::CallCounts;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::ServiceError;
use crate::fault::Faults;
use crate::limits::Limits;
use crate::signature::AccessKey;
use crate::store::Store;
use crate::stream::{Held, Stream};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) keys: Vec<AccessKey>,
    pub(crate) default_account: String,
    pub(crate) limits: Limits,
    pub(crate) store: Store,
    pub(crate) counts: CallCounts,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    pub(super) disk: Option<Disk>,
}

impl Shared {
    /// Keeps a stream's settings on disk, where there is one.
    pub(crate) fn keep(&self, stream: &Stream) -> Result<(), ServiceError> {
        self.on_disk(|disk| disk.save_stream(stream))
    }

    /// Removes a stream from disk, where there is one.
    pub(crate) fn forget(&self, stream: &Stream) -> Result<(), ServiceError> {
        self.on_disk(|disk| disk.remove_stream(stream))
    }

    fn on_disk(&self, work: impl FnOnce(&Disk) -> std::io::Result<()>) -> Result<(), ServiceError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        work(disk).map_err(|error| {
            tracing::error!(%error, "the data folder cannot be written");
            ServiceError::internal(format!("The data folder cannot be written: {error}"))
        })
    }

    /// Keeps a producer's fragment on disk, where there is one, and removes those that have expired.
    pub(crate) async fn keep_fragment(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        held: &Arc<Held>,
    ) -> Result<(), ServiceError> {
        if self.disk.is_none() {
            return Ok(());
        }
        let (shared, stream, held) = (Arc::clone(self), Arc::clone(stream), Arc::clone(held));
        let kept = tokio::task::spawn_blocking(move || {
            shared.on_disk(|disk| {
                disk.save_fragment(&stream.identity, &held)?;
                stream.take_expired().iter().try_for_each(|file| disk.remove_fragment(&stream.identity, file))
            })
        });
        kept.await.map_err(|error| ServiceError::internal(error.to_string()))?
    }
}
