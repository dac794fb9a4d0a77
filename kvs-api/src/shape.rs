//! Members of requests and their shapes, from the public service models (2017-09-30); UpdateStream and UntagStream from
//! the AWS API reference.

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// The type and bounds of a member's value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Text with a length in characters and a pattern that has to match all of it.
    Text { least: usize, most: usize, pattern: &'static str },
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A whole number in a range.
    Integer { least: i64, most: i64 },
    /// Seconds since 1970, possibly with a fraction.
    Timestamp,
    /// A map from text to values of one shape.
    Map { least: usize, most: usize, key: &'static Shape, value: &'static Shape },
    /// A list of items of one shape.
    List { least: usize, most: usize, item: &'static Shape },
    /// A structure with members of its own.
    Structure(&'static [Member]),
}

const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

const fn text(least: usize, most: usize, pattern: &'static str) -> Shape {
    Shape::Text { least, most, pattern }
}

const NAME: Shape = text(1, 256, r"[a-zA-Z0-9_.-]+");
const ARN: Shape = text(1, 1024, r"arn:[a-z\d-]+:kinesisvideo:[a-z0-9-]+:[0-9]+:[a-z]+/[a-zA-Z0-9_.-]+/[0-9]+");
const MEDIA_ARN: Shape = text(1, 1024, r"arn:aws:kinesisvideo:[a-z0-9-]+:[0-9]+:[a-z]+/[a-zA-Z0-9_.-]+/[0-9]+");
const DEVICE: Shape = text(1, 128, r"[a-zA-Z0-9_.-]+");
const MEDIA_TYPE: Shape = text(1, 128, r"[\w\-\.\+]+/[\w\-\.\+]+(,[\w\-\.\+]+/[\w\-\.\+]+)*");
const VERSION: Shape = text(1, 64, r"[a-zA-Z0-9]+");
const PAGE_TOKEN: Shape = text(0, 1024, r"[a-zA-Z0-9+/=]*");
const ARCHIVE_TOKEN: Shape = text(1, 4096, r"[a-zA-Z0-9+/]+={0,2}");
const FRAGMENT_NUMBER: Shape = text(1, 128, r"[0-9]+");
const TAG_KEY: Shape = text(1, 128, r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
const TAG_VALUE: Shape = text(0, 256, r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
const TAGS: Shape = Shape::Map { least: 1, most: 50, key: &TAG_KEY, value: &TAG_VALUE };
const STORAGE: Shape = Shape::Structure(&[required("DefaultStorageTier", Shape::Enum(&["HOT", "WARM"]))]);
const HOURS: Shape = Shape::Integer { least: 0, most: i32::MAX as i64 };

pub(crate) const STREAM: &[Member] = &[optional("StreamName", NAME), optional("StreamARN", ARN)];

pub(crate) const CREATE_STREAM: &[Member] = &[
    optional("DeviceName", DEVICE),
    required("StreamName", NAME),
    optional("MediaType", MEDIA_TYPE),
    optional("KmsKeyId", text(1, 2048, r".+")),
    optional("DataRetentionInHours", HOURS),
    optional("Tags", TAGS),
    optional("StreamStorageConfiguration", STORAGE),
];

pub(crate) const LIST_STREAMS: &[Member] = &[
    optional("MaxResults", Shape::Integer { least: 1, most: 10_000 }),
    optional("NextToken", PAGE_TOKEN),
    optional(
        "StreamNameCondition",
        Shape::Structure(&[
            optional("ComparisonOperator", Shape::Enum(&["BEGINS_WITH"])),
            optional("ComparisonValue", NAME),
        ]),
    ),
];

pub(crate) const UPDATE_STREAM: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    required("CurrentVersion", VERSION),
    optional("DeviceName", DEVICE),
    optional("MediaType", MEDIA_TYPE),
];

pub(crate) const UPDATE_DATA_RETENTION: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    required("CurrentVersion", VERSION),
    required("Operation", Shape::Enum(&["INCREASE_DATA_RETENTION", "DECREASE_DATA_RETENTION"])),
    required("DataRetentionChangeInHours", Shape::Integer { least: 1, most: i32::MAX as i64 }),
];

pub(crate) const UPDATE_STORAGE: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    required("CurrentVersion", VERSION),
    required("StreamStorageConfiguration", STORAGE),
];

pub(crate) const DELETE_STREAM: &[Member] = &[required("StreamARN", ARN), optional("CurrentVersion", VERSION)];

pub(crate) const TAG_STREAM: &[Member] =
    &[optional("StreamARN", ARN), optional("StreamName", NAME), required("Tags", TAGS)];

pub(crate) const UNTAG_STREAM: &[Member] = &[
    optional("StreamARN", ARN),
    optional("StreamName", NAME),
    required("TagKeyList", Shape::List { least: 1, most: 50, item: &TAG_KEY }),
];

pub(crate) const LIST_TAGS: &[Member] =
    &[optional("NextToken", PAGE_TOKEN), optional("StreamARN", ARN), optional("StreamName", NAME)];

pub(crate) const GET_DATA_ENDPOINT: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    required(
        "APIName",
        Shape::Enum(&[
            "PUT_MEDIA",
            "GET_MEDIA",
            "LIST_FRAGMENTS",
            "GET_MEDIA_FOR_FRAGMENT_LIST",
            "GET_HLS_STREAMING_SESSION_URL",
            "GET_DASH_STREAMING_SESSION_URL",
            "GET_CLIP",
            "GET_IMAGES",
        ]),
    ),
];

pub(crate) const GET_MEDIA: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", MEDIA_ARN),
    required(
        "StartSelector",
        Shape::Structure(&[
            required(
                "StartSelectorType",
                Shape::Enum(&[
                    "FRAGMENT_NUMBER",
                    "SERVER_TIMESTAMP",
                    "PRODUCER_TIMESTAMP",
                    "NOW",
                    "EARLIEST",
                    "CONTINUATION_TOKEN",
                ]),
            ),
            optional("AfterFragmentNumber", FRAGMENT_NUMBER),
            optional("StartTimestamp", Shape::Timestamp),
            optional("ContinuationToken", text(1, 128, r"[a-zA-Z0-9_\.\-]+")),
        ]),
    ),
];

/// PutMedia's members are headers; these are their names in the API reference.
pub(crate) const PUT_MEDIA: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", MEDIA_ARN),
    required("FragmentTimecodeType", Shape::Enum(&["ABSOLUTE", "RELATIVE"])),
    optional("ProducerStartTimestamp", Shape::Timestamp),
];

pub(crate) const LIST_FRAGMENTS: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    optional("MaxResults", Shape::Integer { least: 1, most: 1000 }),
    optional("NextToken", ARCHIVE_TOKEN),
    optional(
        "FragmentSelector",
        Shape::Structure(&[
            required("FragmentSelectorType", Shape::Enum(&["PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"])),
            required(
                "TimestampRange",
                Shape::Structure(&[
                    required("StartTimestamp", Shape::Timestamp),
                    required("EndTimestamp", Shape::Timestamp),
                ]),
            ),
        ]),
    ),
];

pub(crate) const GET_MEDIA_FOR_FRAGMENT_LIST: &[Member] = &[
    optional("StreamName", NAME),
    optional("StreamARN", ARN),
    required("Fragments", Shape::List { least: 1, most: 1000, item: &FRAGMENT_NUMBER }),
];
