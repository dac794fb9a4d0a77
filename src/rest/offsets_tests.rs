#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn with_times(server: i64, producer: i64) -> Result<StoredOffset, OffsetError> {
    let offset = json!({ "fragmentNumber": "7", "serverTimestamp": server, "producerTimestamp": producer });
    stored(serde_json::from_value(offset).unwrap())
}

#[test]
fn a_time_that_the_service_cannot_have_given_is_refused() {
    let now_ms = Timestamp::from_system_time(SystemTime::now()).millis();
    assert_eq!(with_times(now_ms, 0).unwrap().server_timestamp.unwrap().millis(), now_ms);
    // Microseconds, and a clock that is a day ahead.
    for server in [now_ms * 1_000, now_ms + 86_400_000] {
        let reason = with_times(server, 0).unwrap_err().to_string();
        assert!(reason.starts_with("serverTimestamp: ") && reason.contains("is in the future"), "{reason}");
    }
    assert!(with_times(-1, 0).unwrap_err().to_string().contains("is not a number of milliseconds since 1970"));
    assert!(
        with_times(now_ms, i64::MAX).unwrap_err().to_string().contains("is not a number of milliseconds since 1970")
    );
}

/// Fragments published after a sequence that was set have sequences too, which must stay readable for ever.
#[test]
fn a_sequence_that_leaves_no_room_is_refused() {
    let with_sequence =
        |sequence: i64| stored(serde_json::from_value(json!({ "fragmentNumber": "7", "sequence": sequence })).unwrap());
    assert_eq!(with_sequence(1 << 52).unwrap().sequence, Some(1 << 52));
    for sequence in [(1 << 52) + 1, crate::model::sequence::SEQUENCE_MAX, i64::MAX, -1] {
        let reason = with_sequence(sequence).unwrap_err().to_string();
        assert_eq!(reason, format!("sequence: 0 to 4503599627370496 was expected, not {sequence}"));
    }
}

/// Even if it is the offset that the stream has: its next record may follow any other.
#[test]
fn after_an_offset_that_was_set_the_stream_continues_nothing() {
    assert!(with_times(0, 0).unwrap().continuity.interrupted);
}
