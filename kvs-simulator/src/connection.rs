//! The connection that a request arrived on.

use std::sync::Arc;
use std::time::Duration;

/// A handle of a request's connection, for a fault that resets it.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle(Arc<socket2::Socket>);

impl ConnectionHandle {
    /// Duplicates the descriptor of a connection. Returns `None` if no descriptor is free.
    pub(crate) fn of(socket: &tokio::net::TcpStream) -> Option<Self> {
        let socket = socket2::SockRef::from(socket).try_clone().ok()?;
        Some(Self(Arc::new(socket)))
    }

    /// Makes the connection end with a reset when it is closed.
    pub(crate) fn reset_on_close(&self) {
        if let Err(error) = self.0.set_linger(Some(Duration::ZERO)) {
            tracing::warn!(%error, "connection will be closed without a reset");
        }
    }
}
