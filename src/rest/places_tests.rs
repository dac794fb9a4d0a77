#![allow(clippy::unwrap_used)]

use super::*;

fn peer(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// Acquires slots one after the other.
fn taken(places: &Arc<Places>, peers: &[u8]) -> Vec<(Place, CancellationToken)> {
    peers.iter().map(|&last| places.take(peer(last)).unwrap()).collect()
}

fn closed(connections: &[(Place, CancellationToken)]) -> Vec<usize> {
    let closed = connections.iter().enumerate().filter(|(_, (_, close))| close.is_cancelled());
    closed.map(|(index, _)| index).collect()
}

#[test]
fn the_one_that_has_waited_longest_makes_room_and_none_at_work_does() {
    let places = Places::new(10, 3);
    let mut held = taken(&places, &[1, 2, 1, 1]);
    let works = held[0].0.works();
    held.extend(taken(&places, &[1]));
    assert_eq!(closed(&held), [2]);
    // It has just got its response, so another connection has waited longer.
    drop(works);
    held.extend(taken(&places, &[1]));
    assert_eq!(closed(&held), [2, 3]);
    let _all: Vec<Spell> = held.iter().map(|(place, _)| place.works()).collect();
    assert!(places.take(peer(1)).is_none());
    assert!(places.take(peer(3)).is_some());
}

#[test]
fn when_all_places_are_taken_the_peer_with_the_most_makes_room() {
    let places = Places::new(6, 4);
    let mut held = taken(&places, &[1, 2, 2, 2, 3, 4]);
    held.extend(taken(&places, &[5]));
    assert_eq!(closed(&held), [1]);
    // If all of those are working, another peer's waiting connection is closed.
    let _works: Vec<Spell> = held[2..4].iter().map(|(place, _)| place.works()).collect();
    held.extend(taken(&places, &[6]));
    assert_eq!(closed(&held), [0, 1]);
}

#[test]
fn a_body_that_does_not_come_is_waited_for_and_a_place_is_given_back() {
    let places = Places::new(2, 2);
    let mut held = taken(&places, &[1, 2]);
    let (first, second) = (held[0].0.works(), held[1].0.works());
    assert!(places.take(peer(3)).is_none());
    let body = held[1].0.waits();
    drop(body);
    assert!(places.take(peer(3)).is_none());
    let _body = held[1].0.waits();
    held.extend(taken(&places, &[3]));
    assert_eq!(closed(&held), [1]);
    drop((first, second));
    drop(held);
}

#[test]
fn a_peer_is_an_address_or_a_network_of_ipv6() {
    let of = |text: &str| network(text.parse().unwrap());
    assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::7"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
}
