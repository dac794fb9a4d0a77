//! `make stack`: the services of docker-compose.yml on this machine, without containers, until Ctrl-C.
//!
//! **Contract.** docker-compose.yml is the only description: services, commands, settings, environment, and the order in which
//! they start come from it, and files of images from the Dockerfile. What consumers write is in the folder of the user, with
//! the services' logs, and `env`, the addresses for a shell.

mod addresses;
mod compose;
mod image;
mod output;
mod running;
mod stack;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::stack::Stack;

/// How often services are looked at.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// How long the first picture and the first table may take.
const FIRST_WITHIN: Duration = Duration::from_secs(240);

/// The services of docker-compose.yml on this machine, without containers.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// The folder for pictures, tables and logs. Emptied at the start if an earlier stack has written it.
    #[arg(long, default_value = "stack")]
    folder: PathBuf,
    /// The interpreter that has what the consumers need.
    #[arg(long)]
    python: PathBuf,
    /// Use free ports, and not the published ones.
    #[arg(long)]
    free_ports: bool,
}

/// Why the stack does not run.
#[derive(Debug, thiserror::Error)]
enum StackError {
    #[error("docker-compose.yml: {reason}")]
    Compose { reason: String },
    #[error(
        "docker-compose.yml: {name} has the image {image:?}, for which there is no program here (dev/stack/src/stack.rs)"
    )]
    Image { name: String, image: String },
    #[error("the Dockerfile has no stage {stage}")]
    Stage { stage: String },
    #[error("no program here is {program:?} (dev/stack/src/stack.rs)")]
    Program { program: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} has files that no stack has written; name an empty folder with --folder", folder.display())]
    Foreign { folder: PathBuf },
    #[error("{name} cannot be reached; its log is {}", log.display())]
    Unreachable { name: String, log: PathBuf },
    #[error("{name} has ended with {code}; its log is {}", log.display())]
    Ended { name: String, code: i32, log: PathBuf },
    #[error("no pictures and tables have come; what the services say is in {}", folder.display())]
    Silent { folder: PathBuf },
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), StackError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StackError::Signals)?;
    let (asked, has_asked) = tokio::sync::watch::channel(false);
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(StackError::Signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(StackError::Signals)?;
        // Starting and stopping services blocks.
        let stack = tokio::task::spawn_blocking(move || serve(options, &has_asked));
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = asked.closed() => {}
        }
        // A stack that has ended by itself does not listen any more.
        asked.send_replace(true);
        stack.await.unwrap_or_else(|source| Err(StackError::Signals(io::Error::other(source))))
    })
}

/// Runs the stack until it is asked to end, or cannot go on.
fn serve(mut options: Options, has_asked: &tokio::sync::watch::Receiver<bool>) -> Result<(), StackError> {
    options.folder = output::prepare(&options.folder)?;
    let folder = options.folder.clone();
    say("starting Kafka, a schema registry, the simulator, two workers and two consumers");
    let mut stack = Stack::new(options)?;
    let result = stack.start(&|| *has_asked.borrow()).and_then(|()| {
        output::write_for_users(&mut stack, &folder)?;
        let mut progress = output::Progress::new(&folder);
        say("waiting for the first pictures and tables");
        let (began, mut is_said) = (Instant::now(), false);
        while !*has_asked.borrow() {
            stack.look()?;
            if !is_said && progress.has_begun() {
                output::say_what_to_do(&folder);
                is_said = true;
            } else if is_said {
                progress.say();
            } else if began.elapsed() > FIRST_WITHIN {
                return Err(StackError::Silent { folder: folder.join("logs") });
            }
            std::thread::sleep(LOOKED_EVERY);
        }
        Ok(())
    });
    say("ending all services");
    stack.end();
    result
}

fn say(text: &str) {
    println!("stack: {text}");
}
