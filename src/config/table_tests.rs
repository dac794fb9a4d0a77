#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::config::worker as workers;

fn all() -> impl Iterator<Item = &'static Definition> {
    worker().chain(connector()).chain(&PREFIXES)
}

#[test]
fn names_are_unique_and_what_depends_on_a_setting_is_in_its_table() {
    for table in [worker().collect::<Vec<_>>(), connector().collect()] {
        let names: BTreeSet<&str> = table.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), table.len());
        for definition in table {
            for dependent in definition.dependents {
                assert!(names.contains(dependent), "{}: {dependent}", definition.name);
            }
        }
    }
    // Since November 2026, 33 settings of workers and 49 of connectors are public.
    assert!(worker().count() >= 33 && connector().count() >= 49);
}

/// Their readers have never seen the project.
#[test]
fn docs_are_one_to_four_complete_sentences() {
    for definition in all() {
        let (name, doc) = (definition.name, definition.doc);
        let sentences = doc.matches(". ").count() + doc.matches(".\n").count() + 1;
        assert!(doc.ends_with('.') && (1..=4).contains(&sentences), "{name}: {doc}");
        assert!((40..=420).contains(&doc.len()), "{name}: {} characters", doc.len());
        assert!(doc.starts_with(char::is_uppercase) && !doc.contains("  "), "{name}: {doc}");
        for word in ["so long", "so many", "so often", "how it is", "how they are", "place"] {
            assert!(!doc.contains(word), "{name}: {word}: {doc}");
        }
        assert!((3..=60).contains(&definition.display_name.len()), "{name}: {}", definition.display_name);
        for choice in definition.choices() {
            assert!(choice.doc.len() > 10 && !choice.doc.ends_with('.'), "{name}={}", choice.name);
        }
    }
}

#[test]
fn defaults_are_values_that_their_settings_can_have() {
    for definition in all() {
        let name = definition.name;
        match (definition.kind, definition.default) {
            (_, Default::Required | Default::From(_) | Default::Unset) | (Kind::Flag, Default::Flag(_)) => {}
            (Kind::Int { least, most, also, .. }, Default::Int(number)) => {
                assert!((least..=most).contains(&number) || Some(number) == also, "{name}: {number}");
            }
            (Kind::Choice(choices), Default::Text(text)) => {
                assert!(choices.iter().any(|choice| choice.name == text), "{name}: {text}");
            }
            (Kind::Text | Kind::Topic | Kind::TopicTemplate | Kind::List, Default::Text(text)) => {
                assert!(!text.is_empty(), "{name}")
            }
            (kind, default) => panic!("{name}: {kind:?} with {default:?}"),
        }
        assert!(!definition.same_everywhere || !definition.strict_reference, "{name}");
        if let Default::From(sentence) = definition.default {
            assert!(definition.default_text().is_none() && sentence.len() > 5, "{name}");
        }
    }
}

/// A number that its field cannot hold would be refused although the table allows it.
#[test]
fn both_ends_of_every_range_are_accepted_and_nothing_beyond() {
    let of_worker = |name: &str, value: i64| -> Vec<String> {
        let given = [("bootstrap.servers", "k:1".to_owned()), (name, value.to_string())];
        let given = given.map(|(key, value)| (key.to_owned(), value));
        let problems = workers::load(None, &given).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    };
    let of_connector = |name: &str, value: i64| -> Vec<String> {
        let given = [(name.to_owned(), value.to_string())].into();
        let problems = crate::config::connector::from_settings("c.json", &given).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    };
    let (mut refused, mut taken) = (0, 0);
    for (definition, is_worker) in worker().map(|one| (one, true)).chain(connector().map(|one| (one, false))) {
        let Kind::Int { least, most, also, .. } = definition.kind else { continue };
        let name = definition.name;
        for (value, is_allowed) in
            [(least, true), (most, true), (least - 1, also == Some(least - 1)), (most + 1, false)]
        {
            let problems = if is_worker { of_worker(name, value) } else { of_connector(name, value) };
            let said =
                problems.iter().any(|said| said.contains(&format!("{name}: ")) && said.contains("a whole number"));
            assert_eq!(said, !is_allowed, "{name}={value}: {problems:?}");
            refused += usize::from(said);
            taken += usize::from(!said);
        }
    }
    assert!(refused > 50 && taken > 50, "{refused} were refused, {taken} were accepted");
}

#[test]
fn secrets_and_settings_shared_by_all_workers_are_marked() {
    let named = |is: fn(&Definition) -> bool| {
        connector().filter(|definition| is(definition)).map(|definition| definition.name).collect::<Vec<_>>()
    };
    let of_service = ["kvs.proxy.url", "kvs.credentials.secret.access.key", "kvs.credentials.session.token"];
    let of_registry =
        ["basic.auth.user.info", "bearer.auth.token", "proxy.url"].map(|rest| format!("schema.registry.{rest}"));
    let secrets: Vec<&str> = of_service.into_iter().chain(of_registry.iter().map(String::as_str)).collect();
    assert_eq!(named(Definition::is_secret), secrets);
    let shared = named(|definition| definition.same_everywhere);
    let expected = ["name", "connector.class", "tasks.max", "kvs.streams", "kvs.streams.prefix", "kvs.streams.regex"];
    assert_eq!(
        shared,
        [
            &expected[..],
            &[
                "kvs.streams.tags",
                "errors.deadletterqueue.topic.name",
                "topic",
                "metadata.topic",
                "offsets.storage.topic",
                "frames.topic",
                "payload.chunk.topic"
            ]
        ]
        .concat()
    );
    assert!(named(|definition| definition.strict_reference).contains(&"kvs.credentials.access.key.id"));
}
