#![allow(clippy::unwrap_used)]

use super::*;
use crate::cluster::TargetState;

fn entry(settings: &[(&str, &str)], tasks: &[&str]) -> ConnectorEntry {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let tasks = (0..).zip(tasks.iter().map(|stream| (*stream).to_owned())).collect();
    ConnectorEntry { settings: Ok(settings), target: TargetState::Stopped, tasks }
}

#[test]
fn the_offsets_of_all_streams_are_expected_whether_they_are_listed_or_were_discovered() {
    let arn = "arn:aws:kinesisvideo:eu-central-1:123456789012:stream/yard/1700000000000";
    let listed = entry(&[("kvs.streams", &format!("door,{arn}"))], &[]);
    let discovered = entry(&[("kvs.streams.prefix", "cam-")], &["door", arn]);
    for entry in [listed, discovered] {
        let given =
            |streams: &[&str]| streams.iter().map(|stream| ((*stream).to_owned(), ())).collect::<BTreeMap<_, _>>();
        let expect = |given| expect_all("c", "own", &Lost::Topic, current_streams(&entry).into_iter(), &given);
        let refused = expect(given(&["door"])).unwrap_err().to_string();
        assert!(refused.contains("topic own") && refused.contains("1 are missing, stream \"yard\""), "{refused}");
        expect(given(&["door", "yard", "former"])).unwrap();
    }
}
