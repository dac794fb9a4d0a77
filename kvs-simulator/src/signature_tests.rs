#![allow(clippy::unwrap_used)]

use super::*;

/// The example for streaming in the documentation of Signature Version 4, with its key, date, scope and signatures.
#[test]
fn the_documentations_example_of_signed_chunks() {
    let time = humantime::parse_rfc3339("2013-05-24T00:00:00Z").unwrap();
    let key = generate_signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", time, "us-east-1", "s3");
    let decoder = || {
        let scope = "20130524/us-east-1/s3/aws4_request".to_owned();
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned();
        AwsChunked::signed(key.as_ref().to_vec(), "20130524T000000Z".to_owned(), scope, seed)
    };
    let mut body =
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n".to_vec();
    body.extend(vec![b'a'; 65536]);
    body.extend(b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    body.extend(vec![b'a'; 1024]);
    body.extend(b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
    assert_eq!(decoder().decode_all(&body).unwrap(), vec![b'a'; 66560]);
    let mut pieces = decoder();
    let decoded: Vec<u8> = body.chunks(777).flat_map(|piece| pieces.decode(piece).unwrap()).collect();
    assert_eq!(decoded.len(), 66560);
    body[200] = b'b';
    assert!(decoder().decode_all(&body).is_err());
    assert!(decoder().decode_all(&body[..1000]).is_err());
}

#[test]
fn unsigned_chunks_with_a_trailer() {
    let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    assert_eq!(AwsChunked::unsigned().decode_all(body).unwrap(), b"hello world");
    for bad in [&b"zz\r\n"[..], b"5\r\nhello!\r\n0\r\n\r\n", b"ffffffffff\r\n"] {
        assert!(AwsChunked::unsigned().decode_all(bad).is_err());
    }
}
