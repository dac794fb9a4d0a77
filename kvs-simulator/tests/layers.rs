//! The modules of the library depend on each other in one direction only, in the order of the crate's documentation.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Returns the modules in the order of the table in lib.rs: what a module uses must stand before it.
fn documented_order(lib: &str) -> Vec<&str> {
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | ")).filter(|row| row.contains('`'));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the modules that a source names as `crate::MODULE`.
fn used(source: &str) -> BTreeSet<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after = code.flat_map(|line| line.split("crate::").skip(1));
    let names = after.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn modules_use_only_those_before_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = std::fs::read_to_string(source.join("lib.rs")).unwrap();
    let order = documented_order(&lib);
    let declared: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), declared, "lib.rs documents other modules than it has");
    let rank = |module: &str| {
        order.iter().position(|known| *known == module).unwrap_or_else(|| panic!("no module is named {module}"))
    };
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let module = module.trim_end_matches("_tests");
        if matches!(module, "lib" | "main" | "arguments" | "output") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for other in used(&text) {
            assert!(rank(other) <= rank(module), "{} uses {other}, which lib.rs lists after it", relative.display());
        }
    }
}
