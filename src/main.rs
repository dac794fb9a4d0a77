//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    kvs_connect::cli::main()
}
