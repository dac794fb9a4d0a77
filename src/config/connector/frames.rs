//! Settings of the topic of frames.

use kvs_frames::{FrameOptions, FrameSample};

use crate::config::reader::Reader;
use crate::config::table::connector::frames as table;
use crate::model::{PayloadMode, Template};

/// The frames that a connector publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramesConfig {
    /// `frames.topic`.
    pub topic: Template,
    /// `frames.format`, `frames.audio.format` and `frames.tracks`.
    pub options: FrameOptions,
    /// `frames.sample`.
    pub sample: FrameSample,
    /// `frames.payload.mode`: inline or none.
    pub payload_mode: PayloadMode,
}

impl Reader<'_> {
    /// Reads the settings of the frames; an inner `None`: there is no topic for them.
    pub(super) fn frames(&mut self, connector: &str) -> Option<Option<FramesConfig>> {
        let topic = self.other_topic(&table::TOPIC, connector);
        let video = self.read(&table::FORMAT);
        let audio = self.read(&table::AUDIO_FORMAT);
        let tracks = self.selection(&table::TRACKS);
        let sample = self.read(&table::SAMPLE);
        let sample = sample.and_then(|text| self.checked(&table::SAMPLE, text.parse::<FrameSample>()));
        let payload_mode = self.read(&table::PAYLOAD_MODE);
        if topic == Some(None) {
            let given = [
                self.is_given(&table::FORMAT),
                self.is_given(&table::AUDIO_FORMAT),
                self.is_given(&table::SAMPLE),
                self.is_given(&table::PAYLOAD_MODE),
            ];
            let names =
                [table::FORMAT.name(), table::AUDIO_FORMAT.name(), table::SAMPLE.name(), table::PAYLOAD_MODE.name()];
            let named = names.into_iter().zip(given).filter(|(_, given)| *given).map(|(name, _)| name);
            let tracks = self.is_given(&table::TRACKS).then_some(table::TRACKS.name());
            for name in named.chain(tracks).collect::<Vec<_>>() {
                self.problem_at(name, "has no effect without frames.topic, which is not set");
            }
        }
        let options = FrameOptions { video: video?, audio: audio?, tracks: tracks? };
        let (sample, payload_mode) = (sample?, payload_mode?);
        Some(topic?.map(|topic| FramesConfig { topic, options, sample, payload_mode }))
    }
}
