//! EBML on the wire (RFC 8794): element headers, variable-length integers, and the values that Matroska stores.

use crate::elements::name;
use crate::error::{Error, ErrorKind};

/// The longest element header: an id of 4 bytes and a size field of 8.
pub(crate) const HEADER_MAX_BYTES: usize = 12;

/// An element's id and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u32,
    /// Size of the content; `None` if it is unknown, which the size field says with all ones.
    pub(crate) size_bytes: Option<u64>,
    /// Length of id and size field together.
    pub(crate) length_bytes: usize,
}

/// Reads the header at the start of `bytes`. Returns `Ok(None)` if more bytes are needed. `offset` is used in errors
/// only.
pub(crate) fn read_header(bytes: &[u8], offset: u64) -> Result<Option<Header>, Error> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let id_bytes = first.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return Err(Error::new(ErrorKind::BadElementId, u32::from(first), offset));
    }
    if bytes.len() < id_bytes {
        return Ok(None);
    }
    let id = bytes[..id_bytes].iter().fold(0_u32, |id, &byte| id << 8 | u32::from(byte));
    let Some((value, size_bytes)) =
        read_vint(&bytes[id_bytes..]).map_err(|()| Error::new(ErrorKind::BadElementSize, id, offset))?
    else {
        return Ok(None);
    };
    let unknown = value == vint_max(size_bytes);
    Ok(Some(Header { id, size_bytes: (!unknown).then_some(value), length_bytes: id_bytes + size_bytes }))
}

/// Returns the value with all bits set in a vint of this length, which means "unknown" in a size field.
pub(crate) fn vint_max(length_bytes: usize) -> u64 {
    (1_u64 << (7 * length_bytes)) - 1
}

/// Reads a variable-length integer and returns its value, without the marker, and its length. Returns `Ok(None)` if
/// more bytes are needed.
pub(crate) fn read_vint(bytes: &[u8]) -> Result<Option<(u64, usize)>, ()> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return Err(());
    }
    if bytes.len() < length {
        return Ok(None);
    }
    let marker_cleared = u64::from(first) & ((1_u64 << (8 - length)) - 1);
    let value = bytes[1..length].iter().fold(marker_cleared, |value, &byte| value << 8 | u64::from(byte));
    Ok(Some((value, length)))
}

/// Reads an unsigned integer element, which has 0 to 8 bytes.
pub(crate) fn read_uint(content: &[u8]) -> Option<u64> {
    (content.len() <= 8).then(|| content.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Reads a float element, which has 0, 4 or 8 bytes.
pub(crate) fn read_float(content: &[u8]) -> Option<f64> {
    match content.len() {
        0 => Some(0.0),
        4 => content.try_into().ok().map(|bytes| f64::from(f32::from_be_bytes(bytes))),
        8 => content.try_into().ok().map(f64::from_be_bytes),
        _ => None,
    }
}

/// Cuts a string element at the first NUL, because writers may pad strings with NULs (RFC 8794, 7.5).
pub(crate) fn trim_string(content: &[u8]) -> &[u8] {
    let end = content.iter().position(|&byte| byte == 0).unwrap_or(content.len());
    &content[..end]
}

/// One child of a master element.
pub(crate) struct Child<'a> {
    pub(crate) id: u32,
    pub(crate) content: &'a [u8],
    /// Offset of the child's content in the master's content.
    pub(crate) content_at: usize,
}

/// Walks the children of a master element whose content is in memory as a whole.
pub(crate) struct Children<'a> {
    content: &'a [u8],
    at: usize,
    parent_id: u32,
    /// Stream offset of the content's first byte; used in errors.
    offset: u64,
}

impl<'a> Children<'a> {
    pub(crate) fn new(content: &'a [u8], parent_id: u32, offset: u64) -> Self {
        Self { content, at: 0, parent_id, offset }
    }

    /// Returns the next child, or `None` at the end. A child that is cut or extends beyond its parent is an error.
    pub(crate) fn next(&mut self) -> Result<Option<Child<'a>>, Error> {
        let rest = &self.content[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset + self.at as u64;
        let Some(header) = read_header(rest, offset)? else {
            return Err(Error::new(ErrorKind::Overruns { parent: name(self.parent_id) }, self.parent_id, offset));
        };
        let Some(size) = header.size_bytes else {
            return Err(Error::new(ErrorKind::UnknownSize, header.id, offset));
        };
        let available = (rest.len() - header.length_bytes) as u64;
        if size > available {
            return Err(Error::new(ErrorKind::Overruns { parent: name(self.parent_id) }, header.id, offset));
        }
        let content_at = self.at + header.length_bytes;
        // Does not truncate, because `size` is at most the length of a slice.
        let end = content_at + size as usize;
        self.at = end;
        Ok(Some(Child { id: header.id, content: &self.content[content_at..end], content_at }))
    }
}
