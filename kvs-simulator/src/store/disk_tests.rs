use super::*;

#[test]
fn only_exact_names_are_the_simulators_own() {
    let number = "91343852333181432412489103236310005892133364608";
    let fragment = format!("1700000000000-{number}");
    let own = |name: &str| OwnName::of(name);
    assert_eq!(own(&format!("{fragment}.mkv")), Some(OwnName::Fragment { ingested_millis: 1_700_000_000_000 }));
    assert_eq!(own(&format!("{fragment}.unfinished")), Some(OwnName::Unfinished));
    assert_eq!(own("stream.unfinished"), Some(OwnName::Unfinished));
    for name in [
        "2024-holiday.mkv".to_owned(),
        "2024-12.mkv".to_owned(),
        "my.unfinished".to_owned(),
        "stream.mkv".to_owned(),
        "mkv".to_owned(),
        format!("+1-{number}.mkv"),
        format!("01-{number}.mkv"),
        format!("1-0{number}.mkv"),
        format!("1-{number}0.mkv"),
        format!("{fragment}.MKV"),
        format!("{fragment} (1).mkv"),
        format!("{fragment}.mkv.unfinished"),
        format!("{fragment}.txt"),
    ] {
        assert_eq!(own(&name), None, "{name}");
    }
}
