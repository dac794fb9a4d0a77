//! Where the payloads of fragments are: in their records, outside of Kafka, in chunks, or nowhere.

use std::time::Duration;

use crate::config::table::definition::Group::Payload;
use crate::config::table::definition::Importance::Low;
use crate::config::table::definition::{Choice, Definition, value};
use crate::config::table::key::{Key, Optional, key, settings};
use crate::model::{PayloadMode, ReferenceFormat, Template};

const MODES: &[Choice] = &[
    value("inline", "writes it into the fragment's record"),
    value("none", "leaves it out"),
    value("reference", "writes it to payload.store.url first, and its URI into the record"),
    value("chunked", "writes it to payload.chunk.topic in parts, in the transaction of the record"),
];

const REFERENCE_FORMATS: &[Choice] = &[
    value("uri", "keeps the record in Kafka, with the payload's URI, size and hash as fields"),
    value(
        "bakdata",
        "moves the whole value of the record to the object, as bakdata's kafka-large-message-serde reads it, and leaves the \
         URI in Kafka",
    ),
];

settings! {
    /// Where payloads are.
    PAYLOAD {
        MODE: Key<PayloadMode> = key("payload.mode", "Payload mode")
            .choice(
                "inline",
                MODES,
                &[PayloadMode::Inline, PayloadMode::None, PayloadMode::Reference, PayloadMode::Chunked],
            )
            .dependents(&["payload.inline.max.bytes", "payload.store.url", "payload.chunk.topic"])
            .group(Payload)
            .doc("What happens to the media of a fragment.");
        INLINE_MAX: Key<usize> = key("payload.inline.max.bytes", "Largest inline payload")
            .bytes(0, 0..=1_000_000_000)
            .group(Payload)
            .doc(
                "Payloads of at most this size stay in their records, whatever payload.mode is. Larger ones are treated as \
                 payload.mode says.",
            );
        REFERENCE_FORMAT: Key<ReferenceFormat> = key("payload.reference.format", "Form of references")
            .choice("uri", REFERENCE_FORMATS, &[ReferenceFormat::Uri, ReferenceFormat::Bakdata])
            .group(Payload)
            .importance(Low)
            .doc("How records refer to objects, with payload.mode=reference.");
        STORE_URL: Optional<String> = key("payload.store.url", "Object store")
            .optional_text()
            .empty_is_unset()
            .group(Payload)
            .doc(
                "Where payloads are written with payload.mode=reference: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, \
                 az://CONTAINER/PREFIX, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX or file:///FOLDER, which is created \
                 if it is missing. Objects are named after stream and fragment, so that a repeated fragment overwrites its own; \
                 they are never deleted here.",
            );
        STORE_REGION: Optional<String> = key("payload.store.region", "Region of the bucket")
            .optional_text()
            .empty_is_unset()
            .from("kvs.region")
            .group(Payload)
            .importance(Low)
            .doc("Region of the S3 bucket, if it is not the region of the streams.");
        STORE_ENDPOINT: Optional<String> = key("payload.store.endpoint", "Endpoint of the object store")
            .optional_text()
            .empty_is_unset()
            .group(Payload)
            .importance(Low)
            .doc(
                "Endpoint of the store if it is not AWS's, Google's or Azure's own, such as http://minio:9000. Only then may \
                 the protocol be http.",
            );
        STORE_PATH_STYLE: Optional<bool> = key("payload.store.path.style", "Bucket in the path")
            .optional_flag()
            .from("true if payload.store.endpoint is set")
            .group(Payload)
            .importance(Low)
            .doc("Whether requests to S3 have the bucket in their path, and not in the host's name.");
        STORE_TIMEOUT: Key<Duration> = key("payload.store.timeout.ms", "Timeout of the object store")
            .millis(300_000, 1_000..=3_600_000)
            .group(Payload)
            .importance(Low)
            .doc(
                "How long one attempt to write an object may take, in milliseconds: long enough for the largest fragment on the \
                 slowest line. An attempt that makes no progress for 10 seconds is given up before that.",
            );
        CHUNK_TOPIC: Optional<Template> = key("payload.chunk.topic", "Topic for chunks")
            .optional_topic_template()
            .same_everywhere()
            .group(Payload)
            .doc(
                "Topic for the parts of payloads with payload.mode=chunked, each the bytes of a part as they are. Created if \
                 it does not exist, like the topic of the fragments.",
            );
        CHUNK_MAX: Key<usize> = key("payload.chunk.max.bytes", "Size of chunks")
            .bytes(900_000, 1_000..=100_000_000)
            .group(Payload)
            .importance(Low)
            .doc("Size of a part at most. The default fits into topics with Kafka's default of max.message.bytes.");
    }
}

/// An option of the store's client.
const STORE_OPTION_KEY: Optional<String> =
    key("payload.store.option.", "Option of the object store").password().group(Payload).importance(Low).doc(
        "Any other option of the store's client, by its name in the Rust crate object_store, such as \
         azure_storage_account_name, azure_storage_account_key, google_service_account or aws_sse_kms_key_id.",
    );

/// Its definition.
pub(in crate::config::table) const STORE_OPTION: Definition = STORE_OPTION_KEY.definition();
