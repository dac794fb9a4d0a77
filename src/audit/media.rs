//! What media are, without the container around them.
//!
//! A session of GetMedia and one of GetMediaForFragmentList send the same frames with other tags around them, and a connector may
//! take tracks out. So media are compared frame by frame and track by track: data, key flag, and time since the cluster's.

use std::collections::BTreeMap;

use kvs_mkv::Fragment;
use sha2::{Digest, Sha256};

/// A hash for each track of a fragment, by its number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaDigest {
    pub(super) tracks: BTreeMap<u64, [u8; 32]>,
}

impl MediaDigest {
    /// Returns the digest of a fragment's media.
    pub fn of(fragment: &Fragment) -> Self {
        let start_ns = fragment.clusters.first().map_or(0, |cluster| cluster.timestamp_ns);
        let mut hashes: BTreeMap<u64, Sha256> = BTreeMap::new();
        for track in fragment.tracks.iter() {
            hashes.entry(track.number).or_default().update(track.codec_private.as_deref().unwrap_or_default());
        }
        for frame in &fragment.frames {
            let hash = hashes.entry(frame.track).or_default();
            hash.update(frame.timestamp_ns.wrapping_sub(start_ns).to_le_bytes());
            hash.update([u8::from(frame.key)]);
            hash.update((frame.size_bytes as u64).to_le_bytes());
            hash.update(fragment.frame_data(frame));
        }
        Self { tracks: hashes.into_iter().map(|(track, hash)| (track, hash.finalize().into())).collect() }
    }

    /// Returns whether these are the same media; with `some_tracks`, those of this one's tracks alone.
    pub fn agrees_with(&self, whole: &Self, some_tracks: bool) -> bool {
        if some_tracks {
            self.tracks.iter().all(|(track, hash)| whole.tracks.get(track) == Some(hash))
        } else {
            self == whole
        }
    }
}
