//! Places for connections: a number in all, and of these a share for one peer.
//!
//! **Contract.** Whoever comes gets a place as long as there is one whose client is waited for, however many hold one: the
//! connection that has waited longest for its client (to send, or to read what was answered) is closed for it, one of
//! its own peer's where that has its share. A connection that is at work for its client is never closed for another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

/// The places there are.
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
    /// Since when its client is waited for; `None`: it is at work.
    waits_since: Option<Instant>,
    close: CancellationToken,
}

/// A place; it is given back when its last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    places: Arc<Places>,
}

/// A time in which a connection is at work, or in which its client is waited for; what was before comes back with its end.
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
        // Nothing panics while it is held, and connections come and go one by one.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, with what tells that it is taken away again. `None`: all are at work.
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
            tracing::debug!(peer = %closed.peer, "a connection whose client has kept it waiting is closed for another");
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
    /// The connection is at work for its client.
    pub(super) fn works(&self) -> Spell {
        self.spell(true)
    }

    /// Its client is waited for.
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

/// A peer: an address, or of IPv6 the network that a customer usually has to himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Notes that a request is at work.
pub(super) async fn note(request: Request, next: Next) -> Response {
    let _works = request.extensions().get::<Place>().map(Place::works);
    next.run(request).await
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
