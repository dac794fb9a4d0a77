//! File descriptors that are reserved for the REST API, so that it still answers when the process has no others.
//!
//! **Contract.** When a connection cannot be accepted for want of a descriptor, one of the reserve is released for it. A
//! connection that ends gives its descriptor to the reserve before anybody else can have it ([`Connection`]): under a
//! lasting shortage other threads wait for every descriptor that is closed, and would soon hold the whole reserve.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use nix::unistd::dup2;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The size of the reserve. More than one, because another thread may open a file between the release of a descriptor
/// and its use.
const SIZE: usize = 4;

/// The reserved descriptors of one listener.
pub(super) struct Reserve {
    /// What the reserved descriptors refer to.
    null: OwnedFd,
    reserved: Mutex<Vec<OwnedFd>>,
}

impl Reserve {
    /// Creates a reserve and fills it as far as there are descriptors.
    ///
    /// # Errors
    /// When not a single descriptor is available.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        #[expect(clippy::disallowed_methods, reason = "no setting names it")]
        let null = std::fs::File::open("/dev/null")?;
        let reserve = Self { null: null.into(), reserved: Mutex::default() };
        reserve.fill();
        Ok(Arc::new(reserve))
    }

    /// Fills the reserve; `false` if descriptors are missing.
    pub(super) fn fill(&self) -> bool {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        while reserved.len() < SIZE {
            let Ok(file) = self.null.try_clone() else { return false };
            reserved.push(file);
        }
        true
    }

    /// Releases a descriptor; `false` if none is left.
    pub(super) fn release(&self) -> bool {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }

    /// Closes a socket, and keeps its descriptor if the reserve is not full.
    fn keep(&self, socket: TcpStream) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        if reserved.len() >= SIZE {
            return;
        }
        let Ok(socket) = socket.into_std() else { return };
        let mut descriptor = OwnedFd::from(socket);
        // Closes the socket and takes its number in one step.
        if dup2(&self.null, &mut descriptor).is_ok() {
            reserved.push(descriptor);
        }
    }
}

/// A connection whose descriptor goes to the reserve when it ends.
pub(super) struct Connection {
    /// `None` only while it is dropped.
    socket: Option<TcpStream>,
    reserve: Arc<Reserve>,
}

impl Connection {
    /// Creates a connection from an accepted socket.
    pub(super) fn new(socket: TcpStream, reserve: Arc<Reserve>) -> Self {
        Self { socket: Some(socket), reserve }
    }

    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.reserve.keep(socket);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "reserve_tests.rs"]
mod tests;
