//! The command line: one file per subcommand.
//!
//! **Contract.** Exit codes are those of sysexits, as listed in `--help`. Requested output goes to standard output, everything else to standard error.

mod brokers;
mod completions;
mod connector;
mod connector_args;
mod export;
mod failure;
mod interrupt;
mod offsets;
mod output;
mod play;
mod progress;
mod read_errors;
mod remote;
mod run;
mod schemas;
mod service;
mod setting;
mod snapshot;
mod stream_args;
mod tail;
mod time_text;
mod topic_reader;
mod validate;
mod verify;
mod worker_args;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::logging;

use failure::Failure;
pub use failure::{EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE, EXIT_USAGE};

/// The longest line of an error that is printed, in characters.
const LINE_CHARS_MAX: usize = 10_000;
/// Amazon Kinesis Video Streams to Kafka: one Avro record per fragment, exactly once.
#[derive(Parser)]
#[command(version, about, long_about = None, after_long_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

// clap wraps sentences at the terminal's width. Command lines and rows of lists are broken here so that
// they fit into 80 columns: clap would continue a row at its margin, and a command without a backslash.
const AFTER_HELP: &str = "\
A first run, against the simulator and a Kafka on 127.0.0.1:9092, from the source folder (`make demo` does all of \
it, with its own Kafka; the programs are in target/debug after `make build`):
  kvs-simulator serve --stream front-door=dev/demo/clip.mkv \\
    --stream parking=dev/demo/clip.mkv --repeat forever
  kvs-connect validate connectors/demo.json
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\
    kvs-connect run --worker connectors/worker.toml connectors/demo.json
  kvs-connect tail --worker connectors/worker.toml --topic kvs.fragments

Worker settings come from defaults, then the file, then the environment (CONNECT_BOOTSTRAP_SERVERS is \
bootstrap.servers), then --set. docs/CONFIGURATION.md has all of them.

Exit codes:
  0    success, or stopped as requested
  1    faults were found (verify)
  64   wrong usage
  66   no such connector, task or path (connector, offsets)
  69   something required is unavailable: Kafka, a worker, an address to listen
       on; or what was waited for has failed
  70   a defect in the program: start it again
  75   not possible now: the connector exists already, or Kafka is unavailable;
       retry later (connector, offsets)
  77   not allowed (connector, offsets)
  78   the settings are wrong
  130  told to stop a second time

RUST_LOG sets the log levels; RUST_LOG=kvs_connect=debug logs more.";

#[derive(Subcommand)]
enum Command {
    /// Run a worker with these connectors until it is stopped.
    Run(run::Run),
    /// Check connectors without running them, and report all problems at once.
    Validate(validate::Validate),
    /// Print committed fragments as they arrive, or save them as .mkv files.
    Tail(tail::Tail),
    /// Create, change and inspect connectors through any worker's REST API.
    Connector(connector::Connector),
    /// List the streams' positions, and alter them.
    Offsets(offsets::Offsets),
    /// Write a part of a stream as one file that a player plays.
    Export(export::Export),
    /// Show a stream in a player, as it arrives.
    Play(play::Play),
    /// Write the newest key frame of a stream as a picture.
    Snapshot(snapshot::Snapshot),
    /// Compare the service's archive with the topics: what is missing, doubled, out of order or altered.
    Verify(verify::Verify),
    /// List the records' schemas, export them, and register them in a schema registry.
    Schemas(schemas::Schemas),
    /// Print a script that completes this command line in a shell.
    Completions(completions::Completions),
}

/// Runs the command line's subcommand.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            return match error.print() {
                Err(error) if code == 0 => end(Err(output::failure(&error))),
                _ => ExitCode::from(code),
            };
        }
    };
    let result = match cli.command {
        Command::Run(run) => run.execute(),
        Command::Validate(validate) => validate.execute(),
        Command::Tail(tail) => tail.execute(),
        Command::Connector(connector) => connector.execute(),
        Command::Offsets(offsets) => offsets.execute(),
        Command::Export(export) => export.execute(),
        Command::Play(play) => play.execute(),
        Command::Snapshot(snapshot) => snapshot.execute(),
        Command::Verify(verify) => verify.execute(),
        Command::Schemas(schemas) => schemas.execute(),
        Command::Completions(completions) => completions.execute(Cli::command()),
    };
    end(result)
}

/// Prints the failure, if any, and returns the exit code.
fn end(result: Result<(), Failure>) -> ExitCode {
    let code = match result {
        Ok(()) => 0,
        Err(Failure { code, lines }) => {
            for line in &lines {
                // Parts of it may come from a worker or a service.
                let lines: Vec<String> = line.lines().map(|line| output::plain(line, LINE_CHARS_MAX)).collect();
                output::say(format_args!("kvs-connect: {}", lines.join("\n")));
            }
            code
        }
    };
    logging::flush();
    ExitCode::from(code)
}
