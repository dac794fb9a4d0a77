//! A limit of threads: Kafka's client ends its process when it cannot have one, so a worker looks before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn a_worker_that_may_have_too_few_threads_ends_with_69_and_says_what_to_raise() {
    if !nix::unistd::geteuid().is_root() {
        // The limit counts all processes of a user, and does not hold for root.
        println!("SKIPPED: not root, so that no other user can be taken");
        return;
    }
    // Where that user may read it.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kvs-connect");
    std::fs::copy(env!("CARGO_BIN_EXE_kvs-connect"), &program).unwrap();
    for path in [folder.path(), &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let limited = Command::new("prlimit")
        .args(["--nproc=40", "setpriv", "--reuid=65534", "--clear-groups"])
        .arg(&program)
        .args(["run", "--bootstrap-servers", "127.0.0.1:1", "--set", "listeners=http://127.0.0.1:0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(69), "{said}");
    assert!(said.contains("threads can be started") && said.contains("ulimit -u"), "{said}");
}
