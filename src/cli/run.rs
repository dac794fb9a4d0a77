//! `kvs-connect run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::{EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE, Failure};
use super::validate::{check_all, load_all};
use super::worker_args::WorkerArgs;
use crate::rest::{self, Access, ListenError};
use crate::supervision::{Part, fault_point};
use crate::worker::{Mode, Worker, WorkerError, clients};
use crate::{logging, supervision, telemetry};

/// A shutdown that is not done by then is cut short: nothing is lost by it, it is pulled again. A worker that has joined its group
/// cuts its own short before, and ends with its own exit code; this is for one that is still starting.
const SHUTDOWN_MAX: Duration = Duration::from_millis(9_700);

/// Runs a worker.
#[derive(Args)]
#[command(after_help = "\
SIGTERM and Ctrl-C stop pulling, commit complete fragments, leave the group and exit 0 within 10 s; a second signal exits at \
once. Start the same command on other machines to share the work: the consumer group needs no other configuration. A second \
worker on the same machine needs its own address: --set listeners=http://127.0.0.1:8084.

Connectors are created over REST (kvs-connect connector create) and kept in Kafka; files on the command line are applied as \
PUT config. With --standalone they are the only connectors, and changes over REST end with the process.

Credentials come from the usual AWS environment, profile, web identity, container or instance.")]
pub(super) struct Run {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Run only the connectors in the files, kept in memory; Kafka keeps only the streams' positions.
    #[arg(long, requires = "connectors")]
    standalone: bool,
    /// Connectors in Connect's JSON, or in Java properties (*.properties).
    #[arg(value_name = "CONNECTOR.json")]
    connectors: Vec<PathBuf>,
}

impl Run {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let (connectors, mut problems) = load_all(&self.connectors);
        let worker = match self.worker.load() {
            Ok(worker) => Some(worker),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        problems.extend(check_all(worker.as_ref(), &connectors));
        let Some(config) = worker.filter(|_| problems.is_empty()) else { return Err(Failure::config(&problems)) };
        let access = Access::load(&config.rest).map_err(|error| Failure::new(EXIT_CONFIG, error))?;
        map_large_blocks();
        check_threads()?;
        let refused = clients::problems(&config);
        if !refused.is_empty() {
            return Err(Failure::config(&refused));
        }
        let files_max = allow_open_files();
        let logging = logging::start();
        supervision::install();
        let metrics = telemetry::install().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no runtime: {error}")))?;
        let mode = if self.standalone { Mode::Standalone } else { Mode::Distributed };
        let run = async {
            fault_point(Part::Worker);
            let shutdown = CancellationToken::new();
            watch_signals(shutdown.clone())?;
            let bound = rest::bind(&config.rest).await.map_err(|error| {
                let code = if matches!(error, ListenError::Tls(_)) { EXIT_CONFIG } else { EXIT_UNAVAILABLE };
                Failure::new(code, error)
            })?;
            let (id, urls) = (bound.worker_id(&config.rest), bound.urls());
            tracing::info!(urls = urls.join(","), worker_id = id, files_max, "listening");
            let worker = Arc::new(Worker::new(config, mode, id, metrics, logging));
            let stop_rest = CancellationToken::new();
            let _stop_rest_at_the_end = stop_rest.clone().drop_guard();
            let rest_ends = bound.serve(rest::router(Arc::clone(worker.herder()), Arc::new(access)), &stop_rest);
            worker.run(connectors, shutdown, rest_ends).await.map_err(|error| {
                let code = match error {
                    WorkerError::Config(_) => EXIT_CONFIG,
                    WorkerError::Unavailable(_) => EXIT_UNAVAILABLE,
                    WorkerError::Panicked(_) | WorkerError::PartEnded(_) => EXIT_SOFTWARE,
                };
                Failure::new(code, error)
            })
        };
        let result = runtime.block_on(supervision::catch_async(Part::Worker, run));
        // Threads that wait for Kafka are not waited for.
        runtime.shutdown_background();
        result.unwrap_or_else(|panicked| Err(Failure::new(EXIT_SOFTWARE, panicked)))
    }
}

/// Has the memory of freed fragments given back to the system, unless the environment says from which size on.
fn map_large_blocks() {
    /// glibc's own first value, which it would raise.
    const FROM_BYTES: u32 = 128 * 1024;
    if std::env::var_os("MALLOC_MMAP_THRESHOLD_").is_none() {
        kvs_native::map_blocks_from(FROM_BYTES);
    }
}

/// The minimum number of threads for a worker: its own, and those of some Kafka clients, which end the process when they
/// cannot start one.
const THREADS_MIN: usize = 100;

/// Checks that enough threads can be started.
fn check_threads() -> Result<(), Failure> {
    let (hold, release) = std::sync::mpsc::channel::<()>();
    let release = Arc::new(std::sync::Mutex::new(release));
    let mut threads = Vec::with_capacity(THREADS_MIN);
    let mut refused = None;
    for _ in 0..THREADS_MIN {
        let release = Arc::clone(&release);
        let wait = move || {
            // Until the sender is dropped; the result does not matter.
            let _ = release.lock().map(|release| release.recv());
        };
        let thread = std::thread::Builder::new().name("probe".to_owned()).stack_size(PROBE_STACK_BYTES).spawn(wait);
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    drop(hold);
    let count = threads.len();
    for thread in threads {
        let _ = thread.join();
    }
    let Some(error) = refused else { return Ok(()) };
    let text = format!(
        "only {count} threads can be started ({error}), and a worker needs at least {THREADS_MIN}: raise the limit \
         (ulimit -u, TasksMax of systemd, pids.max of the container), which counts all processes of the user"
    );
    Err(Failure::new(EXIT_UNAVAILABLE, text))
}

/// The stack of a probe thread, which does nothing.
const PROBE_STACK_BYTES: usize = 64 << 10;

/// Raises the limit of open files as far as possible: each stream is a socket, and the default of many shells, 1,024, is
/// soon exhausted. Returns the limit; `None` if the system does not report it.
fn allow_open_files() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    // The limit stays as it is if it cannot be changed.
    Some(if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft })
}

/// Ends the process after writing the last log lines, if possible.
fn exit(code: i32) {
    logging::flush();
    std::process::exit(code);
}

/// Handles signals: the first one shuts down, within a bound; the second exits at once.
fn watch_signals(shutdown: CancellationToken) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let watching = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
        tokio::select! {
            _ = terminate.recv() => exit(130),
            _ = interrupt.recv() => exit(130),
            () = tokio::time::sleep(SHUTDOWN_MAX) => {
                tracing::warn!("the shutdown took too long and was cut short; what was not committed will be pulled again");
                exit(0);
            }
        }
    };
    tokio::spawn(async move {
        // Nobody could tell the worker to stop any more.
        if let Err(panicked) = supervision::catch_async(Part::Worker, watching).await {
            tracing::error!(%panicked, "the worker cannot continue and exits");
            exit(EXIT_SOFTWARE.into());
        }
    });
    Ok(())
}
