#![allow(clippy::unwrap_used)]

use super::*;

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn reason(providers: &Providers, value: &str) -> String {
    let problems = providers.resolve(&settings(&[("kvs.region", value)])).unwrap_err();
    assert_eq!(problems.len(), 1);
    problems[0].1.clone()
}

#[test]
fn nothing_is_resolved_that_is_not_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.properties");
    std::fs::write(&file, "# a file\nkey = value-of-key\n").unwrap();
    let reference = format!("${{file:{}:key}}", file.display());
    let none = Providers::default();
    assert!(reason(&none, "${env:PATH}").contains("config.providers.env.param.allowlist.pattern"));
    assert!(reason(&none, &reference).contains("config.providers.file.param.allowed.paths"));
    assert!(reason(&none, "${dir:/etc:hostname}").contains("config.providers.dir.param.allowed.paths"));
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink(&file, inner.join("link")).unwrap();
    let some = Providers {
        env: Some(Regex::new("^KVS_.*$").unwrap()),
        files: vec![inner.clone()],
        folders: vec![inner.clone()],
    };
    assert!(reason(&some, "${env:PATH}").contains("not allowed"));
    // Neither .. nor a link leads out.
    for path in [format!("{}/../secrets.properties", inner.display()), inner.join("link").display().to_string()] {
        assert!(reason(&some, &format!("${{file:{path}:key}}")).contains("not allowed"), "{path}");
    }
    assert!(reason(&some, &format!("${{dir:{}:link}}", inner.display())).contains("not allowed"));
    assert!(reason(&some, &format!("${{dir:{}:../secrets.properties}}", inner.display())).contains("name of a file"));
    assert!(reason(&some, "${file:/no/such/file:key}").contains("not allowed"));
}

#[test]
fn what_is_allowed_is_resolved_and_hidden_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secrets.properties"), "! x\nother=1\nkey = a long value\n").unwrap();
    std::fs::write(folder.path().join("token"), "from-a-folder\n").unwrap();
    let path = folder.path().display().to_string();
    let providers =
        Providers { env: None, files: vec![folder.path().to_owned()], folders: vec![folder.path().to_owned()] };
    let (file, dir) = (format!("${{file:{path}/secrets.properties:key}}"), format!("${{dir:{path}:token}}"));
    let given = settings(&[("kvs.role.external.id", &format!("<{file}>")), ("kvs.credentials.session.token", &dir)]);
    let resolved = providers.resolve(&given).unwrap();
    assert_eq!(resolved.settings["kvs.role.external.id"], "<a long value>");
    assert_eq!(resolved.settings["kvs.credentials.session.token"], "from-a-folder");
    assert_eq!(resolved.hide("it said: a long value, from-a-folder."), format!("it said: {file}, {dir}."));
    assert!(reason(&providers, &format!("${{file:{path}/secrets.properties:none}}")).contains("no such key"));
    assert!(reason(&providers, &format!("${{dir:{path}:none}}")).contains("cannot be read"));
    // Text that is no reference stays.
    let plain = settings(&[("kvs.streams.regex", "${x}[a-z]{2}$")]);
    assert_eq!(providers.resolve(&plain).unwrap().settings, plain);
}

#[test]
fn what_all_workers_have_to_agree_on_takes_no_reference() {
    let providers = Providers { env: Some(Regex::new(".*").unwrap()), ..Providers::default() };
    for key in ["topic", "kvs.streams", "kvs.streams.prefix"] {
        let problems = providers.resolve(&settings(&[(key, "${env:PATH}")])).unwrap_err();
        assert!(problems[0].1.contains("the same on all workers"), "{problems:?}");
    }
}

#[test]
fn a_secret_in_the_clear_is_masked_and_the_mask_stands_for_it() {
    const KEY: &str = "kvs.credentials.secret.access.key";
    let stored = settings(&[(KEY, "clear"), ("kvs.proxy.url", "${env:PROXY}"), ("topic", "t")]);
    let shown = masked(&stored);
    assert_eq!(shown, settings(&[(KEY, MASK), ("kvs.proxy.url", "${env:PROXY}"), ("topic", "t")]));
    assert_eq!(unmasked(shown.clone(), Some(&stored)), stored);
    assert_eq!(unmasked(shown.clone(), None), shown);
    // Half a reference is none.
    assert_eq!(masked(&settings(&[(KEY, "clear${env:X}")]))[KEY], MASK);
}
