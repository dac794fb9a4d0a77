//! The processes of a benchmark, and the kernel's figures about them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kvs_harness::process::{Process, command};
use kvs_harness::{ConnectorFile, WorkerFile, wait_for_within};

pub fn connector_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kvs-connect"))
}

/// A simulator in a process of its own, so that its cost does not count as the connector's.
pub struct Simulator {
    _process: Process,
    pub url: String,
}

impl Simulator {
    pub fn start(streams: &[(String, PathBuf)], arguments: &[&str]) -> Self {
        Self::start_at("http", streams, arguments)
    }

    /// Starts a simulator with TLS, which writes its certificate to `certificate`.
    pub fn start_tls(streams: &[(String, PathBuf)], arguments: &[&str], certificate: &Path) -> Self {
        let certificate = certificate.display().to_string();
        let tls = ["--tls", "--tls-certificate-out", &certificate];
        Self::start_at("https", streams, &[arguments, &tls].concat())
    }

    fn start_at(scheme: &str, streams: &[(String, PathBuf)], arguments: &[&str]) -> Self {
        let program = connector_program().with_file_name("kvs-simulator");
        assert!(program.exists(), "{}: build it with: cargo build --release --bins", program.display());
        let port = kvs_harness::kafka::free_port();
        let mut start = command(program);
        start.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).args(arguments);
        for (name, file) in streams {
            start.arg("--stream").arg(format!("{name}={}", file.display()));
        }
        start.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::start(start);
        let address = format!("127.0.0.1:{port}");
        wait_for_within(Duration::from_secs(30), "the simulator to answer", || {
            std::net::TcpStream::connect(&address).is_ok()
        });
        Self { _process: process, url: format!("{scheme}://{address}") }
    }
}

/// Returns the processor time that a process has used, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in parentheses, utime and stime are the 12th and 13th fields, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Returns the processor time of a process with one thread, in seconds, with a resolution of a nanosecond: a process that
/// uses less than a tick would count as zero in [`cpu_seconds`].
pub fn run_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}

/// Returns a figure of /proc/PID/status, in MB.
pub fn status_mb(pid: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kilobytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse().unwrap_or(0.0);
    kilobytes * 1024.0 / 1e6
}

/// Returns a name that no other run uses.
pub fn unique(part: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("bench-{part}-{}-{count}", std::process::id())
}

pub fn worker(bootstrap: &str, name: &str) -> WorkerFile {
    WorkerFile::new(bootstrap, name).set("session.timeout.ms", "6000")
}

pub fn connector(name: &str, url: &str, streams: &[(String, PathBuf)]) -> ConnectorFile {
    let names: Vec<&str> = streams.iter().map(|(name, _)| name.as_str()).collect();
    ConnectorFile::new(name, url, &names, &format!("{name}-fragments"))
}
