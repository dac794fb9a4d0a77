use super::*;

#[test]
fn keys_are_as_connect_writes_them() {
    let key = OffsetKey { connector: "cameras".to_owned(), stream: "front-door".to_owned() };
    assert_eq!(key.to_bytes(), br#"["cameras",{"stream":"front-door"}]"#);
}

#[test]
fn any_name_comes_back_as_it_was() {
    for name in ["a b", "q\"uote", "../x", "Türkamera", "back\\slash", "new\nline", &"n".repeat(256)] {
        let key = OffsetKey { connector: name.to_owned(), stream: "s".to_owned() };
        assert_eq!(OffsetKey::from_bytes(&key.to_bytes()), Some(key));
    }
}
