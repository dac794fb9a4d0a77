//! Consistency of the repository's files: referenced documents, named tests, versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Finds all files in a folder whose names have one of these endings.
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

/// docs/EXACTLY-ONCE.md names a test for every rule, which exists in the named file.
#[test]
fn the_tests_that_the_rules_name_exist() {
    let text = read("docs/EXACTLY-ONCE.md");
    let mut named = 0;
    for code in text.split('`').skip(1).step_by(2) {
        let Some((file, test)) = code.split_once(".rs::") else { continue };
        let source = read(format!("{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "docs/EXACTLY-ONCE.md: {code} does not exist");
        named += 1;
    }
    assert!(named >= 25, "{named}");
    for rule in 1..=16 {
        assert!(text.contains(&format!("\n**{rule}. ")), "docs/EXACTLY-ONCE.md lacks rule {rule}");
        assert!(read("src/shard.rs").contains(&format!("//! | {rule} | ")), "src/shard.rs lacks rule {rule}");
    }
}

/// Every document that code or another document refers to is in the repository.
#[test]
fn referenced_documents_exist() {
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
            // Not addresses of other projects, nor texts that only end like a name.
            let is_address = text[..begin].ends_with("://") || text[..begin].ends_with(':');
            if is_address || name == ".md" || text[end..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            referred += 1;
            let beside = path.parent().unwrap().join(name);
            assert!(
                beside.exists() || root().join(name).exists() || root().join("docs").join(name).exists(),
                "{}: {name} does not exist",
                path.display()
            );
        }
    }
    assert!(referred > 50, "{referred}");
}

/// The image is built with a version of Rust that can build the crates.
#[test]
fn the_dockerfiles_rust_version_is_new_enough() {
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.trim().parse().unwrap()).collect() };
    let (manifest, dockerfile) = (read("Cargo.toml"), read("Dockerfile"));
    let least = manifest.split("\nrust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let used = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST=")).unwrap();
    assert!(version(used) >= version(least), "Dockerfile: {used}; Cargo.toml: {least}");
}

/// Containers have the versions that tests run, and readers the version of the registry.
#[test]
fn containers_have_the_versions_that_are_tested() {
    /// The version of an artifact that a pom names.
    fn version(pom: &str, artifact: &str) -> String {
        let text = read(pom);
        let (_, rest) = text.split_once(&format!("<artifactId>{artifact}</artifactId>")).expect(artifact);
        let (_, rest) = rest.split_once("<version>").expect(artifact);
        rest.split('<').next().unwrap().to_owned()
    }
    let (kafka, registry) =
        (version("dev/kafka/pom.xml", "kafka_2.13"), version("dev/registry/pom.xml", "apicurio-registry-app"));
    let compose = read("docker-compose.yml");
    for image in [format!("apache/kafka:{kafka}"), format!("apicurio/apicurio-registry-mem:{registry}")] {
        assert!(compose.contains(&format!("image: {image}\n")), "docker-compose.yml lacks {image}");
    }
    let readers = "tests/readers/registry/pom.xml";
    assert_eq!(version(readers, "apicurio-registry-serdes-avro-serde"), registry);
    assert_eq!(version(readers, "apicurio-registry-utils-converter"), registry);
    assert_eq!(version(readers, "connect-file"), kafka);
}
