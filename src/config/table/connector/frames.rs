//! The topic of frames: which frames are written to it, and in which form.

use kvs_frames::{AudioFormat, FrameFormat};

use crate::config::table::definition::Group::Records;
use crate::config::table::definition::Importance::Low;
use crate::config::table::definition::{Choice, Definition, value};
use crate::config::table::key::{Key, Optional, key, settings};
use crate::model::{PayloadMode, Template};

const FORMATS: &[Choice] = &[
    value(
        "annexb",
        "writes H.264 and H.265 as Annex B, with the parameter sets in front of each key frame, and other codecs as stored",
    ),
    value("mkv", "writes frames as stored; a decoder needs the configuration, too"),
];

const AUDIO_FORMATS: &[Choice] = &[
    value("mkv", "writes frames as stored"),
    value("adts", "writes AAC with ADTS headers, and 16-bit PCM as little-endian samples"),
];

const PAYLOAD_MODES: &[Choice] = &[
    value("inline", "writes them into their records"),
    value("none", "leaves them out: what is written of each frame is what it is and when it was taken"),
];

settings! {
    /// The topic of frames.
    FRAMES {
        TOPIC: Optional<Template> = key("frames.topic", "Topic for frames")
            .optional_topic_template()
            .same_everywhere()
            .dependents(&["frames.format", "frames.audio.format", "frames.tracks", "frames.sample", "frames.payload.mode"])
            .group(Records)
            .doc(
                "Topic for the single frames of the fragments, a record for each, as a decoder takes them, written in the \
                 transaction of the fragment. Created if it does not exist, like the topic of the fragments. Without this \
                 setting there is no such topic.",
            );
        FORMAT: Key<FrameFormat> = key("frames.format", "Form of video frames")
            .choice("annexb", FORMATS, &[FrameFormat::AnnexB, FrameFormat::Mkv])
            .group(Records)
            .importance(Low)
            .doc("In which form frames of video are written. Content encodings, such as zlib, are undone.");
        AUDIO_FORMAT: Key<AudioFormat> = key("frames.audio.format", "Form of audio frames")
            .choice("mkv", AUDIO_FORMATS, &[AudioFormat::Stored, AudioFormat::Adts])
            .group(Records)
            .importance(Low)
            .doc("In which form frames of audio are written. Content encodings, such as zlib, are undone.");
        TRACKS: Optional<String> = key("frames.tracks", "Tracks of the frames")
            .optional_list_text()
            .from("all tracks")
            .group(Records)
            .importance(Low)
            .doc(
                "Tracks whose frames are written, separated by commas: numbers, names such as AUDIO_FROM_CUSTOMER, or the kinds \
                 video, audio, subtitle and metadata.",
            );
        SAMPLE: Key<String> = key("frames.sample", "Choice of frames")
            .text("all")
            .group(Records)
            .importance(Low)
            .doc(
                "Which frames of each track are written: all, key (frames at which decoding can begin), every:N, \
                 interval:DURATION such as interval:2s, or one of these among the key frames, key,interval:2s. Frames between \
                 key frames can be decoded only with all frames since the last key frame.",
            );
        PAYLOAD_MODE: Key<PayloadMode> = key("frames.payload.mode", "Payload of the frames")
            .choice("inline", PAYLOAD_MODES, &[PayloadMode::Inline, PayloadMode::None])
            .group(Records)
            .importance(Low)
            .doc("What happens to the frames' own bytes. Records without them are written as value.format says.");
    }
}

/// The definitions, for the table.
pub(in crate::config::table) const DEFINITIONS: &[Definition] = FRAMES;
