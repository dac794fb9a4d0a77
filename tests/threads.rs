//! A limit on threads: Kafka's client ends its process if it cannot start one, so a worker checks first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn a_worker_with_too_low_a_thread_limit_exits_with_69_and_says_what_to_raise() {
    if !nix::unistd::geteuid().is_root() {
        // The limit counts all processes of a user, and does not apply to root.
        println!("SKIPPED: not root, so the worker cannot be run as another user");
        return;
    }
    // In a folder that the other user may read.
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
