#![allow(clippy::unwrap_used)]

use super::*;

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn reason(providers: &Providers, value: &str) -> String {
    let problems = providers.resolve(&settings(&[("kvs.region", value)])).unwrap_err();
    assert_eq!(problems.len(), 1);
    problems[0].1.to_string()
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
    // Neither `..` nor a link leads outside.
    for path in [format!("{}/../secrets.properties", inner.display()), inner.join("link").display().to_string()] {
        assert!(reason(&some, &format!("${{file:{path}:key}}")).contains("not allowed"), "{path}");
    }
    assert!(reason(&some, &format!("${{dir:{}:link}}", inner.display())).contains("not allowed"));
    assert!(reason(&some, &format!("${{dir:{}:../secrets.properties}}", inner.display())).contains("a file name"));
    assert!(reason(&some, "${file:/no/such/file:key}").contains("not allowed"));
}

#[test]
fn allowed_references_are_resolved_and_their_values_hidden() {
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
    // Text that is not a reference stays unchanged.
    let plain = settings(&[("kvs.streams.regex", "${x}[a-z]{2}$")]);
    assert_eq!(providers.resolve(&plain).unwrap().settings, plain);
}

#[test]
fn text_that_only_looks_like_a_reference_is_never_used_as_a_secret() {
    let providers = Providers { env: Some(Regex::new(".*").unwrap()), ..Providers::default() };
    for key in table::connector().filter(|known| known.strict_reference).map(|known| known.name) {
        for value in [
            "${evn:KVS_SECRET}",
            "${env.KVS_SECRET}",
            "${env:",
            " ${KVS_SECRET}",
            "http://me:${evn:KVS_SECRET}@proxy:1",
            "${env:PATH}${evn:KVS_SECRET}",
            "${x${env:PATH}}",
        ] {
            let problems = providers.resolve(&settings(&[(key, value)])).unwrap_err();
            assert_eq!(problems[0].0, key);
            let said = problems[0].1.to_string();
            assert!(said.contains("${env:NAME}, ${file:/path:key} and ${dir:/path:file}"), "{value}: {said}");
            assert!(!said.contains("KVS_SECRET") && !said.contains("evn"), "{said}");
        }
        for value in
            ["clear", "wJalrXUtnFEMI/K7MDENG+$x", "${env:PATH}", "http://me:${env:PATH}@proxy:1", "$${env:PATH}{x}"]
        {
            assert!(providers.resolve(&settings(&[(key, value)])).is_ok(), "{value}");
        }
    }
    // In other settings it is used as it is, with a note.
    let given = settings(&[
        ("topic", "${env:X}"),
        ("kvs.role.external.id", "${evn:X}"),
        ("kvs.streams.regex", "${x}[a-z]{2}$"),
    ]);
    assert_eq!(
        notes(&given),
        ["kvs.role.external.id: ${evn:…} is not a reference and is used as it is; references are ${env:NAME}, \
         ${file:/path:key} and ${dir:/path:file}"]
    );
}

#[test]
fn settings_that_workers_must_agree_on_cannot_contain_references() {
    let providers = Providers { env: Some(Regex::new(".*").unwrap()), ..Providers::default() };
    for key in ["topic", "kvs.streams", "kvs.streams.prefix"] {
        let problems = providers.resolve(&settings(&[(key, "${env:PATH}")])).unwrap_err();
        assert!(problems[0].1.to_string().contains("the same on all workers"), "{problems:?}");
    }
}

#[test]
fn a_plain_secret_is_masked_and_the_mask_stands_for_it() {
    const KEY: &str = "kvs.credentials.secret.access.key";
    let stored = settings(&[(KEY, "clear"), ("kvs.proxy.url", "${env:PROXY}"), ("topic", "t")]);
    let shown = masked(&stored);
    assert_eq!(shown, settings(&[(KEY, MASK), ("kvs.proxy.url", "${env:PROXY}"), ("topic", "t")]));
    assert_eq!(unmasked(shown.clone(), Some(&stored)), stored);
    assert_eq!(unmasked(shown.clone(), None), shown);
    // An incomplete reference is not one.
    assert_eq!(masked(&settings(&[(KEY, "clear${env:X}")]))[KEY], MASK);
}

/// A user who may set a connector's settings learns nothing about files elsewhere: not by `..`, a link or an error.
#[test]
fn all_other_paths_get_the_same_error_whether_they_exist_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, outer) = (folder.path().join("inner"), folder.path().join("outer"));
    for one in [&inner, &outer] {
        std::fs::create_dir(one).unwrap();
        std::fs::write(one.join("there"), "key=value").unwrap();
    }
    for (name, target) in [("link", "there"), ("dangling", "not-there"), ("folder", "")] {
        std::os::unix::fs::symlink(outer.join(target), inner.join(name)).unwrap();
    }
    let providers = Providers { env: None, files: vec![inner.clone()], folders: Vec::new() };
    let said = |path: &str| {
        reason(&providers, &format!("${{file:{}/{path}:key}}", inner.display())).split_once(": ").unwrap().1.to_owned()
    };
    let refused = said("../outer/there");
    assert!(refused.contains("not allowed"), "{refused}");
    for elsewhere in [
        "../outer/not-there",
        "../../../../../../../etc/passwd",
        "../../../../../../../etc/not-there",
        "x/../../outer/there",
        "x/../../outer/not-there",
        "there/../../outer/not-there",
        "link",
        "dangling",
        "folder/there",
        "folder/not-there",
        "folder/../../outer/there",
    ] {
        assert_eq!(said(elsewhere), refused, "{elsewhere}");
    }
    // Files that may be read are reported as missing.
    for here in ["not-there", "x/../not-there", "no-folder/not-there", "../inner/not-there"] {
        assert!(said(here).contains("cannot be read"), "{here}: {}", said(here));
    }
    let found =
        |path: String| providers.resolve(&settings(&[("kvs.region", &format!("${{file:{path}:key}}"))])).unwrap();
    for here in ["there", "./there", "folder/../there", "../inner/there"] {
        assert_eq!(found(format!("{}/{here}", inner.display())).settings["kvs.region"], "value", "{here}");
    }
}

#[test]
fn values_in_texts_of_others_are_hidden_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let providers = Providers { env: None, files: Vec::new(), folders: vec![folder.path().to_owned()] };
    let reference = format!("${{dir:{}:token}}", folder.path().display());
    for (value, said) in [
        ("qu\"o\\te", "\"qu\\\"o\\\\te\""),
        ("tab\tand\nline", "tab\\tand\\nline"),
        ("  outer blanks ", "<outer blanks>"),
        ("a b/c", "https://host/a%20b%2Fc"),
        ("a b/c", "a+b%2Fc"),
        ("first line\nsecond line", "at second line"),
        ("https://Secret-Host.example:443/path", "https://secret-host.example/path"),
        ("https://Secret-Host.example", "no address for secret-host.example"),
        ("http://me:long-password@host:1", "proxy: long-password"),
        ("combi\u{301}ning", "combi\\u{301}ning"),
        ("türe\"ning", "\"türe\\\"ning\""),
        ("bell\u{7}ning", "\"bell\\u0007ning\""),
    ] {
        std::fs::write(folder.path().join("token"), value).unwrap();
        let resolved = providers.resolve(&settings(&[("kvs.endpoint", &reference)])).unwrap();
        let hidden = resolved.hide(said);
        assert!(hidden.contains(&reference), "{value:?}: {said} → {hidden}");
        for trace in ["te", "line", "outer", "b%2F", "second", "ecret", "long", "ning"] {
            assert!(!hidden.replace(&reference, "").contains(trace), "{value:?}: {said} → {hidden}");
        }
    }
}
