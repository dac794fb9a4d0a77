//! Where streams start, and ranges of the archive.

use crate::config::table::definition::Group::{Backfill, Position};
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::definition::{Choice, value};
use crate::config::table::key::{Key, Optional, key, settings};
use kvs_client::PositionLost;

/// Where a stream without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartPosition {
    Earliest,
    Now,
    FragmentNumber,
    ProducerTimestamp,
    ServerTimestamp,
    ContinuationToken,
}

const START_POSITIONS: &[Choice] = &[
    value("EARLIEST", "is the oldest fragment that the service still has"),
    value("NOW", "is the latest fragment"),
    value("FRAGMENT_NUMBER", "is the fragment after kvs.start.fragment.number"),
    value("PRODUCER_TIMESTAMP", "is the first fragment with a producer timestamp of kvs.start.timestamp or later"),
    value("SERVER_TIMESTAMP", "is the first fragment with a server timestamp of kvs.start.timestamp or later"),
    value("CONTINUATION_TOKEN", "is the fragment after kvs.start.continuation.token"),
];

const POSITIONS_LOST: &[Choice] = &[
    value("earliest", "continues with the oldest remaining fragment after the position"),
    value("now", "continues with the latest fragment"),
    value("fail", "fails the stream"),
];

settings! {
    /// Where a stream starts, and what happens when its position is lost.
    POSITION {
        START: Key<StartPosition> = key("kvs.start.position", "Start position")
            .choice(
                "EARLIEST",
                START_POSITIONS,
                &[
                    StartPosition::Earliest,
                    StartPosition::Now,
                    StartPosition::FragmentNumber,
                    StartPosition::ProducerTimestamp,
                    StartPosition::ServerTimestamp,
                    StartPosition::ContinuationToken,
                ],
            )
            .dependents(&[
                "kvs.start.fragment.number",
                "kvs.start.fragment.inclusive",
                "kvs.start.timestamp",
                "kvs.start.continuation.token",
            ])
            .group(Position)
            .importance(High)
            .doc(
                "Where a stream starts if none of its fragments has been published yet. A stream with a stored position \
                 always continues there.",
            );
        FRAGMENT_NUMBER: Optional<String> = key("kvs.start.fragment.number", "Start fragment number")
            .optional_text()
            .group(Position)
            .doc(
                "Fragment number after which a stream starts. Required for, and only allowed with, the start position \
                 FRAGMENT_NUMBER.",
            );
        INCLUSIVE: Key<bool> = key("kvs.start.fragment.inclusive", "Include start fragment")
            .flag(false)
            .group(Position)
            .importance(Low)
            .doc(
                "Whether the stream starts with the fragment kvs.start.fragment.number itself, which is fetched from \
                 the archive, instead of the one after it. Set it for the StartFragmentNumber that Amazon Connect \
                 reports.",
            );
        TIMESTAMP: Optional<String> = key("kvs.start.timestamp", "Start time")
            .time()
            .group(Position)
            .doc(
                "Time at which a stream starts: RFC 3339, seconds since 1970, or milliseconds since 1970 as 13 digits. \
                 Required for, and only allowed with, the start positions PRODUCER_TIMESTAMP and SERVER_TIMESTAMP; it \
                 must not be in the future.",
            );
        CONTINUATION_TOKEN: Optional<String> = key("kvs.start.continuation.token", "Start continuation token")
            .optional_text()
            .group(Position)
            .importance(Low)
            .doc(
                "Continuation token of GetMedia after which the connector's only stream starts. Required for, and only \
                 allowed with, the start position CONTINUATION_TOKEN.",
            );
        LOST: Key<PositionLost> = key("kvs.position.lost", "When the position is lost")
            .choice("earliest", POSITIONS_LOST, &[PositionLost::Earliest, PositionLost::Now, PositionLost::Fail])
            .group(Position)
            .doc(
                "What happens when Kinesis Video Streams no longer has the fragment from which a stream should continue, \
                 for example because the retention period ended while the stream was paused.",
            );
        GAP_CHECK: Key<bool> = key("kvs.gap.check", "Close gaps from the archive")
            .flag(false)
            .group(Position)
            .doc(
                "Whether the archive is searched for the fragments that were missed when a position was lost; those that \
                 it still has are published before the stream continues. Needs ListFragments and GetMediaForFragmentList \
                 to be allowed.",
            );
    }
}

settings! {
    /// Ranges of the archive.
    BACKFILL {
        FROM: Optional<String> = key("kvs.backfill.from", "Backfill from")
            .time()
            .group(Backfill)
            .doc(
                "First server time of a range of the archive, in the format of kvs.start.timestamp. It makes the \
                 connector a job that publishes the fragments of the range and is then COMPLETED; such a job needs a \
                 start and a last time or fragment.",
            );
        TO: Optional<String> = key("kvs.backfill.to", "Backfill to")
            .time()
            .group(Backfill)
            .doc(
                "Last server time of the range, which is part of it, in the format of kvs.start.timestamp. It may be in \
                 the future: the job then follows the archive until then.",
            );
        FIRST: Optional<String> = key("kvs.backfill.start.fragment.number", "First fragment of the backfill")
            .optional_text()
            .group(Backfill)
            .doc(
                "First fragment of the range, which is part of it, instead of kvs.backfill.from or together with it. \
                 Only for a connector with one stream.",
            );
        LAST: Optional<String> = key("kvs.backfill.stop.fragment.number", "Last fragment of the backfill")
            .optional_text()
            .group(Backfill)
            .doc(
                "Last fragment of the range, which is part of it, instead of kvs.backfill.to or together with it. Only \
                 for a connector with one stream.",
            );
    }
}
