//! Writes small chunks to a folder, as the fuzzer's initial corpus.

use std::error::Error;
use std::path::PathBuf;

use kvs_mkv::{
    ChunkWriter, Colour, CompressionAlgorithm, ContentEncoding, ContentTransform, DisplayUnit, FrameData, LeadingTags,
    PixelCrop, Timestamp, Track, TrackKind, TrailingTags, VideoSettings,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("expected a folder")?);
    let writer = ChunkWriter::new("seeds");
    let leading = LeadingTags {
        number: "91343852333181432392682062607743920146159169392".parse()?,
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(0),
    };
    let trailing = TrailingTags { millis_behind_now: 7, continuation_token: "token".to_owned() };
    let track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    let frames = [FrameData { track: 1, timestamp_ns: 0, key: true, data: &[1; 40] }; 3];
    let whole = writer.chunk(std::slice::from_ref(&track), &[("a", "b")], &leading, 0, &frames, &trailing);
    // Laced blocks, a BlockGroup and unknown sizes, which the writer does not write.
    let laced_blocks = [
        &[0x1F, 0x43, 0xB6, 0x75, 0xFF][..],
        &[0xE7, 0x81, 1, 0xA3, 0x8B, 0x81, 0, 0, 0x02, 2, 1, 2, 9, 9, 9, 9],
        &[0xA3, 0x8A, 0x81, 0, 0, 0x06, 1, 0x83, 1, 2, 3, 4, 0xA3, 0x89, 0x81, 0, 0, 0x04, 1, 1, 2, 3, 4],
        &[0xA0, 0x8A, 0xA1, 0x85, 0x81, 0, 0, 0, 7, 0x9B, 0x81, 3],
    ]
    .concat();
    let laced =
        [writer.head(&[track]), writer.leading_tags(&leading), laced_blocks, writer.trailing_tags(&trailing)].concat();
    // Everything that a track may say.
    let mut video = VideoSettings::new(640, 360);
    (video.display_width, video.display_height, video.display_unit) = (Some(16), Some(9), DisplayUnit::AspectRatio);
    (video.crop, video.colour, video.interlaced) = (Some(PixelCrop::default()), Some(Colour::default()), Some(true));
    let settings = vec![0, 0, 1];
    let transform = ContentTransform::Compression { algorithm: CompressionAlgorithm::HeaderStripping, settings };
    let mut detailed = Track::new(2, TrackKind::Video, "V_MPEGH/ISO/HEVC");
    detailed.video = Some(video);
    detailed.codec_delay_ns = Some(1);
    detailed.content_encodings = vec![
        ContentEncoding::of_frames(transform),
        ContentEncoding::of_frames(ContentTransform::Encryption { algorithm: 5 }),
    ];
    let types = [("MimeType", "audio/L16;rate=8000;channels=1;")];
    let detailed = writer.chunk(&[detailed], &types, &leading, 0, &frames, &trailing);
    let error = writer.error_chunk(Some(&leading.number), 5000, "INTERNAL_ERROR");
    let two = [whole.clone(), laced.clone()].concat();
    for (name, bytes) in [("whole", whole), ("laced", laced), ("error", error), ("two", two), ("detailed", detailed)] {
        std::fs::write(folder.join(name), [&[7, 0][..], &bytes].concat())?;
        std::fs::write(folder.join(format!("{name}-list")), [&[7, 1][..], &bytes].concat())?;
    }
    Ok(())
}
