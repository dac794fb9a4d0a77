use super::*;

#[test]
fn reads_heads() {
    let head = read_head(&[0x81, 0xFF, 0xFE, 0x80, 9]).ok().flatten();
    let expected = BlockHead { track: 1, timestamp: -2, key: true, lacing: Lacing::None, length_bytes: 4 };
    assert_eq!(head, Some(expected));
    assert_eq!(read_head(&[0x81, 0xFF, 0xFE]), Ok(None));
    assert!(read_head(&[0x00, 1, 2, 3]).is_err());
}

#[test]
fn xiph_lacing_of_the_specification() {
    // RFC 9559, 10.3.2: frames of 800, 500 and 1000 bytes.
    let mut laced = vec![2, 255, 255, 255, 35, 255, 245];
    laced.resize(laced.len() + 800 + 500 + 1000, 0);
    assert_eq!(read_lacing(Lacing::Xiph, &laced), Ok((vec![800, 500, 1000], 7)));
}

#[test]
fn ebml_lacing_of_the_specification() {
    // RFC 9559, 10.3.3: the same frames: 800, then 500 as -300, then the rest.
    let mut laced = vec![2, 0x43, 0x20, 0x5E, 0xD3];
    laced.resize(laced.len() + 800 + 500 + 1000, 0);
    assert_eq!(read_lacing(Lacing::Ebml, &laced), Ok((vec![800, 500, 1000], 5)));
}

#[test]
fn fixed_lacing() {
    let laced = [2, 0, 0, 0, 0, 0, 0];
    assert_eq!(read_lacing(Lacing::Fixed, &laced), Ok((vec![2, 2, 2], 1)));
    assert!(read_lacing(Lacing::Fixed, &laced[..6]).is_err());
}

#[test]
fn invalid_lacing_is_refused() {
    assert!(read_lacing(Lacing::Xiph, &[]).is_err());
    assert!(read_lacing(Lacing::Xiph, &[1, 255, 255]).is_err());
    assert!(read_lacing(Lacing::Xiph, &[1, 200, 0, 0]).is_err());
    assert!(read_lacing(Lacing::Ebml, &[2, 0x81, 0x80, 0, 0]).is_err());
    assert!(read_lacing(Lacing::Ebml, &[1, 0xFE, 0, 0]).is_err());
}
