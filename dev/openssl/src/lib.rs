//! Nothing but a dependency: `cargo build -p kvs-openssl --features vendored` builds OpenSSL alone.
//!
//! Cargo would begin with the many small crates, and come to OpenSSL, which takes longest, when little else is left to
//! build beside it. The Makefile runs this first where the system has no OpenSSL, so that all cores are at it from the
//! first second; the build that follows finds it done.
