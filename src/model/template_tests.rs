use super::*;

fn render(text: &str) -> Result<String, String> {
    let template = Template::parse(text).map_err(|error| error.to_string())?.of_connector("cameras");
    let rendered = template.render(|variable| match variable {
        Variable::Stream => Some("front-door".into()),
        Variable::Tag(name) if name == "site" => Some("berlin".into()),
        _ => None,
    });
    rendered.map_err(|variable| format!("{variable} has no value"))
}

#[test]
fn variables_are_replaced_and_nothing_else() {
    for (text, expected) in [
        ("kvs", Ok("kvs")),
        ("${connector}.${stream}", Ok("cameras.front-door")),
        ("a${tag:site}b$", Ok("aberlinb$")),
        ("${tag:nowhere}", Err("${tag:nowhere} has no value")),
        ("${track}", Err("${track} has no value")),
        ("${tag:}", Err("${tag:} is no variable; those are ${connector}, ${stream}, ${track} and ${tag:NAME}")),
        ("${Stream}", Err("${Stream} is no variable; those are ${connector}, ${stream}, ${track} and ${tag:NAME}")),
        ("x${stream", Err("the brace of \"${stream\" is not closed")),
    ] {
        assert_eq!(render(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

#[test]
fn what_a_template_can_become_is_known_without_its_values() {
    for (template, text, expected) in [
        ("kvs", "kvs", true),
        ("kvs", "kvs2", false),
        ("kvs.${stream}", "kvs.door", true),
        ("kvs.${stream}", "kvs.", false),
        ("kvs.${stream}", "offsets", false),
        ("kvs.${stream}.raw", "kvs.door.raw", true),
        ("kvs.${stream}.raw", "kvs.raw.raw", true),
        ("kvs.${stream}.raw", "kvs..raw.x", false),
        ("${connector}-${tag:a}-x-${tag:b}", "a-b-x-c", true),
        ("${connector}-${tag:a}-x-${tag:b}", "a-b-y-c", false),
        ("${stream}${track}", "ab", true),
        ("${stream}${track}", "a", false),
    ] {
        assert_eq!(Template::parse(template).unwrap().can_become(text), expected, "{template} {text}");
    }
}

#[test]
fn templates_that_may_have_the_same_result_are_told_from_those_that_never_do() {
    for (one, other, expected) in [
        ("kvs.a", "kvs.a", true),
        ("kvs.a", "kvs.${stream}", true),
        ("kvs.a", "raw.${stream}", false),
        ("kvs.${stream}", "kvs.${tag:site}", true),
        ("kvs.${stream}", "kvs.${stream}.frames", true),
        ("kvs.${stream}.metadata", "kvs.${stream}.frames", false),
        ("a-${stream}", "b-${stream}", false),
        ("a${stream}", "${connector}b", true),
    ] {
        let parse = |text: &str| Template::parse(text).unwrap();
        assert_eq!(parse(one).may_meet(&parse(other)), expected, "{one} {other}");
        assert_eq!(parse(other).may_meet(&parse(one)), expected, "{other} {one}");
    }
    assert_eq!(Template::parse("kvs.${stream}.frames").unwrap().literals_bytes(), 11);
}

#[test]
fn a_template_with_the_connectors_name_alone_is_fixed() {
    let fixed = |text: &str| Template::parse(text).unwrap().of_connector("c").fixed().map(str::to_owned);
    assert_eq!(fixed("kvs.${connector}.x"), Some("kvs.c.x".to_owned()));
    assert_eq!(fixed("kvs"), Some("kvs".to_owned()));
    assert_eq!(fixed("kvs.${connector}.${stream}"), None);
    let template = Template::parse("${connector}-${stream}").unwrap().of_connector("c");
    assert_eq!((template.text(), template.literals().collect::<Vec<_>>()), ("c-${stream}", vec!["c-"]));
}
