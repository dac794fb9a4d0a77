//! The program.

use std::process::ExitCode;

/// librdkafka copies each record with C's malloc, and glibc's maps and unmaps fresh pages for every large one. This
/// one takes the place of C's too (feature `override`), which `make bench` shows to more than double the throughput.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kvs_connect::cli::main()
}
