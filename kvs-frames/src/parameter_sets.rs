//! Parameter sets in codec private data: avcC (ISO/IEC 14496-15, 5.3.3), hvcC (8.3.3), or a byte stream.

use crate::error::Problem;
use crate::nal::{NalCodec, NalKind, units_of_byte_stream};

/// What the codec private data of an H.264 or H.265 track say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ParameterSets {
    /// Bytes of a NAL unit's length, 1 to 4, if there is an avcC or hvcC.
    pub(crate) length_size: Option<usize>,
    /// What belongs in front of a key frame, in order.
    pub(crate) units: Vec<Vec<u8>>,
}

impl ParameterSets {
    /// Reads codec private data. A byte stream, which some producers have there, has no length size.
    pub(crate) fn read(config: &[u8], codec: NalCodec) -> Result<Self, Problem> {
        if config.is_empty() {
            return Ok(Self::default());
        }
        if config.starts_with(&[0, 0, 1]) || config.starts_with(&[0, 0, 0, 1]) {
            let wanted = |unit: &&[u8]| belongs_in_front(codec.kind(unit));
            let units = units_of_byte_stream(config).filter(wanted).map(<[u8]>::to_vec).collect();
            return Ok(Self { length_size: None, units });
        }
        match codec {
            NalCodec::H264 => read_avcc(config),
            NalCodec::H265 => read_hvcc(config),
        }
    }
}

fn belongs_in_front(kind: NalKind) -> bool {
    matches!(kind, NalKind::Vps | NalKind::Sps | NalKind::Pps | NalKind::PrefixSei)
}

fn read_avcc(config: &[u8]) -> Result<ParameterSets, Problem> {
    let mut reader = Reader { what: "avcC", bytes: config, at: 0 };
    reader.version()?;
    reader.take(3, "it ends within the profile")?;
    let length_size = usize::from(reader.byte("it ends before the length size")? & 3) + 1;
    let mut units = Vec::new();
    let sps_count = reader.byte("it ends before the SPS")? & 0x1F;
    for _ in 0..sps_count {
        units.push(reader.unit()?.to_vec());
    }
    let pps_count = reader.byte("it ends before the PPS")?;
    for _ in 0..pps_count {
        units.push(reader.unit()?.to_vec());
    }
    // What may follow repeats what the SPS says.
    Ok(ParameterSets { length_size: Some(length_size), units: without_empty(units) })
}

fn read_hvcc(config: &[u8]) -> Result<ParameterSets, Problem> {
    let mut reader = Reader { what: "hvcC", bytes: config, at: 0 };
    reader.version()?;
    reader.take(20, "it ends within the profile")?;
    let length_size = usize::from(reader.byte("it ends before the length size")? & 3) + 1;
    let mut units = Vec::new();
    let arrays = reader.byte("it ends before the arrays")?;
    for _ in 0..arrays {
        reader.take(1, "it ends within an array")?;
        let &[high, low] = reader.take(2, "it ends within an array")? else { continue };
        for _ in 0..u16::from_be_bytes([high, low]) {
            let unit = reader.unit()?;
            if belongs_in_front(NalCodec::H265.kind(unit)) {
                units.push(unit.to_vec());
            }
        }
    }
    Ok(ParameterSets { length_size: Some(length_size), units: without_empty(units) })
}

fn without_empty(mut units: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    units.retain(|unit| !unit.is_empty());
    units
}

struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bad(&self, reason: &'static str) -> Problem {
        Problem::BadConfig { what: self.what, offset: self.at, reason }
    }

    fn version(&mut self) -> Result<(), Problem> {
        match self.bytes.first() {
            // Muxers wrote hvcC with version 0 before the standard was finished.
            Some(1) => {}
            Some(0) if self.what == "hvcC" => {}
            _ => return Err(self.bad("it has to begin with version 1, or with a start code")),
        }
        self.at = 1;
        Ok(())
    }

    fn take(&mut self, count: usize, reason: &'static str) -> Result<&'a [u8], Problem> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.bad(reason))?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self, reason: &'static str) -> Result<u8, Problem> {
        self.take(1, reason)?.first().copied().ok_or_else(|| self.bad(reason))
    }

    /// A NAL unit after its length of two bytes.
    fn unit(&mut self) -> Result<&'a [u8], Problem> {
        let [high, low] = [self.byte("it ends within a length")?, self.byte("it ends within a length")?];
        self.take(usize::from(u16::from_be_bytes([high, low])), "a parameter set extends beyond the end")
    }
}

#[cfg(test)]
#[path = "parameter_sets_tests.rs"]
mod tests;
