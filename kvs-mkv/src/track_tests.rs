use super::*;
use crate::writer::ChunkWriter;

fn read(tracks: &[u8]) -> Result<Vec<Track>, Error> {
    read_tracks(tracks, 0, &Limits::default())
}

fn written(tracks: &[Track]) -> Vec<u8> {
    let head = ChunkWriter::new("tests").head(tracks);
    let id = id::TRACKS.to_be_bytes();
    let at = head.windows(4).position(|window| window == id).map_or(0, |at| at + 4);
    let (_, size_length) = ebml::read_vint(&head[at..]).ok().flatten().unwrap_or_default();
    head[at + size_length..].to_vec()
}

fn tracks() -> Vec<Track> {
    let mut video = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    let mut settings = VideoSettings::new(640, 360);
    settings.display_width = Some(16);
    settings.display_height = Some(9);
    settings.display_unit = DisplayUnit::AspectRatio;
    settings.crop = Some(PixelCrop { top: 1, bottom: 2, left: 3, right: 4 });
    settings.interlaced = Some(false);
    settings.colour = Some(Colour {
        matrix_coefficients: Some(1),
        bits_per_channel: Some(8),
        range: Some(2),
        transfer_characteristics: Some(16),
        primaries: None,
    });
    video.video = Some(settings);
    video.codec_private = Some(vec![1, 2]);
    video.content_encodings = vec![
        ContentEncoding::of_frames(ContentTransform::Compression {
            algorithm: CompressionAlgorithm::HeaderStripping,
            settings: vec![0, 0, 1],
        }),
        ContentEncoding { order: 1, scope: 3, transform: ContentTransform::Encryption { algorithm: 5 } },
        ContentEncoding { order: 2, scope: 4, transform: ContentTransform::Other(9) },
    ];
    let mut audio = Track::new(2, TrackKind::Audio, "A_OPUS");
    let mut settings = AudioSettings::new(24_000.0, 2);
    settings.output_sampling_frequency_hz = Some(48_000.0);
    settings.bit_depth = Some(24);
    audio.audio = Some(settings);
    audio.codec_delay_ns = Some(6_500_000);
    audio.seek_pre_roll_ns = Some(80_000_000);
    vec![video, audio, Track::new(3, TrackKind::Subtitle, "S_TEXT/UTF8")]
}

#[test]
fn what_is_written_of_a_track_is_read_again() {
    assert_eq!(read(&written(&tracks())).unwrap_or_default(), tracks());
}

#[test]
fn bytes_that_are_cut_anywhere_are_an_error_or_fewer_tracks() {
    let bytes = written(&tracks());
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).map_or(0, |tracks| tracks.len()) < 3, "{end}");
    }
}

/// ContentEncoding with nothing in it: Matroska's defaults.
#[test]
fn an_empty_encoding_is_zlib_of_the_frames() {
    let entry = [0xAE, 0x86, 0x6D, 0x80, 0x83, 0x62, 0x40, 0x80];
    let read = read(&entry).unwrap_or_default();
    let zlib = ContentTransform::Compression { algorithm: CompressionAlgorithm::Zlib, settings: Vec::new() };
    assert_eq!(read[0].content_encodings, [ContentEncoding { order: 0, scope: 1, transform: zlib }]);
    assert!(read[0].content_encodings[0].concerns_frames());
    assert!(!read[0].content_encodings[0].concerns_codec_private());
}

#[test]
fn encodings_and_their_settings_are_bounded() {
    let limits = Limits::default();
    let stripping = |bytes| ContentTransform::Compression {
        algorithm: CompressionAlgorithm::HeaderStripping,
        settings: vec![0; bytes],
    };
    let mut track = Track::new(1, TrackKind::Video, "V_VP8");
    for (count, bytes, element) in [
        (limits.content_encodings, limits.content_settings_size_bytes, None),
        (limits.content_encodings + 1, 0, Some("ContentEncoding")),
        (1, limits.content_settings_size_bytes + 1, Some("ContentCompSettings")),
    ] {
        track.content_encodings = vec![ContentEncoding::of_frames(stripping(bytes)); count];
        let error = read(&written(std::slice::from_ref(&track))).err();
        assert_eq!(error.as_ref().map(Error::element), element, "{error:?}");
    }
}
