//! Makes changes to the config log, one at a time.

use std::sync::Arc;

use super::error::OperationError;
use super::turns::{self, Turn, Turns};
use crate::cluster::change::Change;
use crate::cluster::{ConfigLog, ConfigView, Refusal};

/// Makes changes to the config log in turn, each on a thread where blocking is allowed.
#[derive(Clone)]
pub(crate) struct Changes {
    log: Arc<ConfigLog>,
    turns: Arc<Turns>,
}

impl Changes {
    pub(super) fn new(log: Arc<ConfigLog>) -> Self {
        Self { log, turns: Arc::new(Turns::new(turns::CHANGES)) }
    }

    /// Returns the log that is changed.
    pub(super) fn log(&self) -> &Arc<ConfigLog> {
        &self.log
    }

    /// Makes a change. Returns the answer from `decide`, and the config offset after the change.
    ///
    /// # Errors
    /// When the change is refused, its turn does not come, or the log cannot be written.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        self.make_after(|_| Ok(None), decide).await
    }

    /// Makes a change unless `before`, which runs without the fence, refuses it or returns an answer that needs no
    /// change. It sees the log as far as this worker has read it.
    ///
    /// # Errors
    /// When the change is refused, its turn does not come, or the log cannot be written.
    pub(super) async fn make_after<T: Send + 'static>(
        &self,
        before: impl FnOnce(&ConfigView) -> Result<Option<T>, Refusal> + Send + 'static,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        let turn = self.turns.turn().await?;
        self.make_in(turn, before, decide).await
    }

    /// Makes a change of the worker's own, which no client waits for: in the same order, without a bound on the time
    /// until its turn.
    ///
    /// # Errors
    /// When the change is refused, or the log cannot be written.
    pub(crate) async fn make_own<T: Send + 'static>(
        &self,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        let turn = self.turns.own_turn().await;
        self.make_in(turn, |_| Ok(None), decide).await
    }

    async fn make_in<T: Send + 'static>(
        &self,
        turn: Turn,
        before: impl FnOnce(&ConfigView) -> Result<Option<T>, Refusal> + Send + 'static,
        decide: impl FnMut(&ConfigView) -> Result<Change<T>, Refusal> + Send + 'static,
    ) -> Result<(T, i64), OperationError> {
        let log = Arc::clone(&self.log);
        let changed = turns::within(turn, move || {
            let view = log.view();
            match before(&view)? {
                Some(answer) => Ok((answer, view.position)),
                None => {
                    // Holding the view while the log is read would make the reader copy it.
                    drop(view);
                    log.change(decide)
                }
            }
        });
        Ok(changed.await?)
    }
}
