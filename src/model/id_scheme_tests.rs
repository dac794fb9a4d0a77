use super::super::ShardId;
use super::*;

#[test]
fn no_two_shards_of_the_new_form_have_one_id() {
    let id = |group, topic| IdScheme::Colons.transactional_id(group, topic, ShardId(0));
    let pairs = [("a", "b-c"), ("a-b", "c"), ("a:b", "c"), ("a", "b.c"), ("a:b-c", "d"), ("a:b", "c-d")];
    for (index, (group, topic)) in pairs.iter().enumerate() {
        assert!(pairs[index + 1..].iter().all(|(other, with)| id(other, with) != id(group, topic)), "{group} {topic}");
        // ACLs grant the group's prefix.
        assert!(id(group, topic).starts_with(group));
    }
    let before = |group, topic| IdScheme::Dashes.transactional_id(group, topic, ShardId(0));
    assert_eq!(before("a", "b-c"), before("a-b", "c"), "the old form is ambiguous");
    // The old form ends in a dash and digits, the new one in a colon and digits.
    assert!(pairs.iter().all(|(group, topic)| id("a", "b-c") != before(group, topic)));
}

#[test]
fn a_form_that_is_not_known_is_refused() {
    for scheme in [IdScheme::Dashes, IdScheme::Colons] {
        assert_eq!(IdScheme::from_bytes(&scheme.to_bytes()).unwrap(), scheme);
    }
    assert_eq!(IdScheme::Colons.to_bytes(), br#"{"separator":"colons"}"#);
    assert!(IdScheme::from_bytes(br#"{"separator":"slashes"}"#).is_err());
}
