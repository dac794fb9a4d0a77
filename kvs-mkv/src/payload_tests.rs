use super::*;

#[test]
fn a_prefix_uses_the_headroom() {
    for headroom in [0, 3, 4, 100] {
        let mut payload = Payload::with_capacity(headroom, 8, None);
        payload.append(b"payload");
        assert_eq!(&*payload, b"payload");
        let address = payload.as_ptr();
        let prefixed = payload.into_prefixed(b"head");
        assert_eq!(&*prefixed, b"headpayload");
        let moved = prefixed[4..].as_ptr() != address;
        assert_eq!(moved, headroom < 4, "headroom {headroom}");
    }
}
