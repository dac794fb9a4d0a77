//! Checks brokers' addresses, and the names of clients and groups.

use std::net::Ipv6Addr;

use super::error::ValueError;

/// The maximum length of a name in Kafka, in characters, as for topics.
const NAME_MAX: usize = 249;
/// The maximum length of a host name in DNS, in characters.
const HOST_MAX: usize = 253;
/// The maximum number of characters of a wrong value that errors show.
const SHOWN_MAX: usize = 100;

/// Checks `bootstrap.servers` as librdkafka reads it, and returns it without spaces: `HOST`, `HOST:PORT` or
/// `PROTOCOL://HOST:PORT`, separated by commas, IPv6 in brackets; the default port is 9092. `protocol` is
/// `security.protocol`: librdkafka skips brokers with another one.
///
/// # Errors
/// The first wrong entry, and what is wrong with it. Names are not resolved.
pub(super) fn servers(text: &str, protocol: &str) -> Result<String, ValueError> {
    let servers: Vec<&str> = text.split(',').map(str::trim).filter(|server| !server.is_empty()).collect();
    if servers.is_empty() {
        return Err(ValueError::NoBroker);
    }
    for server in &servers {
        check_server(server, protocol)?;
    }
    Ok(servers.join(","))
}

fn check_server(server: &str, protocol: &str) -> Result<(), ValueError> {
    let wrong = |reason: &str| Err(ValueError::NotBroker { broker: shown(server), reason: reason.to_owned() });
    let address = match server.split_once("://") {
        Some((given, address)) if given.eq_ignore_ascii_case(protocol) => address,
        Some(_) => return wrong(&format!("security.protocol is {protocol}; HOST:PORT was expected")),
        None => server,
    };
    let (host, port, is_host) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => {
            // A network interface may follow after `%`.
            let ip = host.split_once('%').map_or(host, |(ip, _)| ip);
            let ends = rest.is_empty() || rest.starts_with(':');
            (host, rest.strip_prefix(':'), ends && ip.parse::<Ipv6Addr>().is_ok())
        }
        None => {
            let (host, port) = address.rsplit_once(':').map_or((address, None), |(host, port)| (host, Some(port)));
            (host, port, is_host_name(host))
        }
    };
    if !is_host {
        let about_colons = if host.contains([':', '[']) { "; an IPv6 address must be in brackets" } else { "" };
        return wrong(&format!("HOST:PORT was expected{about_colons}"));
    }
    if port.is_some_and(|port| !is_port(port)) {
        return wrong("a port from 1 to 65535 was expected after the last colon");
    }
    Ok(())
}

fn is_host_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=HOST_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Checks the name of a client or a group, which a log shows in a line.
///
/// # Errors
/// What was expected.
pub(super) fn check_client_name(name: &str) -> Result<(), ValueError> {
    if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(ValueError::NotClientName { found: shown(name), most: NAME_MAX });
    }
    Ok(())
}

fn shown(text: &str) -> String {
    let begins: String = text.chars().take(SHOWN_MAX).collect();
    if begins.len() < text.len() { format!("{begins:?}…") } else { format!("{begins:?}") }
}

#[cfg(test)]
#[path = "kafka_names_tests.rs"]
mod tests;
