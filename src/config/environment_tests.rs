use super::*;

#[test]
fn a_variable_sets_one_setting_to_its_unchanged_text() {
    use std::os::unix::ffi::OsStringExt;
    let variables = [
        ("CONNECT_BOOTSTRAP_SERVERS", "a:1,b:2"),
        ("CONNECT_SASL_PASSWORD", "007"),
        ("CONNECT_PRODUCER_CLIENT_ID", "[1, 2]"),
        // One name is the beginning of the other: both are kept.
        ("CONNECT_KEY_CONVERTER", "StringConverter"),
        ("CONNECT_KEY_CONVERTER_SCHEMAS_ENABLE", "false"),
        ("CONNECT_A__B___C", "true"),
        ("CONNECTED", "no"),
        ("CONNECT_", "no"),
        ("PATH", "no"),
    ];
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let odd = [(OsString::from("CONNECT_GROUP_ID"), OsString::from_vec(vec![0xff]))];
    let (mut settings, mut problems) = (BTreeMap::new(), Vec::new());
    read(&mut settings, variables.chain(odd), &mut problems);
    let text = |key: &str| settings.get(key).map(|(_, value): &(String, String)| value.as_str());
    for (key, value) in [
        ("bootstrap.servers", "a:1,b:2"),
        ("sasl.password", "007"),
        ("producer.client.id", "[1, 2]"),
        ("key.converter", "StringConverter"),
        ("key.converter.schemas.enable", "false"),
        ("a_b-c", "true"),
    ] {
        assert_eq!(text(key), Some(value), "{key}");
    }
    assert_eq!(settings.len(), 6);
    assert_eq!(settings["sasl.password"].0, "environment (CONNECT_SASL_PASSWORD)");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "environment (CONNECT_GROUP_ID): group.id: the value is not UTF-8");
}

#[test]
fn the_variable_of_a_setting_is_the_one_that_is_read() {
    for key in ["sasl.password", "producer.client.rack", "a_b.c-d"] {
        let name = variable(key);
        assert_eq!(setting_name(&name[ENVIRONMENT_PREFIX.len()..]), key, "{name}");
    }
    assert_eq!(variable("sasl.password"), "CONNECT_SASL_PASSWORD");
}

#[test]
fn two_variables_of_one_setting_are_refused() {
    let variables = ["CONNECT_GROUP_ID", "connect_group_id"].map(|name| (OsString::from(name), OsString::from("x")));
    let (mut settings, mut problems) = (BTreeMap::new(), Vec::new());
    read(&mut settings, variables.into_iter(), &mut problems);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "environment (connect_group_id): group.id: is also set by CONNECT_GROUP_ID");
}
