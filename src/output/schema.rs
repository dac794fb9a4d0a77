//! The current schemas.

/// A schema that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInSchema {
    /// The name of its file, without a folder.
    pub file: &'static str,
    /// The full name of its record, or the name of its primitive type.
    pub full_name: &'static str,
    /// The text of its file.
    pub text: &'static str,
}

/// The schema of a fragment's record.
pub(super) const FRAGMENT: BuiltInSchema =
    BuiltInSchema { file: "fragment.avsc", full_name: "kvs.connect.Fragment", text: VALUE_SCHEMA };
/// The schema of keys.
pub(super) const FRAGMENT_KEY: BuiltInSchema =
    BuiltInSchema { file: "fragment-key.avsc", full_name: "string", text: KEY_SCHEMA };
/// The schema of metadata.
pub(super) const METADATA: BuiltInSchema =
    BuiltInSchema { file: "metadata.avsc", full_name: "kvs.connect.FragmentMetadata", text: METADATA_SCHEMA };
/// The schema of frames.
pub(super) const FRAME: BuiltInSchema = BuiltInSchema {
    file: "frame.avsc",
    full_name: "kvs.connect.StreamFrame",
    text: include_str!("../../schemas/frame.avsc"),
};
/// The schema of notifications.
pub(super) const NOTIFICATION: BuiltInSchema =
    BuiltInSchema { file: "notification.avsc", full_name: "kvs.connect.Notification", text: NOTIFICATION_SCHEMA };

/// All of them.
pub const BUILT_IN: [BuiltInSchema; 5] = [FRAGMENT, FRAGMENT_KEY, METADATA, FRAME, NOTIFICATION];

/// The value's schema.
pub const VALUE_SCHEMA: &str = include_str!("../../schemas/fragment.avsc");
/// The key's schema, for `key.converter=avro`.
pub const KEY_SCHEMA: &str = include_str!("../../schemas/fragment-key.avsc");
/// The schema of notifications.
pub const NOTIFICATION_SCHEMA: &str = include_str!("../../schemas/notification.avsc");

/// The schema of metadata: a fragment's record without its payload.
pub const METADATA_SCHEMA: &str = include_str!("../../schemas/metadata.avsc");

/// The media type of values and of Avro keys: Avro's name for its binary encoding.
pub(super) const CONTENT_TYPE: &str = "avro/binary";
