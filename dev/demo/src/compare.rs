//! Comparison of the fragments sent with the fragments seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kvs_harness::{Isolation, read_topic};
use serde_json::Value;

/// A fragment: stream, number, and SHA-256 of its bytes.
type Fragment = (String, String, String);

/// The result of the comparison, in fragments.
pub(crate) struct Comparison {
    sent: usize,
    seen: usize,
    lost: usize,
    duplicated: usize,
    out_of_order: usize,
}

impl Comparison {
    pub(crate) fn is_good(&self) -> bool {
        self.sent > 0 && self.sent == self.seen && self.lost + self.duplicated + self.out_of_order == 0
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, seen, lost, duplicated, out_of_order } = self;
        write!(formatter, "sent {sent}, seen {seen}, lost {lost}, duplicated {duplicated}, out of order {out_of_order}")
    }
}

/// Returns the fragments that the simulator has sent, from its own list.
pub(crate) fn sent(address: &str, streams: &[&str]) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    for stream in streams {
        let path = format!("/simulator/streams/{stream}/fragments");
        let Some((200, body)) = kvs_harness::connector::http_get(address, &path) else { continue };
        let listed: Value = serde_json::from_str(&body).unwrap_or_default();
        for row in listed["fragments"].as_array().into_iter().flatten() {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            fragments.push(((*stream).to_owned(), text("fragmentNumber"), text("sha256")));
        }
    }
    fragments
}

/// Returns the fragments that a read_committed consumer sees.
pub(crate) fn seen(bootstrap: &str, topic: &str) -> Vec<Fragment> {
    let read = read_topic(bootstrap, topic, Isolation::Committed);
    read.into_iter().map(|fragment| (fragment.stream, fragment.number, fragment.sha256)).collect()
}

pub(crate) fn compare(sent: &[Fragment], seen: &[Fragment]) -> Comparison {
    let once: BTreeSet<&Fragment> = seen.iter().collect();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let positions: BTreeMap<&Fragment, usize> =
        sent.iter().enumerate().map(|(position, fragment)| (fragment, position)).collect();
    let mut out_of_order = 0;
    for fragment in seen {
        let Some(&position) = positions.get(fragment) else { continue };
        if last.insert(fragment.0.as_str(), position).is_some_and(|before| before >= position) {
            out_of_order += 1;
        }
    }
    Comparison {
        sent: sent.len(),
        seen: seen.len(),
        lost: sent.iter().filter(|fragment| !once.contains(fragment)).count(),
        duplicated: seen.len() - once.len(),
        out_of_order,
    }
}
