//! Names of streams.

/// Returns whether the service accepts a stream name: 1 to 256 characters of `[a-zA-Z0-9_.-]`.
pub fn is_stream_name(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
