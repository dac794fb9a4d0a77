//! Blocks: SimpleBlock and Block, with their lacing, read into entries of the frame index.

use crate::ebml;

/// One frame of a fragment: its position in the payload and its presentation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Number of the frame's track; see [`Track::number`](crate::Track::number).
    pub track: u64,
    /// Presentation time, in nanoseconds: (cluster timestamp + block timestamp) × TimestampScale.
    pub timestamp_ns: i64,
    /// Offset of the frame's data in the payload, in bytes.
    pub offset: usize,
    /// Size of the frame's data, in bytes.
    pub size_bytes: usize,
    /// Whether a decoder can start at this frame.
    pub key: bool,
    /// Duration in nanoseconds, if the block has one.
    pub duration_ns: Option<u64>,
}

/// The fixed start of a block's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) track: u64,
    /// Relative to the cluster's timestamp, in units of TimestampScale.
    pub(crate) timestamp: i16,
    pub(crate) key: bool,
    pub(crate) lacing: Lacing,
    pub(crate) length_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacing {
    None,
    Xiph,
    Fixed,
    Ebml,
}

/// The longest block head: a track number of 8 bytes, two of timestamp, one of flags.
pub(crate) const BLOCK_HEAD_MAX_BYTES: usize = 11;

/// Reads the head of a block. Returns `Ok(None)` if more bytes are needed.
pub(crate) fn read_head(bytes: &[u8]) -> Result<Option<BlockHead>, &'static str> {
    let Some((track, track_bytes)) = ebml::read_vint(bytes).map_err(|()| "its track number is not valid")? else {
        return Ok(None);
    };
    let Some(&[high, low, flags]) = bytes.get(track_bytes..track_bytes + 3) else { return Ok(None) };
    let lacing = match flags & 0x06 {
        0x00 => Lacing::None,
        0x02 => Lacing::Xiph,
        0x04 => Lacing::Fixed,
        _ => Lacing::Ebml,
    };
    Ok(Some(BlockHead {
        track,
        timestamp: i16::from_be_bytes([high, low]),
        key: flags & 0x80 != 0,
        lacing,
        length_bytes: track_bytes + 3,
    }))
}

/// Returns the sizes of the frames of a laced block, and the offset of the first frame in `laced`, which is the block's
/// content after its head (RFC 9559, 10.3).
pub(crate) fn read_lacing(lacing: Lacing, laced: &[u8]) -> Result<(Vec<usize>, usize), &'static str> {
    let Some((&count_less_one, _)) = laced.split_first() else { return Err("its lacing has no frame count") };
    // The count is at most 256, so the stream cannot cause a large allocation.
    let count = usize::from(count_less_one) + 1;
    let mut at = 1;
    let mut sizes = Vec::with_capacity(count);
    match lacing {
        Lacing::None => return Ok((vec![laced.len()], 0)),
        Lacing::Fixed => {
            let data = laced.len() - at;
            if !data.is_multiple_of(count) {
                return Err("its size is no multiple of its frame count");
            }
            sizes.resize(count, data / count);
            return Ok((sizes, at));
        }
        Lacing::Xiph => {
            for _ in 1..count {
                let mut size = 0;
                loop {
                    let &byte = laced.get(at).ok_or("its lacing is cut")?;
                    at += 1;
                    size += usize::from(byte);
                    if byte != 255 {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
        Lacing::Ebml => {
            let mut size = 0_i64;
            for index in 1..count {
                let rest = laced.get(at..).ok_or("its lacing is cut")?;
                let (value, length) = ebml::read_vint(rest)
                    .map_err(|()| "a size in its lacing is not valid")?
                    .ok_or("its lacing is cut")?;
                at += length;
                // Vints are below 2^56, so nothing here overflows.
                let value = value as i64;
                let bias = (ebml::vint_max(length) >> 1) as i64;
                size = if index == 1 { value } else { size + value - bias };
                sizes.push(usize::try_from(size).map_err(|_| "a size in its lacing is negative")?);
                if sizes.last().is_some_and(|&last| last > laced.len()) {
                    return Err("its frames are larger than the block");
                }
            }
        }
    }
    let known = sizes.iter().try_fold(at, |sum, &size| sum.checked_add(size)).filter(|&sum| sum <= laced.len());
    let last = laced.len() - known.ok_or("its frames are larger than the block")?;
    sizes.push(last);
    Ok((sizes, at))
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
