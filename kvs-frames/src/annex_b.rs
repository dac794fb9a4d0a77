//! Frames of H.264 and H.265 as an Annex B byte stream.

use std::borrow::Cow;

use crate::error::Problem;
use crate::nal::{Delimiters, NalCodec, NalKind, START_CODE, Units, read_length};
use crate::parameter_sets::ParameterSets;

/// Returns a frame as an Annex B byte stream; a key frame that lacks parameter sets gets those of the configuration.
///
/// A frame is taken for a byte stream already, and keeps its start codes, if
/// - its track has no avcC or hvcC, and the frame begins with a start code of three or four bytes, or
/// - its track has one, the lengths that it announces do not add up to the frame's size, and the frame begins with a start
///   code of four bytes, as each picture of a byte stream does. (The three bytes 0 0 1 also begin the length of a
///   NAL unit of 256 to 511 bytes.)
///
/// Any other frame consists of NAL units after their lengths, of four bytes if there is no configuration that says it.
pub(crate) fn to_annex_b<'a>(
    data: Cow<'a, [u8]>,
    sets: &ParameterSets,
    codec: NalCodec,
    key: bool,
    limit_bytes: usize,
) -> Result<Cow<'a, [u8]>, Problem> {
    let delimiters = detect(&data, sets.length_size)?;
    let units = Units::new(&data, delimiters);
    let in_front: &[Vec<u8>] = if key && !sets.units.is_empty() && !has_parameter_sets(&units, codec) {
        &sets.units
    } else if delimiters == Delimiters::StartCodes {
        return Ok(data);
    } else {
        &[]
    };
    let added: usize = in_front.iter().map(|unit| START_CODE.len() + unit.len()).sum();
    let stored: usize = units.clone().map(|unit| START_CODE.len() + unit.len()).sum();
    if added.saturating_add(stored) > limit_bytes {
        return Err(Problem::TooLarge { limit_bytes });
    }
    let mut out = Vec::with_capacity(added + stored);
    let mut rest = units.peekable();
    // The delimiter comes first (H.264, 7.4.1.2.3; H.265, 7.4.2.4.4).
    if let Some(delimiter) = rest.next_if(|unit| codec.kind(unit) == NalKind::AccessUnitDelimiter) {
        append(&mut out, delimiter);
    }
    in_front.iter().for_each(|unit| append(&mut out, unit));
    rest.for_each(|unit| append(&mut out, unit));
    Ok(Cow::Owned(out))
}

fn append(out: &mut Vec<u8>, unit: &[u8]) {
    out.extend(START_CODE);
    out.extend(unit);
}

fn detect(data: &[u8], length_size: Option<usize>) -> Result<Delimiters, Problem> {
    let four = data.starts_with(&START_CODE);
    let Some(length_size) = length_size else {
        return if four || data.starts_with(&START_CODE[1..]) {
            Ok(Delimiters::StartCodes)
        } else {
            check_lengths(data, START_CODE.len()).map(|()| Delimiters::Lengths(START_CODE.len()))
        };
    };
    match check_lengths(data, length_size) {
        Ok(()) => Ok(Delimiters::Lengths(length_size)),
        Err(_) if four => Ok(Delimiters::StartCodes),
        Err(problem) => Err(problem),
    }
}

/// Checks that lengths and NAL units fill the frame.
fn check_lengths(data: &[u8], length_size: usize) -> Result<(), Problem> {
    let mut at = 0;
    while at < data.len() {
        let (needed_bytes, available_bytes) = match read_length(data, at, length_size) {
            Some(length) => (length_size as u64 + length, data.len() - at),
            None => (length_size as u64, data.len() - at),
        };
        match usize::try_from(needed_bytes) {
            Ok(needed) if needed <= available_bytes => at += needed,
            _ => return Err(Problem::TruncatedUnit { offset: at, needed_bytes, available_bytes }),
        }
    }
    Ok(())
}

/// Whether a frame has an SPS and a PPS, and a VPS where there is such a thing.
fn has_parameter_sets(units: &Units<'_>, codec: NalCodec) -> bool {
    let (mut vps, mut sps, mut pps) = (codec == NalCodec::H264, false, false);
    for unit in units.clone() {
        match codec.kind(unit) {
            NalKind::Vps => vps = true,
            NalKind::Sps => sps = true,
            NalKind::Pps => pps = true,
            _ => {}
        }
    }
    vps && sps && pps
}

#[cfg(test)]
#[path = "annex_b_tests.rs"]
mod tests;
