//! The Audio element of a track (RFC 9559, 5.1.4.1.29).

use crate::ebml::{self, Children};
use crate::elements::id;
use crate::error::{Error, ErrorKind};

/// Settings of an audio track.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AudioSettings {
    /// Samples per second; Matroska's default is 8000.
    pub sampling_frequency_hz: f64,
    /// Number of channels; Matroska's default is 1.
    pub channels: u64,
    /// Samples per second that a decoder puts out, if the track says it: with spectral band replication, twice the above.
    pub output_sampling_frequency_hz: Option<f64>,
    /// Bits per sample, mostly of PCM, if the track says it.
    pub bit_depth: Option<u64>,
}

impl AudioSettings {
    /// Creates settings from a sampling frequency in hertz and a number of channels.
    pub fn new(sampling_frequency_hz: f64, channels: u64) -> Self {
        Self { sampling_frequency_hz, channels, output_sampling_frequency_hz: None, bit_depth: None }
    }
}

/// Reads the content of an Audio element. `offset` is the content's offset in the stream.
pub(super) fn read_audio(content: &[u8], offset: u64) -> Result<AudioSettings, Error> {
    let mut audio = AudioSettings::new(8000.0, 1);
    let mut children = Children::new(content, id::AUDIO, offset);
    while let Some(child) = children.next()? {
        let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
        let float = || ebml::read_float(child.content).ok_or_else(bad);
        let uint = || ebml::read_uint(child.content).ok_or_else(bad);
        match child.id {
            id::SAMPLING_FREQUENCY => audio.sampling_frequency_hz = float()?,
            id::OUTPUT_SAMPLING_FREQUENCY => audio.output_sampling_frequency_hz = Some(float()?),
            id::CHANNELS => audio.channels = uint()?,
            id::BIT_DEPTH => audio.bit_depth = Some(uint()?),
            _ => {}
        }
    }
    Ok(audio)
}
