//! The bytes of an element that begins in an earlier piece and continues in the current one.

/// Returns the first bytes of `head ++ tail` as one slice, at most as many as `small` holds. Copies nothing if `head`
/// is empty.
pub(super) fn join<'a>(head: &[u8], tail: &'a [u8], small: &'a mut [u8]) -> &'a [u8] {
    if head.is_empty() {
        return &tail[..tail.len().min(small.len())];
    }
    let from_head = head.len().min(small.len());
    small[..from_head].copy_from_slice(&head[..from_head]);
    let from_tail = tail.len().min(small.len() - from_head);
    small[from_head..from_head + from_tail].copy_from_slice(&tail[..from_tail]);
    &small[..from_head + from_tail]
}
