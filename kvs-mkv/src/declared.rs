//! A track declared as what its frames are.
//!
//! **Contract.** Amazon Connect declares AAC and sends 16-bit samples, which its tags say and no player reads. Of such a track the codec
//! and the settings of the audio are written anew; everything else keeps its bytes.

use crate::ebml::{self, Children};
use crate::element_writer::{element, uint};
use crate::elements::id;
use crate::error::Error;
use crate::file::{FileSegment, end_of, header_at};

/// Samples of 16 bits, the lower byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    /// Samples of a channel in a second.
    pub rate_hz: u32,
    /// How many channels.
    pub channels: u16,
}

impl Samples {
    /// Reads a media type, `audio/L16;rate=8000;channels=1;`. `None`: it is another one, or has no rate.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let mut parts = media_type.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("audio/L16") {
            return None;
        }
        let (mut rate_hz, mut channels) = (None, 1);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "rate" => rate_hz = value.trim().parse().ok().filter(|rate| *rate > 0),
                "channels" => channels = value.trim().parse().ok().filter(|channels| *channels > 0)?,
                _ => {}
            }
        }
        rate_hz.map(|rate_hz| Self { rate_hz, channels })
    }
}

/// What the codec of such samples is called.
const CODEC: &[u8] = b"A_PCM/INT/LIT";
const BITS: u64 = 16;

impl FileSegment {
    /// Declares a track, by its number, as samples.
    ///
    /// # Errors
    /// When the head cannot be read.
    pub fn declare_samples(&mut self, track: u64, samples: Samples) -> Result<(), Error> {
        let bytes = self.head.as_slice();
        let ebml_end = end_of(bytes, 0, header_at(bytes, 0)?)?;
        let mut at = ebml_end + header_at(bytes, ebml_end)?.length_bytes;
        let mut head = bytes[..at].to_vec();
        while at < bytes.len() {
            let header = header_at(bytes, at)?;
            let end = end_of(bytes, at, header)?;
            if header.id == id::TRACKS {
                element(&mut head, id::TRACKS, &declared(&bytes[at + header.length_bytes..end], track, samples)?);
            } else {
                head.extend(&bytes[at..end]);
            }
            at = end;
        }
        self.head = head;
        Ok(())
    }
}

/// Returns the content of Tracks with one of them declared.
fn declared(tracks: &[u8], track: u64, samples: Samples) -> Result<Vec<u8>, Error> {
    let mut written = Vec::new();
    let mut entries = Children::new(tracks, id::TRACKS, 0);
    while let Some(entry) = entries.next()? {
        if entry.id != id::TRACK_ENTRY || number_of(entry.content)? != track {
            element(&mut written, entry.id, entry.content);
            continue;
        }
        let mut content = Vec::new();
        let mut children = Children::new(entry.content, id::TRACK_ENTRY, 0);
        while let Some(child) = children.next()? {
            if !matches!(child.id, id::CODEC_ID | id::CODEC_PRIVATE | id::AUDIO | id::CRC_32) {
                element(&mut content, child.id, child.content);
            }
        }
        element(&mut content, id::CODEC_ID, CODEC);
        let mut audio = Vec::new();
        element(&mut audio, id::SAMPLING_FREQUENCY, &f64::from(samples.rate_hz).to_be_bytes());
        uint(&mut audio, id::CHANNELS, u64::from(samples.channels));
        uint(&mut audio, id::BIT_DEPTH, BITS);
        element(&mut content, id::AUDIO, &audio);
        element(&mut written, id::TRACK_ENTRY, &content);
    }
    Ok(written)
}

fn number_of(entry: &[u8]) -> Result<u64, Error> {
    let mut children = Children::new(entry, id::TRACK_ENTRY, 0);
    while let Some(child) = children.next()? {
        if child.id == id::TRACK_NUMBER {
            return Ok(ebml::read_uint(child.content).unwrap_or(0));
        }
    }
    Ok(0)
}

#[cfg(test)]
#[path = "declared_tests.rs"]
mod tests;
