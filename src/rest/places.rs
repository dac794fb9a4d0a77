//! Slots for connections: a total number, and a maximum for each peer.
//!
//! **Contract.** A new connection gets a slot as long as some connection is waiting for its client, however many there are: the
//! connection that has waited longest for its client (to send a request, or to read a response) is closed for it, one of
//! the same peer's if that peer has its maximum. A connection that is working for its client is never closed for another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

/// The slots for connections.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    of_peer_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    connections: HashMap<u64, Connection>,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    /// Since when it has waited for its client; `None` while it is working.
    waits_since: Option<Instant>,
    close: CancellationToken,
}

/// A connection's slot; it is released when its last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    places: Arc<Places>,
}

/// A period in which a connection is working, or waiting for its client; the previous state returns when it ends.
#[derive(Debug)]
pub(super) struct Spell {
    place: Place,
    at_work: bool,
}

impl Places {
    pub(super) fn new(max: usize, of_peer_max: usize) -> Arc<Self> {
        Arc::new(Self { max, of_peer_max, held: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while the lock is held, and connections are added and removed one by one.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acquires a slot for a connection, with a token that is cancelled when the slot is withdrawn. Returns `None` if all
    /// connections are working.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<(Place, CancellationToken)> {
        let peer = network(address);
        let mut held = self.lock();
        let of = |peer: IpAddr| held.connections.values().filter(move |connection| connection.peer == peer).count();
        let closes = if of(peer) >= self.of_peer_max {
            Some(held.longest_waiting(|connection| connection.peer == peer)?)
        } else if held.connections.len() >= self.max {
            let most = held.connections.values().map(|connection| of(connection.peer)).max()?;
            let of_those = held.longest_waiting(|connection| of(connection.peer) == most);
            Some(of_those.or_else(|| held.longest_waiting(|_| true))?)
        } else {
            None
        };
        if let Some(closed) = closes.and_then(|id| held.connections.remove(&id)) {
            crate::telemetry::rest_connection_closed("for_another");
            tracing::debug!(peer = %closed.peer, "closing a connection that waits for its client, to make room for another");
            closed.close.cancel();
        }
        let (id, close) = (held.next, CancellationToken::new());
        held.next += 1;
        held.connections.insert(id, Connection { peer, waits_since: Some(Instant::now()), close: close.clone() });
        Some((Place(Arc::new(Inner { id, places: Arc::clone(self) })), close))
    }
}

impl Held {
    fn longest_waiting(&self, among: impl Fn(&Connection) -> bool) -> Option<u64> {
        let waiting = self.connections.iter().filter(|(_, connection)| among(connection));
        let waiting = waiting.filter_map(|(&id, connection)| Some((connection.waits_since?, id)));
        waiting.min().map(|(_, id)| id)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.places.lock().connections.remove(&self.id);
    }
}

impl Place {
    /// Marks the connection as working for its client.
    pub(super) fn works(&self) -> Spell {
        self.spell(true)
    }

    /// Marks the connection as waiting for its client.
    pub(super) fn waits(&self) -> Spell {
        self.spell(false)
    }

    fn spell(&self, at_work: bool) -> Spell {
        self.set(at_work);
        Spell { place: self.clone(), at_work }
    }

    fn set(&self, at_work: bool) {
        if let Some(connection) = self.0.places.lock().connections.get_mut(&self.0.id) {
            connection.waits_since = (!at_work).then(Instant::now);
        }
    }
}

impl Drop for Spell {
    fn drop(&mut self) {
        self.place.set(!self.at_work);
    }
}

/// Returns a peer's identity: an IPv4 address, or the IPv6 network that usually belongs to one customer.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Middleware that marks a request's connection as working.
pub(super) async fn note(request: Request, next: Next) -> Response {
    let _works = request.extensions().get::<Place>().map(Place::works);
    next.run(request).await
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
