//! Writes 16-bit samples as a WAV file: what Amazon Connect sends is `audio/L16`, whatever its track says.

use std::io::{self, Seek, SeekFrom, Write};

use kvs_mkv::Samples;

/// The size of the header before the samples.
const HEADER_BYTES: u32 = 44;

fn frame_bytes(samples: Samples) -> u64 {
    2 * u64::from(samples.channels)
}

/// Writes the file. Samples are placed by their time; where there are none, it is silent.
pub(super) struct WavWriter<W> {
    out: W,
    samples: Samples,
    data_bytes: u64,
}

impl<W: Write + Seek> WavWriter<W> {
    pub(super) fn new(mut out: W, samples: Samples) -> io::Result<Self> {
        out.write_all(&header(samples, 0))?;
        Ok(Self { out, samples, data_bytes: 0 })
    }

    /// Writes little-endian samples that begin at this time. Less than a hundredth of a second of silence is none: clocks differ.
    pub(super) fn write(&mut self, at_ns: i64, data: &[u8]) -> io::Result<()> {
        let frame = frame_bytes(self.samples);
        let at =
            u64::try_from(at_ns).unwrap_or(0).saturating_mul(u64::from(self.samples.rate_hz)) / 1_000_000_000 * frame;
        let silence = at.saturating_sub(self.data_bytes);
        if silence >= u64::from(self.samples.rate_hz) / 100 * frame {
            self.silence(silence)?;
        }
        let whole = data.len() as u64 / frame * frame;
        self.add(whole)?;
        self.out.write_all(&data[..usize::try_from(whole).unwrap_or(0)])
    }

    fn silence(&mut self, bytes: u64) -> io::Result<()> {
        self.add(bytes)?;
        io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut self.out).map(|_| ())
    }

    fn add(&mut self, bytes: u64) -> io::Result<()> {
        self.data_bytes += bytes;
        if self.data_bytes > u64::from(u32::MAX - HEADER_BYTES) {
            let reason = "a WAV file has at most 4 GB; export a shorter range";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let size = u32::try_from(self.data_bytes).unwrap_or(u32::MAX);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header(self.samples, size))?;
        self.out.flush()
    }
}

fn header(samples: Samples, data_bytes: u32) -> Vec<u8> {
    let frame = u16::try_from(frame_bytes(samples)).unwrap_or(u16::MAX);
    let mut header = b"RIFF".to_vec();
    header.extend((data_bytes.saturating_add(HEADER_BYTES - 8)).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(samples.channels.to_le_bytes());
    header.extend(samples.rate_hz.to_le_bytes());
    header.extend(samples.rate_hz.saturating_mul(u32::from(frame)).to_le_bytes());
    header.extend(frame.to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data");
    header.extend(data_bytes.to_le_bytes());
    header
}

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
