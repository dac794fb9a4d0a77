//! The command line: one file a subcommand.
//!
//! **Contract.** Exit codes are those of sysexits, as `--help` lists them. What was asked for goes to standard output, everything else to standard error.

mod brokers;
mod completions;
mod connector;
mod failure;
mod offsets;
mod output;
mod remote;
mod run;
mod setting;
mod tail;
mod time_text;
mod validate;
mod worker_args;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::logging;

use failure::Failure;
pub use failure::{EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE, EXIT_USAGE};

/// Characters of a line of an error.
const LINE_CHARS_MAX: usize = 10_000;
/// Amazon Kinesis Video Streams to Kafka: one Avro record a fragment, exactly once.
#[derive(Parser)]
#[command(version, about, long_about = None, after_long_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

// Sentences are wrapped by clap where the terminal ends. Lines that are typed, and rows of lists, are broken here so that
// they fit into 80 columns: clap would begin the rest of a row at its margin, and the rest of a command without a backslash.
const AFTER_HELP: &str = "\
A first run, against the simulator and a Kafka on 127.0.0.1:9092, from the folder of the source (`make demo` does all of \
it, with a Kafka of its own; the programs are in target/debug after `make build`):
  kvs-simulator serve --stream front-door=dev/demo/clip.mkv \\
    --stream parking=dev/demo/clip.mkv --repeat forever
  kvs-connect validate connectors/demo.json
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\
    kvs-connect run --worker connectors/worker.toml connectors/demo.json
  kvs-connect tail --worker connectors/worker.toml --topic kvs.fragments

Worker settings come from defaults, then the file, then the environment (CONNECT_BOOTSTRAP_SERVERS is \
bootstrap.servers), then --set. docs/CONFIGURATION.md has all of them.

Exit codes:
  0    done, or told to stop
  64   wrong usage
  66   there is no such connector, task or path (connector, offsets)
  69   something needed cannot be had: Kafka, a worker, an address to listen on;
       or what was waited for has failed
  70   a defect: start it again
  75   not now: the connector is there already, or Kafka is away; try again
       (connector, offsets)
  77   not allowed (connector, offsets)
  78   the settings are wrong
  130  told to stop twice

RUST_LOG sets what is logged, RUST_LOG=kvs_connect=debug for more.";

#[derive(Subcommand)]
enum Command {
    /// Run a worker with these connectors until it is told to stop.
    Run(run::Run),
    /// Check connectors without running them; every problem is said at once.
    Validate(validate::Validate),
    /// Show committed fragments as they arrive, or save them as .mkv files.
    Tail(tail::Tail),
    /// Make, change and look at connectors, by any worker's REST API.
    Connector(connector::Connector),
    /// Look at the streams' positions, and alter them.
    Offsets(offsets::Offsets),
    /// Print a script that completes this command line in a shell.
    Completions(completions::Completions),
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
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
        Command::Completions(completions) => completions.execute(Cli::command()),
    };
    end(result)
}

/// Says how it ended.
fn end(result: Result<(), Failure>) -> ExitCode {
    let code = match result {
        Ok(()) => 0,
        Err(Failure { code, lines }) => {
            for line in &lines {
                // Some of it may be a worker's or a service's words.
                let lines: Vec<String> = line.lines().map(|line| output::plain(line, LINE_CHARS_MAX)).collect();
                output::say(format_args!("kvs-connect: {}", lines.join("\n")));
            }
            code
        }
    };
    logging::flush();
    ExitCode::from(code)
}
