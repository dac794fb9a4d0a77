use super::*;

fn number(text: &str) -> FragmentNumber {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn compares_as_a_number_not_as_text() {
    assert!(number("9") < number("10"));
    assert!(number("100") > number("99"));
    assert_eq!(number("007"), number("7"));
    assert_eq!(number("007").as_str(), "007");
    let longest = "9".repeat(128);
    assert!(number(&longest) > number("91343852333181432392682062607743920146159169392"));
}

#[test]
fn refuses_text_that_is_not_a_number() {
    for text in ["", "12a", "-1", " 1", "1.0", "１", &"1".repeat(129)] {
        assert_eq!(text.parse::<FragmentNumber>(), Err(BadFragmentNumber), "{text:?}");
    }
}
