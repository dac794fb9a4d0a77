#![allow(clippy::unwrap_used)]

use super::*;

/// Returns the settings of a worker that lets connectors read secrets from this folder.
fn worker(folder: &std::path::Path) -> Arc<WorkerConfig> {
    let flags = [
        ("bootstrap.servers", "127.0.0.1:1".to_owned()),
        ("config.providers.dir.param.allowed.paths", folder.display().to_string()),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value));
    Arc::new(crate::config::worker::load(None, &flags).unwrap())
}

#[test]
fn settings_are_read_once_and_again_only_when_what_is_stored_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-token").unwrap();
    let settings: Settings = [
        ("connector.class", CLASS.to_owned()),
        ("kvs.region", "eu-west-1".to_owned()),
        ("kvs.streams", "a".to_owned()),
        ("topic", "t".to_owned()),
        ("kvs.credentials.access.key.id", "id".to_owned()),
        ("kvs.credentials.secret.access.key", secrets::MASK.to_owned()),
        ("kvs.credentials.session.token", format!("${{dir:{}:token}}", folder.path().display())),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let stored = |secret: &str| Settings::from([("kvs.credentials.secret.access.key".to_owned(), secret.to_owned())]);
    let check = SettingsCheck::new(&worker(folder.path()), "c");
    let checked = check.check(settings.clone(), Some(&stored("one"))).unwrap();
    assert_eq!(checked.settings["kvs.credentials.secret.access.key"], "one");
    assert_eq!(checked.settings["name"], "c");
    // The file is gone, which only another read would notice.
    std::fs::remove_file(&token).unwrap();
    assert_eq!(check.check(settings.clone(), Some(&stored("one"))).unwrap(), checked);
    let refused = check.check(settings.clone(), Some(&stored("two"))).unwrap_err();
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    // A refusal is remembered, too.
    std::fs::write(&token, "a-token").unwrap();
    assert_eq!(check.check(settings, Some(&stored("two"))).unwrap_err(), refused);
}
