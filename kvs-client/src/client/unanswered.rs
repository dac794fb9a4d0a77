//! A request that had no answer: to which server, why, and what to look at.

use url::Url;

use crate::credentials::with_causes;

/// Returns a URL's host and port, and nothing else of it: the rest may hold a password.
pub(super) fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns why a request to `url` had no answer, and what to look at where that is known.
pub(super) fn describe(url: &Url, error: reqwest::Error) -> String {
    let connecting = error.is_connect();
    let text = with_causes(&error.without_url());
    let server = server(url);
    let advice = advice(&text, url.scheme() == "https");
    // What stands before the cause is the same for all of them.
    let cause = text.split_once("client error (Connect): ").map_or(text.as_str(), |(_, cause)| cause);
    let what = if connecting { "cannot be reached" } else { "does not answer" };
    match advice {
        Some(advice) => format!("{server} {what}: {cause}; {advice}"),
        None => format!("{server} {what}: {cause}"),
    }
}

/// Returns what to look at, by the causes as reqwest, hyper, rustls and the system name them.
fn advice(text: &str, is_tls: bool) -> Option<&'static str> {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["Connection refused"]) {
        Some("nothing listens there: check the endpoint with its port, the region, and the proxy if there is one")
    } else if has(&["dns error"]) {
        Some("no address is known of that host: check how the endpoint or the region is written, and the machine's DNS")
    } else if has(&["InvalidContentType", "wrong version number"]) {
        Some("what listens there does not speak TLS: check the endpoint, its port, and whether http:// is meant")
    } else if has(&["invalid peer certificate", "certificate verify failed"]) {
        Some("check the endpoint's host, and that its authority is among the certificates that are trusted")
    } else if !is_tls && has(&["invalid HTTP version", "IncompleteMessage", "connection closed before message"]) {
        Some("check the endpoint, its port, and whether https:// is meant")
    } else if has(&["deadline has elapsed", "timed out", "unreachable", "No route to host"]) {
        Some("check the endpoint, the region, and what is between this machine and that one (firewall, proxy)")
    } else {
        None
    }
}
