//! The simulator as a program.

mod arguments;
mod output;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kvs_simulator::Simulator;

use arguments::{Cli, Command};
use output::Output;

/// The time limit for writing the remaining output when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The exit code for a defect of the program, as sysexits has it.
const EXIT_SOFTWARE: u8 = 70;

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kvs_simulator=warn"));
    let (Ok(stdout), Ok(stderr)) = (Output::to(std::io::stdout()), Output::to(std::io::stderr())) else {
        return ExitCode::from(71);
    };
    let with_colors =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr.clone())
        .with_ansi(with_colors)
        // The subscriber would report a line that cannot be written on the same output, and panic.
        .log_internal_errors(false)
        .init();
    let simulator = match Simulator::start(serve.into_config()).await {
        Ok(simulator) => simulator,
        Err(error) => {
            stderr.line(&format!("kvs-simulator: {error}"));
            stderr.flush(FLUSH_TIMEOUT);
            return ExitCode::from(69);
        }
    };
    stdout.line(&format!("listening on {}", simulator.url()));
    let code = tokio::select! {
        () = wait_for_signal() => ExitCode::SUCCESS,
        () = simulator.ended() => {
            stderr.line("kvs-simulator: connections are no longer accepted, which is a defect; start it again");
            ExitCode::from(EXIT_SOFTWARE)
        }
    };
    simulator.stop().await;
    stdout.flush(FLUSH_TIMEOUT);
    stderr.flush(FLUSH_TIMEOUT);
    code
}

async fn wait_for_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
