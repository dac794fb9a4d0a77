//! Whether a fragment continues the one before it.
//!
//! **Contract.** A [`Continuity`] is what has to be known of a fragment so that the next one can be compared with it. It is
//! small, and may be stored: the identity of a session is computed in the same way in every version of this crate.
//!
//! The next fragment does *not* continue a fragment if one of these holds, as far as both sides are known:
//!
//! | sign | seen when |
//! |---|---|
//! | other SegmentUUID, or other tracks: number, UID, kind, codec, its initialization data, size, sampling rate, channels | a producer starts again, or changes its encoder |
//! | the producer timestamp is lower | the producer's clock was set back, or two producers send to one stream |
//! | the first frame is earlier, by the cluster's clock | a session whose time begins again at zero |
//! | producer timestamp and cluster's clock are apart by [`CLOCKS_APART_MAX_NS`] more or less than before | the same, after a session of one fragment |
//!
//! Within a session of a producer the two clocks differ by a constant: the service computes the producer timestamp as the
//! session's start plus the cluster's time, or takes it from the cluster.

use crate::fragment::Fragment;
use crate::timestamp::Timestamp;
use crate::track::Track;

/// How much the distance between producer timestamp and cluster's clock may change within a session, in nanoseconds: the
/// service's limit for the duration of a fragment.
const CLOCKS_APART_MAX_NS: i128 = 10_000_000_000;

/// What the next fragment is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Continuity {
    /// The identity of the producer's session: a hash of SegmentUUID and tracks. `None`: unknown, which nothing contradicts.
    pub session: Option<u64>,
    /// Presentation time of the fragment's earliest frame, in nanoseconds, by the cluster's clock; `None`: unknown.
    pub start_ns: Option<i64>,
    /// Whether something between this fragment and the next one is not there, so that the next one continues nothing
    /// whatever it contains.
    pub interrupted: bool,
    /// Whether the fragment was fetched in place of missed ones and more of them may follow, so that whoever continues after it
    /// has to look for those, too.
    pub in_gap: bool,
}

impl Continuity {
    /// Returns what the fragment after `fragment` is compared with. A fragment without tracks belongs to the session of the
    /// fragment before it.
    pub fn after(fragment: &Fragment, before: Option<&Self>) -> Self {
        let session = session_of(fragment).or_else(|| before.and_then(|before| before.session));
        Self { session, start_ns: fragment.start_ns(), interrupted: false, in_gap: false }
    }

    /// Returns whether `next` continues the fragment that this was taken from, whose producer timestamp was `produced`.
    pub fn is_continued_by(&self, produced: Option<Timestamp>, next: &Fragment) -> bool {
        let same_session = self.session.zip(session_of(next)).is_none_or(|(before, now)| before == now);
        let times = produced.zip(next.producer_timestamp);
        let starts = self.start_ns.zip(next.start_ns());
        let is_later = times.is_none_or(|(before, now)| now >= before);
        let starts_later = starts.is_none_or(|(before, now)| now >= before);
        let clocks_agree = times.zip(starts).is_none_or(|((produced_before, produced), (start_before, start))| {
            let moved_ns = (i128::from(produced.millis()) - i128::from(produced_before.millis())) * 1_000_000;
            let expected_ns = i128::from(start) - i128::from(start_before);
            (moved_ns - expected_ns).abs() <= CLOCKS_APART_MAX_NS
        });
        !self.interrupted && same_session && is_later && starts_later && clocks_agree
    }
}

/// Returns the identity of a fragment's session, or `None` without tracks.
fn session_of(fragment: &Fragment) -> Option<u64> {
    if fragment.tracks.is_empty() {
        return None;
    }
    // Their order in a chunk means nothing.
    let mut tracks: Vec<&Track> = fragment.tracks.iter().collect();
    tracks.sort_by_key(|track| track.number);
    let mut hash = Fnv::default();
    hash.field(fragment.segment_uid.as_deref());
    for track in tracks {
        for number in [track.number, track.uid, track.kind.value()] {
            hash.bytes(&number.to_be_bytes());
        }
        hash.field(Some(track.codec_id.as_bytes()));
        hash.field(track.codec_private.as_deref());
        let video = track.video.map_or([0; 2], |video| [video.width, video.height]);
        let audio = track.audio.map_or([0; 2], |audio| [audio.sampling_frequency_hz.to_bits(), audio.channels]);
        for number in video.into_iter().chain(audio) {
            hash.bytes(&number.to_be_bytes());
        }
    }
    Some(hash.0)
}

/// FNV-1a with 64 bits. The standard library's hashes differ between versions, and this one is stored.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Adds a value of any length, so that no two lists of values are the same bytes.
    fn field(&mut self, value: Option<&[u8]>) {
        self.bytes(&value.map_or(u64::MAX, |value| value.len() as u64).to_be_bytes());
        self.bytes(value.unwrap_or_default());
    }
}

#[cfg(test)]
#[path = "continuity_tests.rs"]
mod tests;
