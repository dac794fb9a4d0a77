//! What a look for streams has come to, and why it has found none.

use crate::config::connector::Discovery;

/// How many streams got how far in a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// The service listed them; where there is a prefix, those that begin so.
    pub(super) listed: usize,
    /// Those of them that can be read.
    pub(super) ready: usize,
    /// Those of them whose names pass.
    pub(super) named: usize,
    /// Those of them that are of shards held here, the only ones whose tags are asked for.
    pub(super) here: usize,
    /// Those of them that have the tags.
    pub(super) tagged: usize,
}

/// Why no stream is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nothing {
    /// The reason, and what to look at.
    pub reason: String,
    /// Whether it is so on all workers; otherwise others may have found some on their shards.
    pub everywhere: bool,
}

impl Tally {
    /// Why no stream is found; `None`: some are, or other workers have those that may be.
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
            return everywhere(format!("{} listed{begin}, and none is ACTIVE", are(listed)));
        }
        if named == 0 {
            return everywhere(format!("{} listed{begin}, and no name passes kvs.streams.regex", are(listed)));
        }
        if here == 0 || tagged > 0 {
            return None;
        }
        let (tags, names) =
            (wanted(discovery), format!("{} listed{begin}, {named} of them with names that pass", are(listed)));
        if here == named {
            return everywhere(format!("{names}, and none has {tags} (kvs.streams.tags)"));
        }
        let reason = format!(
            "{names}; of the {here} that are this worker's to look at none has {tags} (kvs.streams.tags); other workers look \
             at the rest"
        );
        Some(Nothing { reason, everywhere: false })
    }
}

fn are(count: usize) -> String {
    if count == 1 { "1 stream is".to_owned() } else { format!("{count} streams are") }
}

/// The tags that are wanted, so that a key that was meant for key and value is seen.
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
