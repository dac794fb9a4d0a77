//! Modules only use those that the crate's documentation lists before them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files of a module: its own, and those in its folder.
fn files(source: &Path, module: &str) -> Vec<std::path::PathBuf> {
    let mut files = vec![source.join(format!("{module}.rs"))];
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    // Tests of a module may use any other.
    files.retain(|file| !file.to_string_lossy().ends_with("_tests.rs"));
    files
}

#[test]
fn modules_use_only_those_before_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let documentation = read(&source.join("lib.rs"));
    let list = documentation.split("(`tests/module_order.rs` checks this list):").nth(1).unwrap();
    let list = list.lines().take_while(|line| line.is_empty() || line.starts_with("//!")).collect::<String>();
    let order: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let declared: BTreeSet<&str> = documentation
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), declared, "the list has each module");
    for (index, module) in order.iter().enumerate() {
        for file in files(&source, module) {
            let text = read(&file);
            for used in text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(uses) {
                let before = order[..=index].contains(&used.as_str());
                assert!(before, "{} uses {used}, which the list has after {module}", file.display());
            }
        }
    }
}

/// Returns the modules that a line names after `crate::`.
fn uses(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split("crate::").skip(1).map(|rest| {
        rest.chars().take_while(|char| char.is_ascii_lowercase() || *char == '_' || char.is_ascii_digit()).collect()
    })
}
