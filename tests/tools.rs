//! The scripts of `dev/`: `dev/waits` on more waits than it prints, and `dev/tools` on a machine with hardly any
//! programs: a
//! `PATH` with a few of the system's programs and a package manager that is a script of the test's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// What `dev/tools` itself runs.
const BASICS: [&str; 11] = ["bash", "env", "sed", "cut", "sort", "dirname", "mkdir", "cat", "id", "tail", "true"];
/// A package manager that records how it was called and installs into its own folder.
const APT_GET: &str = r#"#!/usr/bin/env bash
echo "$*" >>"${0%/*}/calls"
[ "$1" = install ] && [ -z "${BROKEN:-}" ] || exit "${BROKEN:-0}"
for package in "$@"; do
  case $package in
    maven) programs="mvn" ;;
    openjdk-*) programs="java javac" ;;
    build-essential) programs="cc c++ make" ;;
    pkg-config) programs="pkg-config" ;;
    util-linux) programs="setpriv" ;;
    python3) programs="python3" ;;
    *) programs="" ;;
  esac
  for program in $programs; do
    printf '#!/usr/bin/env bash\necho "openjdk 17.0.1"\n' >"${0%/*}/$program"
    "${0%/*}/chmod" +x "${0%/*}/$program"
  done
done
"#;

fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Creates a folder that is all of `PATH`.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for program in BASICS.into_iter().chain(["chmod"]) {
        let found = ["/usr/bin", "/bin"].map(|bin| Path::new(bin).join(program)).into_iter().find(|path| path.exists());
        symlink(found.unwrap_or_else(|| panic!("no {program}")), folder.path().join(program)).unwrap();
    }
    script(folder.path(), "apt-get", APT_GET);
    script(folder.path(), "apt-cache", "#!/usr/bin/env bash\n[[ $* == *openjdk-17* ]] || echo known\n");
    script(folder.path(), "sudo", "#!/usr/bin/env bash\n[ \"$1\" = -n ] && shift\nexec \"$@\"\n");
    script(folder.path(), "cargo", "#!/usr/bin/env bash\n");
    script(folder.path(), "rustc", "#!/usr/bin/env bash\necho rustc 1.99.0\n");
    folder
}

/// Returns the exit code, the output, and the calls of the package manager.
fn tools(machine: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = Command::new(machine.join("bash"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/tools"))
        .args(arguments)
        .env_clear()
        .env("PATH", machine)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let calls = std::fs::read_to_string(machine.join("calls")).unwrap_or_default();
    (output.status.code(), String::from_utf8(output.stderr).unwrap(), calls)
}

#[test]
fn without_a_terminal_and_consent_only_missing_tools_are_listed() {
    let machine = machine();
    let (code, said, calls) = tools(machine.path(), &["demo"], &[]);
    assert_eq!((code, calls.as_str()), (Some(69), ""), "{said}");
    for part in ["Java 17", "mvn", "setpriv", "get them with: ", "apt-get install", "cannot go on without: "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The requirements of other targets are not listed.
    assert!(!said.contains("npm") && !said.contains("ffmpeg"), "{said}");
}

#[test]
fn with_consent_missing_tools_are_installed() {
    for yes in [("YES", "1"), ("CI", "true")] {
        let machine = machine();
        let (code, said, calls) = tools(machine.path(), &["demo"], &[yes]);
        assert_eq!(code, Some(0), "{said}");
        assert!(calls.starts_with("update -q\n"), "{calls}");
        // All at once, each once, and of alternatives the available one.
        let [_, install] = calls.lines().collect::<Vec<_>>()[..] else { panic!("{calls}") };
        let packages: Vec<&str> = install.split(' ').filter(|word| !word.starts_with('-')).skip(1).collect();
        for package in ["build-essential", "maven", "openjdk-21-jdk-headless", "libssl-dev", "util-linux"] {
            assert_eq!(packages.iter().filter(|each| **each == package).count(), 1, "{package}: {install}");
        }
        assert!(!packages.contains(&"openjdk-17-jdk-headless"), "{install}");
        // The second time there is nothing to report.
        let (code, said, _) = tools(machine.path(), &["demo"], &[]);
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
}

#[test]
fn tools_that_cannot_be_installed_are_named_and_end_with_69() {
    let machine = machine();
    let (code, said, calls) = tools(machine.path(), &["demo"], &[("YES", "1"), ("BROKEN", "100")]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("could not install maven") && said.contains("cannot go on without: "), "{said}");
    // A package that fails does not prevent others.
    assert!(calls.lines().count() > 4, "{calls}");
}

#[test]
fn an_old_rust_and_an_unknown_target_are_refused() {
    let machine = machine();
    script(machine.path(), "rustc", "#!/usr/bin/env bash\necho rustc 1.85.0\n");
    let (code, said, _) = tools(machine.path(), &["build"], &[("YES", "1")]);
    assert!(code == Some(69) && said.contains("rustup.rs"), "{said}");
    assert_eq!(tools(machine.path(), &["nonsense"], &[]).0, Some(64));
}

#[test]
fn waits_are_reported_however_many_there_were() {
    let folder = tempfile::tempdir().unwrap();
    let waits = folder.path().join("waits.tsv");
    // More than a pipe holds: a reader that stops early would end the writer.
    let lines: String = (0..20_000).map(|i| format!("{i}\ttest_{i}\tcondition number {i}\n")).collect();
    std::fs::write(&waits, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/waits");
    let output = Command::new(script).arg(&waits).arg("83").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}: {said}", output.status);
    assert!(said.starts_with("make test: 1 min 23 s in all\nmake test: waited most for\n"), "{said}");
    assert_eq!(said.lines().count(), 10, "{said}");
    assert!(
        said.contains("19999 s in   1 waits, 19999 s at the longest: condition number 19999 (test_19999)"),
        "{said}"
    );
}

#[test]
fn no_script_stops_reading_before_another_program_stops_writing() {
    // With pipefail the writer's SIGPIPE ends the script, but only sometimes.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "dev", ".ci", "Makefile"]).current_dir(root).output().unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    let mut scripts = 0;
    for file in files.lines() {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        if text.starts_with("#!/usr/bin/env bash") || file == "Makefile" {
            scripts += 1;
            for early in ["| head", "| grep -q", "| grep -m"] {
                assert!(!text.contains(early), "{file} has {early:?}");
            }
        }
    }
    assert!(scripts > 5, "{files}");
}
