//! Which streams a connector has.

use std::time::Duration;

use regex::Regex;

use crate::config::table::definition::Group::Streams;
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::key::{Key, Optional, key, settings};

settings! {
    /// Which streams a connector has.
    STREAMS {
        LIST: Optional<String> = key("kvs.streams", "Streams")
            .optional_list_text()
            .from("required, or a condition on the streams")
            .same_everywhere()
            .group(Streams)
            .importance(High)
            .doc(
                "Names or ARNs of the streams, separated by commas. To discover streams by their names or tags \
                 instead, leave this out and set kvs.streams.prefix, kvs.streams.regex or kvs.streams.tags.",
            );
        PREFIX: Optional<String> = key("kvs.streams.prefix", "Stream name prefix")
            .optional_text()
            .same_everywhere()
            .group(Streams)
            .importance(High)
            .doc(
                "Pulls all streams of the account and region whose names begin with this text. Several conditions have \
                 to be met together.",
            );
        REGEX: Optional<Regex> = key("kvs.streams.regex", "Stream name pattern")
            .regex()
            .same_everywhere()
            .group(Streams)
            .doc(
                "Pulls all streams of the account and region whose whole names match this regular expression. Several \
                 conditions have to be met together.",
            );
        TAGS: Optional<String> = key("kvs.streams.tags", "Stream tags")
            .optional_list_text()
            .same_everywhere()
            .group(Streams)
            .doc(
                "Pulls all streams of the account and region that have all of these tags, KEY=VALUE, or KEY for any \
                 value, separated by commas. Several conditions have to be met together.",
            );
        DISCOVERY_INTERVAL: Key<Duration> = key("kvs.discovery.interval.ms", "Discovery interval")
            .millis(60_000, 1_000..=86_400_000)
            .group(Streams)
            .importance(Low)
            .doc(
                "How often new and deleted streams are looked for, if streams are selected by conditions. A shorter \
                 interval uses more of the account's limit for ListStreams.",
            );
    }
}
