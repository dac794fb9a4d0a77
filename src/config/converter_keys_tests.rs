use super::*;

fn own(given: &[(&str, &str)]) -> OwnNames<String> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    own_names(&given, String::as_str)
}

#[test]
fn names_of_converters_settings_become_ours() {
    let own = own(&[("value.converter.schema.registry.url", "http://r"), ("topic", "t")]);
    let settings: Vec<_> = own.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(settings, [("schema.registry.url", "http://r"), ("topic", "t")]);
    assert_eq!(own.written["schema.registry.url"], "value.converter.schema.registry.url");
    assert!(own.problems.is_empty());
}

#[test]
fn two_names_of_a_setting_agree_or_are_a_problem() {
    let both = |key: &str, value: &str| {
        own(&[("key.converter.schema.registry.url", key), ("value.converter.schema.registry.url", value)]).problems
    };
    assert!(both("http://r", "http://r ").is_empty());
    let problems = both("http://r", "http://s");
    let other = ValueError::OtherName { other: "key.converter.schema.registry.url".to_owned() };
    assert_eq!(problems, [("value.converter.schema.registry.url".to_owned(), other)]);
    let mixed = own(&[("auto.register.schemas", "true"), ("value.converter.auto.register.schemas", "false")]);
    assert_eq!(mixed.problems.len(), 1);
}
