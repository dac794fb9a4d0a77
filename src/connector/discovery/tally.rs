//! Counts what a look for streams has found, and explains why it found none.

use crate::config::connector::Discovery;

/// The number of streams left after each step of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Streams that the service lists, with the prefix if there is one.
    pub(super) listed: usize,
    /// Those of them that can be read.
    pub(super) ready: usize,
    /// Those of them whose names match.
    pub(super) named: usize,
    /// Those of them in shards held by this worker, the only ones whose tags are requested.
    pub(super) here: usize,
    /// Those of them that have the tags.
    pub(super) tagged: usize,
}

/// Explains why no stream is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nothing {
    /// The reason, and what to check.
    pub reason: String,
    /// Whether this holds on all workers; otherwise other workers may have found streams in their shards.
    pub everywhere: bool,
}

impl Tally {
    /// Returns why no stream is found; `None` if some are, or if other workers hold the shards of all candidates.
    pub(super) fn nothing(&self, discovery: &Discovery) -> Option<Nothing> {
        let Self { listed, ready, named, here, tagged } = *self;
        let begin = discovery.prefix.as_ref();
        let begin = begin.map_or_else(String::new, |prefix| format!(" whose names begin with {prefix:?}"));
        let everywhere = |reason: String| Some(Nothing { reason, everywhere: true });
        if listed == 0 {
            return everywhere(format!(
                "the service lists no streams{begin} in this account and region (kvs.region, kvs.credentials.*, \
                 kvs.role.arn{})",
                if begin.is_empty() { "" } else { ", kvs.streams.prefix" }
            ));
        }
        if ready == 0 {
            return everywhere(format!("{} listed{begin}, but none is ACTIVE", are(listed)));
        }
        if named == 0 {
            return everywhere(format!("{} listed{begin}, but no name matches kvs.streams.regex", are(listed)));
        }
        if here == 0 || tagged > 0 {
            return None;
        }
        let (tags, names) =
            (wanted(discovery), format!("{} listed{begin}, {named} of them with matching names", are(listed)));
        if here == named {
            return everywhere(format!("{names}, but none has {tags} (kvs.streams.tags)"));
        }
        let reason = format!(
            "{names}; of the {here} in this worker's shards none has {tags} (kvs.streams.tags); other workers check \
             the rest"
        );
        Some(Nothing { reason, everywhere: false })
    }
}

fn are(count: usize) -> String {
    if count == 1 { "1 stream is".to_owned() } else { format!("{count} streams are") }
}

/// Describes the required tags in a way that exposes a key that was meant as key and value.
fn wanted(discovery: &Discovery) -> String {
    let one = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("the tag {key:?} with the value {value:?}"),
        None => format!("a tag {key:?}"),
    };
    discovery.tags.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
