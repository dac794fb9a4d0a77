#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use regex::Regex;

use super::pattern;

fn compiled(least: i64, most: i64) -> Regex {
    Regex::new(&format!("^(?:{})$", pattern(least, most))).unwrap()
}

#[test]
fn small_ranges_have_their_numbers_and_no_others() {
    for least in -25..=120_i64 {
        for most in least..=131 {
            let regex = compiled(least, most);
            for number in -30..=140_i64 {
                let is_in = (least..=most).contains(&number);
                assert_eq!(regex.is_match(&number.to_string()), is_in, "{number} in {least}..={most}: {regex}");
            }
        }
    }
}

proptest! {
    #[test]
    fn large_ranges_have_their_numbers_and_no_others(a in 0..1_i64 << 41, b in 0..1_i64 << 41, n in 0..1_i64 << 41) {
        let (least, most) = (a.min(b), a.max(b));
        let regex = compiled(least, most);
        for number in [n, least, most, least - 1, most + 1] {
            let is_in = (least..=most).contains(&number);
            prop_assert_eq!(regex.is_match(&number.to_string()), is_in, "{} in {}..={}", number, least, most);
        }
    }
}
