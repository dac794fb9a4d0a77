#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::config::connector::streams_of;

fn streams(settings: &[(&str, &str)]) -> StreamsConfig {
    let settings: BTreeMap<String, String> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    streams_of(&settings).unwrap()
}

fn known(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_stream_is_the_connectors_by_its_name_however_it_is_configured() {
    let arn = "arn:aws:kinesisvideo:eu-central-1:123456789012:stream/yard/1700000000000";
    let listed = streams(&[("kvs.streams", &format!("front-door,{arn}"))]);
    assert!(may_have(&listed, "front-door") && may_have(&listed, "yard"));
    assert!(!may_have(&listed, "frontdoor"));
    let said = refusal("cameras", &listed, "frontdoor", &known(&["front-door", "yard"]));
    assert_eq!(
        said,
        "offsets: stream \"frontdoor\": connector \"cameras\" has no such stream (kvs.streams), and no offset is stored for it; \
         the nearest one is \"front-door\""
    );
    assert!(refusal("cameras", &listed, "garage", &known(&["yard"])).ends_with("no offset is stored for it"));
}

#[test]
fn conditions_on_names_say_what_a_discovering_connector_may_have() {
    let both = streams(&[("kvs.streams.prefix", "cam-"), ("kvs.streams.regex", "cam-[0-9]+")]);
    assert!(may_have(&both, "cam-7") && !may_have(&both, "cam-x") && !may_have(&both, "7"));
    assert!(refusal("c", &both, "cam-x", &known(&[])).contains("(kvs.streams.prefix, kvs.streams.regex)"));
    let prefix = streams(&[("kvs.streams.prefix", "cam-")]);
    assert!(refusal("c", &prefix, "can-1", &known(&["cam-1"])).contains("(kvs.streams.prefix), and"));
    // Tags are not known here.
    assert!(may_have(&streams(&[("kvs.streams.tags", "site=berlin")]), "any"));
    assert!(streams_of(&BTreeMap::new()).is_none());
}
