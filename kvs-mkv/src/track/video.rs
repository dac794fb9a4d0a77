//! The Video element of a track: sizes, crop, interlacing and colour (RFC 9559, 5.1.4.1.28).

use crate::ebml::{self, Children};
use crate::elements::id;
use crate::error::{Error, ErrorKind};

/// Settings of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VideoSettings {
    /// Width of the coded picture, in pixels.
    pub width: u64,
    /// Height of the coded picture, in pixels.
    pub height: u64,
    /// Width at which the picture is shown, in `display_unit`; if it is not said, that of the coded picture without its
    /// crop.
    pub display_width: Option<u64>,
    /// Height at which the picture is shown, in `display_unit`; if it is not said, that of the coded picture without its
    /// crop.
    pub display_height: Option<u64>,
    /// The unit of the two; Matroska's default is pixels.
    pub display_unit: DisplayUnit,
    /// What is not to be shown of the coded picture, if the track says it.
    pub crop: Option<PixelCrop>,
    /// Whether the pictures are interlaced; `None` if the track does not say it.
    pub interlaced: Option<bool>,
    /// How colours are coded, if the track says it.
    pub colour: Option<Colour>,
}

/// The unit of a display size (RFC 9559, DisplayUnit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DisplayUnit {
    /// Pixels.
    #[default]
    Pixels,
    /// Centimetres.
    Centimetres,
    /// Inches.
    Inches,
    /// Width and height are the two numbers of the aspect ratio.
    AspectRatio,
    /// The track says that the unit is not known, or has a value that RFC 9559 does not define.
    Unknown(u64),
}

/// Pixels that are not to be shown, at each side of the coded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PixelCrop {
    /// Rows at the top.
    pub top: u64,
    /// Rows at the bottom.
    pub bottom: u64,
    /// Columns at the left.
    pub left: u64,
    /// Columns at the right.
    pub right: u64,
}

/// How colours are coded, in the numbers of ISO/IEC 23091-2 (the same as in H.264 and H.265); `None` for what the track
/// does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Colour {
    /// MatrixCoefficients: 1 is BT.709, 2 unspecified, 9 BT.2020.
    pub matrix_coefficients: Option<u64>,
    /// Bits of each colour channel; 0 is unspecified.
    pub bits_per_channel: Option<u64>,
    /// Matroska's own Range: 0 unspecified, 1 broadcast, 2 full, 3 defined by the two other settings.
    pub range: Option<u64>,
    /// TransferCharacteristics: 1 is BT.709, 16 PQ, 18 HLG.
    pub transfer_characteristics: Option<u64>,
    /// Primaries: 1 is BT.709, 9 BT.2020.
    pub primaries: Option<u64>,
}

impl VideoSettings {
    /// Creates settings from the size of the coded picture, in pixels.
    pub fn new(width: u64, height: u64) -> Self {
        Self { width, height, ..Self::default() }
    }
}

impl DisplayUnit {
    fn from_value(value: u64) -> Self {
        match value {
            0 => Self::Pixels,
            1 => Self::Centimetres,
            2 => Self::Inches,
            3 => Self::AspectRatio,
            other => Self::Unknown(other),
        }
    }

    /// Returns the value of DisplayUnit.
    pub fn value(self) -> u64 {
        match self {
            Self::Pixels => 0,
            Self::Centimetres => 1,
            Self::Inches => 2,
            Self::AspectRatio => 3,
            Self::Unknown(value) => value,
        }
    }

    /// Returns `pixels`, `centimetres`, `inches`, `aspect_ratio` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixels",
            Self::Centimetres => "centimetres",
            Self::Inches => "inches",
            Self::AspectRatio => "aspect_ratio",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Reads the content of a Video element. `offset` is the content's offset in the stream.
pub(super) fn read_video(content: &[u8], offset: u64) -> Result<VideoSettings, Error> {
    let mut video = VideoSettings::default();
    let mut children = Children::new(content, id::VIDEO, offset);
    while let Some(child) = children.next()? {
        let child_offset = offset + child.content_at as u64;
        let uint =
            || ebml::read_uint(child.content).ok_or_else(|| Error::new(ErrorKind::BadContent, child.id, child_offset));
        let crop = &mut video.crop;
        match child.id {
            id::PIXEL_WIDTH => video.width = uint()?,
            id::PIXEL_HEIGHT => video.height = uint()?,
            id::DISPLAY_WIDTH => video.display_width = Some(uint()?),
            id::DISPLAY_HEIGHT => video.display_height = Some(uint()?),
            id::DISPLAY_UNIT => video.display_unit = DisplayUnit::from_value(uint()?),
            id::PIXEL_CROP_TOP => crop.get_or_insert_default().top = uint()?,
            id::PIXEL_CROP_BOTTOM => crop.get_or_insert_default().bottom = uint()?,
            id::PIXEL_CROP_LEFT => crop.get_or_insert_default().left = uint()?,
            id::PIXEL_CROP_RIGHT => crop.get_or_insert_default().right = uint()?,
            // 0 means that it is not known.
            id::FLAG_INTERLACED => {
                video.interlaced = match uint()? {
                    1 => Some(true),
                    2 => Some(false),
                    _ => None,
                }
            }
            id::COLOUR => video.colour = Some(read_colour(child.content, child_offset)?),
            _ => {}
        }
    }
    Ok(video)
}

fn read_colour(content: &[u8], offset: u64) -> Result<Colour, Error> {
    let mut colour = Colour::default();
    let mut children = Children::new(content, id::COLOUR, offset);
    while let Some(child) = children.next()? {
        let field = match child.id {
            id::MATRIX_COEFFICIENTS => &mut colour.matrix_coefficients,
            id::BITS_PER_CHANNEL => &mut colour.bits_per_channel,
            id::RANGE => &mut colour.range,
            id::TRANSFER_CHARACTERISTICS => &mut colour.transfer_characteristics,
            id::PRIMARIES => &mut colour.primaries,
            _ => continue,
        };
        let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
        *field = Some(ebml::read_uint(child.content).ok_or_else(bad)?);
    }
    Ok(colour)
}
