//! NAL units, after lengths (ISO/IEC 14496-15) or start codes (Annex B of H.264 and H.265).

/// The start code that is written; one without its first zero is read, too.
pub(crate) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Which standard's NAL units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NalCodec {
    H264,
    H265,
}

/// What a NAL unit is for a byte stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NalKind {
    Vps,
    Sps,
    Pps,
    /// Has to stay the first of its picture.
    AccessUnitDelimiter,
    PrefixSei,
    Other,
}

impl NalCodec {
    /// Returns the kind of a NAL unit.
    pub(crate) fn kind(self, unit: &[u8]) -> NalKind {
        let Some(&first) = unit.first() else { return NalKind::Other };
        match (self, first & 0x1F, first >> 1 & 0x3F) {
            (Self::H264, 7, _) | (Self::H265, _, 33) => NalKind::Sps,
            (Self::H264, 8, _) | (Self::H265, _, 34) => NalKind::Pps,
            (Self::H264, 9, _) | (Self::H265, _, 35) => NalKind::AccessUnitDelimiter,
            (Self::H265, _, 32) => NalKind::Vps,
            (Self::H264, 6, _) | (Self::H265, _, 39) => NalKind::PrefixSei,
            _ => NalKind::Other,
        }
    }
}

/// How the NAL units of a frame are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiters {
    Lengths(usize),
    StartCodes,
}

/// Reads the length of one to four bytes at an offset.
pub(crate) fn read_length(data: &[u8], at: usize, length_size: usize) -> Option<u64> {
    let bytes = data.get(at..at.checked_add(length_size)?)?;
    Some(bytes.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)))
}

/// Returns the NAL units of a byte stream.
pub(crate) fn units_of_byte_stream(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    Units::new(data, Delimiters::StartCodes)
}

/// The NAL units of a frame, without those that are empty. Its lengths have been checked.
#[derive(Clone)]
pub(crate) struct Units<'a> {
    data: &'a [u8],
    delimiters: Delimiters,
    at: usize,
}

impl<'a> Units<'a> {
    pub(crate) fn new(data: &'a [u8], delimiters: Delimiters) -> Self {
        Self { data, delimiters, at: 0 }
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let unit = match self.delimiters {
                Delimiters::Lengths(length_size) => {
                    let length = usize::try_from(read_length(self.data, self.at, length_size)?).ok()?;
                    let begin = self.at + length_size;
                    let end = begin.checked_add(length)?;
                    self.at = end;
                    self.data.get(begin..end)?
                }
                Delimiters::StartCodes => {
                    let begin = find_start_code(self.data, self.at)? + 3;
                    let end = find_start_code(self.data, begin).unwrap_or(self.data.len());
                    self.at = end;
                    trim_zeros(self.data.get(begin..end)?)
                }
            };
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// Returns the offset of the next three bytes 0 0 1.
fn find_start_code(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(&[first, second, third]) = data.get(at..at + 3) {
        match (first, second, third) {
            (0, 0, 1) => return Some(at),
            // None of the three can begin a start code.
            (_, _, 2..) => at += 3,
            _ => at += 1,
        }
    }
    None
}

/// Takes away the zeros that may stand behind a NAL unit, one of which may belong to the next start code.
fn trim_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &unit[..end]
}
