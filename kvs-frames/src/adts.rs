//! ADTS headers (ISO/IEC 13818-7, 6.2), made from an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).

use std::borrow::Cow;

use crate::error::Problem;

const WHAT: &str = "AudioSpecificConfig";
const HEADER_BYTES: usize = 7;
/// The frame's length has 13 bits in the header.
const FRAME_MAX_BYTES: usize = 0x1FFF;

/// Sampling frequencies in hertz, by their index.
const FREQUENCIES_HZ: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// What an ADTS header says about the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adts {
    /// The audio object type less one: 1 is AAC-LC.
    profile: u8,
    frequency_index: u8,
    channels: u8,
}

impl Adts {
    /// Reads an AudioSpecificConfig. With spectral band replication, the header says what the core is; decoders find the
    /// rest in the frames.
    pub(crate) fn read(config: &[u8]) -> Result<Self, Problem> {
        let mut bits = Bits { bytes: config, at: 0 };
        let mut object_type = bits.take(5)?;
        let frequency_index = frequency_index(&mut bits)?;
        let channels = bits.take(4)?;
        if matches!(object_type, 5 | 29) {
            // The frequency that is put out, then the core's type.
            if bits.take(4)? == 15 {
                bits.take(24)?;
            }
            object_type = bits.take(5)?;
        }
        if !(1..=4).contains(&object_type) {
            return Err(Problem::NoAdts { reason: "the audio object type is none of Main, LC, SSR and LTP" });
        }
        if bits.take(1)? == 1 {
            return Err(Problem::NoAdts { reason: "the frames have 960 samples" });
        }
        if !(1..=7).contains(&channels) {
            return Err(Problem::NoAdts { reason: "the channels are described in a program config element" });
        }
        // All three are below 16.
        Ok(Self { profile: object_type as u8 - 1, frequency_index, channels: channels as u8 })
    }

    /// Returns a frame with its header. A frame that has one already is returned as it is.
    pub(crate) fn with_header<'a>(self, data: Cow<'a, [u8]>, limit_bytes: usize) -> Result<Cow<'a, [u8]>, Problem> {
        if has_header(&data) {
            return Ok(data);
        }
        let length = data.len().saturating_add(HEADER_BYTES);
        if length > FRAME_MAX_BYTES {
            return Err(Problem::NoAdts { reason: "the frame has more than 8184 bytes" });
        }
        if length > limit_bytes {
            return Err(Problem::TooLarge { limit_bytes });
        }
        let mut out = Vec::with_capacity(length);
        // Syncword, MPEG-4, no CRC; a buffer fullness of all ones: variable bit rate; one block.
        out.extend([
            0xFF,
            0xF1,
            self.profile << 6 | self.frequency_index << 2 | self.channels >> 2,
            (self.channels & 3) << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1F,
            0xFC,
        ]);
        out.extend(&*data);
        Ok(Cow::Owned(out))
    }
}

/// Returns whether a frame begins with an ADTS header that says the frame's own length.
pub(crate) fn has_header(data: &[u8]) -> bool {
    let Some(&[0xFF, second, _, fourth, fifth, sixth, _]) = data.first_chunk::<HEADER_BYTES>() else { return false };
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    second & 0xF6 == 0xF0 && length == data.len()
}

fn frequency_index(bits: &mut Bits<'_>) -> Result<u8, Problem> {
    let index = match bits.take(4)? {
        15 => {
            let frequency_hz = bits.take(24)?;
            FREQUENCIES_HZ.iter().position(|&one| one == frequency_hz).and_then(|index| u8::try_from(index).ok())
        }
        index if (index as usize) < FREQUENCIES_HZ.len() => u8::try_from(index).ok(),
        _ => None,
    };
    index.ok_or(Problem::NoAdts { reason: "the sampling frequency has no index" })
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<u32, Problem> {
        let mut value = 0;
        for _ in 0..count {
            let offset = self.at / 8;
            let byte = self.bytes.get(offset).ok_or(Problem::BadConfig { what: WHAT, offset, reason: "it is cut" })?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
#[path = "adts_tests.rs"]
mod tests;
