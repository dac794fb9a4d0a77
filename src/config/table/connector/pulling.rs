//! How streams are pulled, and how failures are handled.

use std::time::Duration;

use crate::config::restart::ErrorsTolerance;
use crate::config::table::definition::Group::{ErrorHandling, Service};
use crate::config::table::definition::Importance::{High, Low};
use crate::config::table::definition::{Choice, value};
use crate::config::table::key::{Key, Optional, key, settings};

/// A year, in milliseconds.
const YEAR_MS: i64 = 31_536_000_000;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// An hour, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

const ERRORS_TOLERANCES: &[Choice] = &[
    value("none", "fails the stream at that fragment"),
    value("all", "skips the fragment, with a notification, and continues after it"),
];

settings! {
    /// How streams are pulled.
    PULLING {
        FRAGMENT_MAX_SIZE: Key<usize> = key("kvs.fragment.max.size.bytes", "Largest fragment")
            .bytes(64 << 20, 1 << 10..=512 << 20)
            .group(Service)
            .importance(High)
            .doc(
                "Largest fragment that is accepted; a larger one is handled as errors.tolerance says. The worker's \
                 memory.budget.size.bytes and the topic's max.message.bytes have to allow this size. Of the memory twice as much is \
                 needed with frames.topic, ${track} in topic, tracks, or payload.mode=chunked.",
            );
        FRAGMENT_TIMEOUT: Key<Duration> = key("kvs.fragment.timeout.ms", "Fragment timeout")
            .millis(300_000, 100..=HOUR_MS)
            .group(Service)
            .importance(Low)
            .doc(
                "How long a fragment may take from its first to its last byte. One that takes longer is given up and \
                 pulled again.",
            );
        INACTIVITY_TIMEOUT: Key<Duration> = key("kvs.inactivity.timeout.ms", "Inactivity timeout")
            .millis(120_000, 100..=HOUR_MS)
            .dependents(&["kvs.inactivity.fails"])
            .group(Service)
            .importance(Low)
            .doc("How long a session may go without a byte from the service before it is closed and opened again.");
        INACTIVITY_FAILS: Key<bool> = key("kvs.inactivity.fails", "Inactivity is a failure")
            .flag(false)
            .group(Service)
            .importance(Low)
            .doc(
                "Whether a session without a byte for kvs.inactivity.timeout.ms counts as failed even if the stream has \
                 caught up with its producer, which may just be off. Set it to true if producers never pause.",
            );
        IDLE_MAX_DELAY: Key<Duration> = key("kvs.idle.max.delay.ms", "Longest idle delay")
            .millis(2_000, 1..=HOUR_MS)
            .group(Service)
            .doc(
                "How long to wait at most before a session is opened again while its producer sends nothing. A longer \
                 delay makes fewer calls; a producer that starts again is noticed this much later.",
            );
        RETRY_ATTEMPTS: Key<u32> = key("kvs.retry.attempts.max", "Consecutive attempts")
            .int::<u32>(0, 0..=1_000_000)
            .group(Service)
            .doc(
                "Number of consecutive failed attempts after which a stream is FAILED; 0 keeps trying for ever. \
                 errors.retry.timeout sets whether a FAILED stream is restarted.",
            );
        RETRY_BASE_DELAY: Key<Duration> = key("kvs.retry.base.delay.ms", "First retry delay")
            .millis(200, 1..=600_000)
            .group(Service)
            .importance(Low)
            .doc(
                "Upper bound of the delay after a first failure. It doubles with each consecutive failure, and each \
                 delay is chosen at random below its bound.",
            );
        RETRY_MAX_DELAY: Key<Duration> = key("kvs.retry.max.delay.ms", "Longest retry delay")
            .millis(30_000, 1..=HOUR_MS)
            .group(Service)
            .importance(Low)
            .doc("Upper limit for the bound of the delay after consecutive failures.");
        RETRY_SLOW_DELAY: Key<Duration> = key("kvs.retry.slow.delay.ms", "Delay where an operator is needed")
            .millis(60_000, 1..=DAY_MS)
            .group(Service)
            .importance(Low)
            .doc(
                "Delay after the service's errors 4500, 4501 and 4505, about the stream's encryption key or its \
                 storage, which go away only when an operator acts.",
            );
        CAUGHT_UP: Key<i64> = key("kvs.caught.up.max.behind.ms", "Caught up within")
            .signed_millis(10_000, 0..=DAY_MS)
            .group(Service)
            .importance(Low)
            .doc(
                "A stream counts as caught up while its fragments are at most this far behind the producer's latest. \
                 This affects logs, statuses, notifications and whether silence is a failure.",
            );
        SILENT_AFTER: Key<Duration> = key("kvs.silent.after.ms", "Silent after")
            .millis(60_000, 0..=DAY_MS)
            .group(Service)
            .importance(Low)
            .doc(
                "A stream of which no fragment has arrived for this long is reported as silent in the worker's \
                 notifications.topic, once until fragments arrive again; 0 turns this off.",
            );
    }
}

settings! {
    /// How failures are handled.
    ERRORS {
        TOLERANCE: Key<ErrorsTolerance> = key("errors.tolerance", "Error tolerance")
            .choice("none", ERRORS_TOLERANCES, &[ErrorsTolerance::None, ErrorsTolerance::All])
            .group(ErrorHandling)
            .doc(
                "What happens to a fragment that cannot be parsed in three attempts, cannot be encoded, or is too large, \
                 and to a record whose topic cannot be named.",
            );
        DEAD_LETTER_TOPIC: Optional<String> = key("errors.deadletterqueue.topic.name", "Dead letter topic")
            .optional_topic()
            .same_everywhere()
            .dependents(&["errors.deadletterqueue.topic.replication.factor", "errors.deadletterqueue.value.max.bytes"])
            .group(ErrorHandling)
            .doc(
                "Topic for the fragments that errors.tolerance=all skips: the bytes that are known of the fragment, with the \
                 reason and its position in headers, in the transaction that moves the position past it. Created if it does \
                 not exist. Without this setting the bytes are not kept.",
            );
        DEAD_LETTER_REPLICATION: Optional<i32> =
            key("errors.deadletterqueue.topic.replication.factor", "Replication factor of dead letters")
                .optional_int::<i32>(1..=100)
                .from("topic.creation.default.replication.factor")
                .group(ErrorHandling)
                .importance(Low)
                .doc("Replication factor of the dead letter topic when it is created.");
        DEAD_LETTER_MAX_BYTES: Key<usize> = key("errors.deadletterqueue.value.max.bytes", "Size of dead letters")
            .bytes(1_000_000, 0..=67_108_864)
            .group(ErrorHandling)
            .importance(Low)
            .doc(
                "Number of a skipped fragment's bytes that its record has at most, from the fragment's beginning; with 0 it \
                 has none. The record says how many there were.",
            );
        RESTART_TIMEOUT: Key<i64> = key("errors.retry.timeout", "Retry timeout")
            .signed_millis(-1, 0..=YEAR_MS)
            .or_int(-1)
            .dependents(&["errors.retry.delay.base.ms", "errors.retry.delay.max.ms"])
            .group(ErrorHandling)
            .doc(
                "How long, in milliseconds, a FAILED stream is restarted; -1 is for ever, 0 never. After \
                 that it stays FAILED until somebody restarts it.",
            );
        RESTART_BASE: Key<Duration> = key("errors.retry.delay.base.ms", "First restart delay")
            .millis(10_000, 1..=HOUR_MS)
            .group(ErrorHandling)
            .importance(Low)
            .doc(
                "How long after its failure a FAILED stream is first restarted; the delay doubles with each \
                 consecutive failure.",
            );
        RESTART_MAX: Key<Duration> = key("errors.retry.delay.max.ms", "Longest restart delay")
            .millis(60_000, 1..=DAY_MS)
            .group(ErrorHandling)
            .importance(Low)
            .doc("Longest delay before a FAILED stream is restarted.");
    }
}
