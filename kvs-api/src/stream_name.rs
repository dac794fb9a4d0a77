//! Names of streams.

/// Whether a name is one the service takes: 1 to 256 of `[a-zA-Z0-9_.-]`, as the models' StreamName.
pub fn is_stream_name(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
