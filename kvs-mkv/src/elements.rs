//! The elements of EBML (RFC 8794) and Matroska (RFC 9559) that this crate reads or writes: their ids and names.

/// TimestampScale where Info has none: a millisecond (RFC 9559).
pub(crate) const DEFAULT_TIMESTAMP_SCALE_NS: u64 = 1_000_000;

/// Element ids with their marker bits, as the specifications print them.
pub(crate) mod id {
    pub(crate) const EBML: u32 = 0x1A45_DFA3;
    pub(crate) const SEGMENT: u32 = 0x1853_8067;
    pub(crate) const SEEK_HEAD: u32 = 0x114D_9B74;
    pub(crate) const SEEK: u32 = 0x4DBB;
    pub(crate) const SEEK_ID: u32 = 0x53AB;
    pub(crate) const SEEK_POSITION: u32 = 0x53AC;
    pub(crate) const INFO: u32 = 0x1549_A966;
    pub(crate) const SEGMENT_UID: u32 = 0x73A4;
    pub(crate) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(crate) const DURATION: u32 = 0x4489;
    pub(crate) const DATE_UTC: u32 = 0x4461;
    pub(crate) const MUXING_APP: u32 = 0x4D80;
    pub(crate) const WRITING_APP: u32 = 0x5741;
    pub(crate) const TRACKS: u32 = 0x1654_AE6B;
    pub(crate) const TRACK_ENTRY: u32 = 0xAE;
    pub(crate) const TRACK_NUMBER: u32 = 0xD7;
    pub(crate) const TRACK_UID: u32 = 0x73C5;
    pub(crate) const TRACK_TYPE: u32 = 0x83;
    pub(crate) const TRACK_NAME: u32 = 0x536E;
    pub(crate) const LANGUAGE: u32 = 0x22_B59C;
    pub(crate) const LANGUAGE_BCP47: u32 = 0x22_B59D;
    pub(crate) const CODEC_ID: u32 = 0x86;
    pub(crate) const CODEC_PRIVATE: u32 = 0x63A2;
    pub(crate) const DEFAULT_DURATION: u32 = 0x23_E383;
    pub(crate) const CODEC_DELAY: u32 = 0x56AA;
    pub(crate) const SEEK_PRE_ROLL: u32 = 0x56BB;
    pub(crate) const CONTENT_ENCODINGS: u32 = 0x6D80;
    pub(crate) const CONTENT_ENCODING: u32 = 0x6240;
    pub(crate) const CONTENT_ENCODING_ORDER: u32 = 0x5031;
    pub(crate) const CONTENT_ENCODING_SCOPE: u32 = 0x5032;
    pub(crate) const CONTENT_ENCODING_TYPE: u32 = 0x5033;
    pub(crate) const CONTENT_COMPRESSION: u32 = 0x5034;
    pub(crate) const CONTENT_COMP_ALGO: u32 = 0x4254;
    pub(crate) const CONTENT_COMP_SETTINGS: u32 = 0x4255;
    pub(crate) const CONTENT_ENCRYPTION: u32 = 0x5035;
    pub(crate) const CONTENT_ENC_ALGO: u32 = 0x47E1;
    pub(crate) const VIDEO: u32 = 0xE0;
    pub(crate) const PIXEL_WIDTH: u32 = 0xB0;
    pub(crate) const PIXEL_HEIGHT: u32 = 0xBA;
    pub(crate) const DISPLAY_WIDTH: u32 = 0x54B0;
    pub(crate) const DISPLAY_HEIGHT: u32 = 0x54BA;
    pub(crate) const DISPLAY_UNIT: u32 = 0x54B2;
    pub(crate) const PIXEL_CROP_TOP: u32 = 0x54BB;
    pub(crate) const PIXEL_CROP_BOTTOM: u32 = 0x54AA;
    pub(crate) const PIXEL_CROP_LEFT: u32 = 0x54CC;
    pub(crate) const PIXEL_CROP_RIGHT: u32 = 0x54DD;
    pub(crate) const FLAG_INTERLACED: u32 = 0x9A;
    pub(crate) const COLOUR: u32 = 0x55B0;
    pub(crate) const MATRIX_COEFFICIENTS: u32 = 0x55B1;
    pub(crate) const BITS_PER_CHANNEL: u32 = 0x55B2;
    pub(crate) const RANGE: u32 = 0x55B9;
    pub(crate) const TRANSFER_CHARACTERISTICS: u32 = 0x55BA;
    pub(crate) const PRIMARIES: u32 = 0x55BB;
    pub(crate) const AUDIO: u32 = 0xE1;
    pub(crate) const SAMPLING_FREQUENCY: u32 = 0xB5;
    pub(crate) const CHANNELS: u32 = 0x9F;
    pub(crate) const OUTPUT_SAMPLING_FREQUENCY: u32 = 0x78B5;
    pub(crate) const BIT_DEPTH: u32 = 0x6264;
    pub(crate) const CLUSTER: u32 = 0x1F43_B675;
    pub(crate) const CLUSTER_TIMESTAMP: u32 = 0xE7;
    pub(crate) const POSITION: u32 = 0xA7;
    pub(crate) const PREV_SIZE: u32 = 0xAB;
    pub(crate) const SIMPLE_BLOCK: u32 = 0xA3;
    pub(crate) const ENCRYPTED_BLOCK: u32 = 0xAF;
    pub(crate) const BLOCK_GROUP: u32 = 0xA0;
    pub(crate) const BLOCK: u32 = 0xA1;
    pub(crate) const BLOCK_DURATION: u32 = 0x9B;
    pub(crate) const REFERENCE_BLOCK: u32 = 0xFB;
    pub(crate) const CUES: u32 = 0x1C53_BB6B;
    pub(crate) const CUE_POINT: u32 = 0xBB;
    pub(crate) const CUE_TIME: u32 = 0xB3;
    pub(crate) const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub(crate) const CUE_TRACK: u32 = 0xF7;
    pub(crate) const CUE_CLUSTER_POSITION: u32 = 0xF1;
    pub(crate) const CHAPTERS: u32 = 0x1043_A770;
    pub(crate) const ATTACHMENTS: u32 = 0x1941_A469;
    pub(crate) const TAGS: u32 = 0x1254_C367;
    pub(crate) const TAG: u32 = 0x7373;
    pub(crate) const TARGETS: u32 = 0x63C0;
    pub(crate) const TAG_TRACK_UID: u32 = 0x63C5;
    pub(crate) const SIMPLE_TAG: u32 = 0x67C8;
    pub(crate) const TAG_NAME: u32 = 0x45A3;
    pub(crate) const TAG_STRING: u32 = 0x4487;
    pub(crate) const TAG_BINARY: u32 = 0x4485;
    pub(crate) const VOID: u32 = 0xEC;
    pub(crate) const CRC_32: u32 = 0xBF;
    pub(crate) const DOC_TYPE: u32 = 0x4282;
    pub(crate) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(crate) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
}

/// Returns an element's name for messages, or "unknown element" for an id that this crate does not use.
pub(crate) fn name(id: u32) -> &'static str {
    match id {
        id::EBML => "EBML",
        id::SEGMENT => "Segment",
        id::SEEK_HEAD => "SeekHead",
        id::INFO => "Info",
        id::TIMESTAMP_SCALE => "TimestampScale",
        id::TRACKS => "Tracks",
        id::TRACK_ENTRY => "TrackEntry",
        id::TRACK_NUMBER => "TrackNumber",
        id::TRACK_UID => "TrackUID",
        id::TRACK_TYPE => "TrackType",
        id::TRACK_NAME => "Name",
        id::LANGUAGE => "Language",
        id::LANGUAGE_BCP47 => "LanguageBCP47",
        id::CODEC_ID => "CodecID",
        id::CODEC_PRIVATE => "CodecPrivate",
        id::DEFAULT_DURATION => "DefaultDuration",
        id::CODEC_DELAY => "CodecDelay",
        id::SEEK_PRE_ROLL => "SeekPreRoll",
        id::CONTENT_ENCODINGS => "ContentEncodings",
        id::CONTENT_ENCODING => "ContentEncoding",
        id::CONTENT_ENCODING_ORDER => "ContentEncodingOrder",
        id::CONTENT_ENCODING_SCOPE => "ContentEncodingScope",
        id::CONTENT_ENCODING_TYPE => "ContentEncodingType",
        id::CONTENT_COMPRESSION => "ContentCompression",
        id::CONTENT_COMP_ALGO => "ContentCompAlgo",
        id::CONTENT_COMP_SETTINGS => "ContentCompSettings",
        id::CONTENT_ENCRYPTION => "ContentEncryption",
        id::CONTENT_ENC_ALGO => "ContentEncAlgo",
        id::VIDEO => "Video",
        id::PIXEL_WIDTH => "PixelWidth",
        id::PIXEL_HEIGHT => "PixelHeight",
        id::DISPLAY_WIDTH => "DisplayWidth",
        id::DISPLAY_HEIGHT => "DisplayHeight",
        id::DISPLAY_UNIT => "DisplayUnit",
        id::PIXEL_CROP_TOP => "PixelCropTop",
        id::PIXEL_CROP_BOTTOM => "PixelCropBottom",
        id::PIXEL_CROP_LEFT => "PixelCropLeft",
        id::PIXEL_CROP_RIGHT => "PixelCropRight",
        id::FLAG_INTERLACED => "FlagInterlaced",
        id::COLOUR => "Colour",
        id::MATRIX_COEFFICIENTS => "MatrixCoefficients",
        id::BITS_PER_CHANNEL => "BitsPerChannel",
        id::RANGE => "Range",
        id::TRANSFER_CHARACTERISTICS => "TransferCharacteristics",
        id::PRIMARIES => "Primaries",
        id::AUDIO => "Audio",
        id::SAMPLING_FREQUENCY => "SamplingFrequency",
        id::CHANNELS => "Channels",
        id::OUTPUT_SAMPLING_FREQUENCY => "OutputSamplingFrequency",
        id::BIT_DEPTH => "BitDepth",
        id::CLUSTER => "Cluster",
        id::CLUSTER_TIMESTAMP => "Timestamp",
        id::POSITION => "Position",
        id::PREV_SIZE => "PrevSize",
        id::SIMPLE_BLOCK => "SimpleBlock",
        id::ENCRYPTED_BLOCK => "EncryptedBlock",
        id::BLOCK_GROUP => "BlockGroup",
        id::BLOCK => "Block",
        id::BLOCK_DURATION => "BlockDuration",
        id::REFERENCE_BLOCK => "ReferenceBlock",
        id::CUES => "Cues",
        id::CHAPTERS => "Chapters",
        id::ATTACHMENTS => "Attachments",
        id::TAGS => "Tags",
        id::TAG => "Tag",
        id::TARGETS => "Targets",
        id::TAG_TRACK_UID => "TagTrackUID",
        id::SIMPLE_TAG => "SimpleTag",
        id::TAG_NAME => "TagName",
        id::TAG_STRING => "TagString",
        id::TAG_BINARY => "TagBinary",
        id::VOID => "Void",
        id::CRC_32 => "CRC-32",
        _ => "unknown element",
    }
}

/// Returns whether an element is a direct child of Segment. Such ids all have four bytes and none is also the id of a
/// child of Cluster, so encountering one inside a Cluster means that the Cluster has ended.
pub(crate) fn is_segment_child(id: u32) -> bool {
    matches!(
        id,
        id::SEEK_HEAD | id::INFO | id::TRACKS | id::CLUSTER | id::CUES | id::CHAPTERS | id::ATTACHMENTS | id::TAGS
    )
}
