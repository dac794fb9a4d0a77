#![allow(clippy::unwrap_used)]

use super::*;

fn contract(offsets: &str) -> Contract {
    Contract { offsets_topic: Some(offsets.to_owned()), ..Contract::of_group("g", 25) }
}

fn claim(offsets: &str, settled: bool) -> (String, Claim) {
    (offsets.to_owned(), Claim { contract: contract(offsets), settled, config_topic_claimed: false })
}

#[test]
fn a_settled_claim_is_never_disputed() {
    for settling in [false, true] {
        let seen = [claim("z", true), claim("b", false)];
        assert_eq!(judge(&contract("b"), "b", &seen, settling), Verdict::Lost(contract("z")));
    }
    assert_eq!(judge(&contract("b"), "b", &[claim("b", true)], false), Verdict::Free);
}

/// Of two workers that see each other exactly one continues, and neither settles while the other one may have.
#[test]
fn of_two_that_begin_at_one_moment_one_wins() {
    let seen = [claim("a", false), claim("b", false)];
    assert_eq!(judge(&contract("a"), "a", &seen, true), Verdict::Wait("b".to_owned()));
    assert_eq!(judge(&contract("b"), "b", &seen, true), Verdict::Lost(contract("a")));
    // A withdrawn claim blocks nobody; a settled one wins.
    assert_eq!(judge(&contract("a"), "a", &seen[..1], true), Verdict::Free);
    assert_eq!(judge(&contract("a"), "a", &[claim("a", false), claim("b", true)], true), Verdict::Lost(contract("b")));
}

#[test]
fn a_claim_comes_back_as_it_was_committed() {
    let (_, claim) = claim("a", true);
    assert_eq!(serde_json::from_str::<Claim>(&claim.to_metadata()).unwrap(), claim);
    let list = claim.to_commit("a").unwrap();
    assert_eq!(list.elements()[0].metadata(), claim.to_metadata());
}
