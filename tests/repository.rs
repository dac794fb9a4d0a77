//! What the files of the repository say of one another: documents that are referred to, tests that are named, versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files under a folder whose name ends in one of these.
fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
                files(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// docs/EXACTLY-ONCE.md has a test for every rule, and each is there, in the file it is said to be in.
#[test]
fn the_tests_that_the_rules_name_exist() {
    let text = read("docs/EXACTLY-ONCE.md");
    let mut named = 0;
    for code in text.split('`').skip(1).step_by(2) {
        let Some((file, test)) = code.split_once(".rs::") else { continue };
        let source = read(format!("{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "docs/EXACTLY-ONCE.md: {code} is not there");
        named += 1;
    }
    assert!(named >= 25, "{named}");
    for rule in 1..=16 {
        assert!(text.contains(&format!("\n**{rule}. ")), "docs/EXACTLY-ONCE.md lacks rule {rule}");
        assert!(read("src/shard.rs").contains(&format!("//! | {rule} | ")), "src/shard.rs lacks rule {rule}");
    }
}

/// A document that code or another document refers to is in the repository.
#[test]
fn documents_that_are_referred_to_exist() {
    let mut sources = Vec::new();
    files(root(), &[".rs", ".md", ".toml", ".yml", "Makefile"], &mut sources);
    let mut referred = 0;
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for (start, _) in text.match_indices(".md") {
            let end = start + ".md".len();
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            let begin = text[..start].rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
            let name = text[begin..end].trim_start_matches('/');
            // Of other projects, by their address, and what only ends like one.
            let is_address = text[..begin].ends_with("://") || text[..begin].ends_with(':');
            if is_address || name == ".md" || text[end..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            referred += 1;
            let beside = path.parent().unwrap().join(name);
            assert!(
                beside.exists() || root().join(name).exists() || root().join("docs").join(name).exists(),
                "{}: {name} is not there",
                path.display()
            );
        }
    }
    assert!(referred > 50, "{referred}");
}

/// The image is built by a Rust that the crates can be built with.
#[test]
fn the_dockerfiles_rust_is_new_enough() {
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.trim().parse().unwrap()).collect() };
    let (manifest, dockerfile) = (read("Cargo.toml"), read("Dockerfile"));
    let least = manifest.split("\nrust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let used = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST=")).unwrap();
    assert!(version(used) >= version(least), "Dockerfile: {used}; Cargo.toml: {least}");
}
