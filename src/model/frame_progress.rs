//! How far a stream's frames have been published: what is stored with its offset, so that a worker that continues there
//! chooses and describes frames like one that was never killed.

use serde::{Deserialize, Serialize};

/// What the frames output has to remember of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameProgress {
    /// The topic, or the template of its name; another one begins anew.
    #[serde(default)]
    pub topic: String,
    /// Fragments published since the last one of which a frame was published; `None`: no frame has been published, or each track
    /// counts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragments_since: Option<u64>,
    /// What is remembered of tracks. Those of which there is nothing to remember are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<TrackProgress>,
}

/// What is remembered of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackProgress {
    /// The track's number.
    pub track: u64,
    /// The state of the choice of frames (`kvs_frames::SampleState`); `None`: the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<[i64; 2]>,
    /// Whether the next record of the track has to say that it continues nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discontinuity: bool,
    /// Fragments published since the last one of which a frame of this track was published, if the topic is one of the track;
    /// `None`: none has been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragments_since: Option<u64>,
}

impl FrameProgress {
    /// Counts another fragment.
    pub fn count_fragment(&mut self) {
        let tracks = self.tracks.iter_mut().map(|track| &mut track.fragments_since);
        for since in tracks.chain([&mut self.fragments_since]).flatten() {
            *since = since.saturating_add(1);
        }
    }
}
