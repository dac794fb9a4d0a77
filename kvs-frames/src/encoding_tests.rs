#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn zlib(data: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(data, 6)
}

fn stripping(order: u64, settings: &[u8]) -> ContentEncoding {
    let algorithm = CompressionAlgorithm::HeaderStripping;
    encoding(order, ContentTransform::Compression { algorithm, settings: settings.to_vec() })
}

fn compression(order: u64, algorithm: CompressionAlgorithm) -> ContentEncoding {
    encoding(order, ContentTransform::Compression { algorithm, settings: Vec::new() })
}

fn encoding(order: u64, transform: ContentTransform) -> ContentEncoding {
    let mut encoding = ContentEncoding::of_frames(transform);
    encoding.order = order;
    encoding
}

#[test]
fn the_last_encoding_is_undone_first() {
    // First stripped, then compressed.
    let encodings = [stripping(0, b"he"), compression(1, CompressionAlgorithm::Zlib)];
    let steps = steps(&encodings, |_| true).unwrap();
    assert_eq!(steps, [Step::Inflate, Step::Prepend(b"he")]);
    assert_eq!(&*undo(&zlib(b"llo"), &steps, 100).unwrap(), b"hello");
}

#[test]
fn data_without_encodings_are_borrowed() {
    assert!(matches!(undo(b"data", &[], 4), Ok(Cow::Borrowed(b"data"))));
    assert_eq!(undo(b"data", &[], 3), Err(Problem::TooLarge { limit_bytes: 3 }));
}

#[test]
fn what_cannot_be_undone_is_named() {
    for (encoding, transform, algorithm) in [
        (compression(0, CompressionAlgorithm::Bzlib), "compression", "bzlib"),
        (compression(0, CompressionAlgorithm::Lzo1x), "compression", "lzo1x"),
        (encoding(0, ContentTransform::Encryption { algorithm: 5 }), "encryption", "aes"),
        (encoding(0, ContentTransform::Other(7)), "other", "unknown"),
    ] {
        let error = steps(std::slice::from_ref(&encoding), |_| true);
        assert_eq!(error, Err(Problem::UnsupportedEncoding { transform, algorithm }));
        assert_eq!(steps(&[encoding], |_| false), Ok(Vec::new()));
    }
}

/// A few kilobytes that inflate to many megabytes are not inflated beyond the limit.
#[test]
fn inflating_is_bounded() {
    let bomb = zlib(&vec![0; 32 << 20]);
    assert!(bomb.len() < 100_000);
    // Its end is not looked at: there it would be found to be cut.
    assert_eq!(undo(&bomb[..bomb.len() - 4], &[Step::Inflate], 1000), Err(Problem::TooLarge { limit_bytes: 1000 }));
    assert_eq!(undo(&zlib(&[7; 1000]), &[Step::Inflate], 1000).unwrap().len(), 1000);
    assert_eq!(undo(&[1; 9], &[Step::Prepend(b"he")], 10), Err(Problem::TooLarge { limit_bytes: 10 }));
}

#[test]
fn data_that_are_not_zlib_or_cut_are_an_error() {
    let whole = zlib(b"some data that is long enough to be cut");
    for data in [&b""[..], b"no zlib", &whole[..whole.len() - 1], &whole[..2]] {
        assert_eq!(undo(data, &[Step::Inflate], 1000), Err(Problem::BadCompression), "{data:?}");
    }
}
