//! The command line: one file a subcommand.
//!
//! **Contract.** Exit codes are those of sysexits, as `--help` lists them. What was asked for goes to standard output, everything else to standard error.

mod brokers;
mod completions;
mod connector;
mod offsets;
mod output;
mod remote;
mod run;
mod setting;
mod tail;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};

use crate::config::{Problem, WorkerConfig, worker};
use crate::logging;

/// Characters of a line of an error.
const LINE_CHARS_MAX: usize = 10_000;
/// Wrong usage.
pub const EXIT_USAGE: u8 = 64;
/// Something that is needed cannot be had.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// A part of the program has panicked: a defect of ours. Starting it again is right.
pub const EXIT_SOFTWARE: u8 = 70;
/// The settings are wrong.
pub const EXIT_CONFIG: u8 = 78;

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

const BOOTSTRAP: &str = "bootstrap.servers";

/// Where a worker's settings come from.
#[derive(Args)]
pub struct WorkerArgs {
    /// The worker's settings, in TOML, or in Java properties (*.properties).
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,
    /// Kafka brokers; the same as --set bootstrap.servers=…
    #[arg(long, value_name = "HOST:PORT,…")]
    bootstrap_servers: Option<String>,
    /// One setting of the worker, before all others. May be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting::SettingParser, hide_possible_values = true)]
    settings: Vec<(String, String)>,
}

impl WorkerArgs {
    /// Whether anything is.
    fn is_given(&self) -> bool {
        self.worker.is_some() || self.bootstrap_servers.is_some() || !self.settings.is_empty()
    }

    fn load(&self) -> Result<WorkerConfig, Vec<Problem>> {
        let mut flags = self.settings.clone();
        if let Some(servers) = &self.bootstrap_servers {
            flags.push((BOOTSTRAP.to_owned(), servers.clone()));
        }
        worker::load(self.worker.as_deref(), &flags).map_err(|mut problems| {
            for problem in
                problems.iter_mut().filter(|problem| problem.key == BOOTSTRAP && problem.reason == "is required")
            {
                problem.reason.push_str("; --bootstrap-servers HOST:PORT says it, or the file that --worker names");
            }
            problems
        })
    }
}

/// How a subcommand failed.
struct Failure {
    code: u8,
    lines: Vec<String>,
}

impl Failure {
    fn new(code: u8, line: impl ToString) -> Self {
        Self { code, lines: vec![line.to_string()] }
    }

    fn config(problems: &[Problem]) -> Self {
        Self { code: EXIT_CONFIG, lines: problems.iter().map(ToString::to_string).collect() }
    }
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
        Command::Completions(completions) => completions.execute(),
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

/// Milliseconds since 1970 as text; a producer that counts from zero is shown as it counts.
fn time_text(millis: i64) -> String {
    match u64::try_from(millis) {
        // Up to the year 9999, which is as far as the format goes.
        Ok(millis) if millis < 253_402_300_800_000 => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
        }
        _ => format!("{millis} ms"),
    }
}
