//! Workers as processes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::kafka::free_port;
use crate::log_tail;
use crate::process::{Process, command};
use crate::wait::{wait_for, wait_until};

/// The settings file of a worker.
#[derive(Debug, Clone)]
pub struct WorkerFile {
    /// Keys and values of the file; strings include their quotes.
    pub lines: Vec<(String, String)>,
}

impl WorkerFile {
    /// Creates settings for a worker of this group, with topics named after the group and a short session timeout.
    pub fn new(bootstrap: &str, group: &str) -> Self {
        let text = |text: &str| format!("{text:?}");
        let lines = [
            ("bootstrap.servers", text(bootstrap)),
            ("group.id", text(group)),
            ("offset.storage.topic", text(&format!("{group}-offsets"))),
            ("offset.storage.partitions", "12".to_owned()),
            ("offset.storage.replication.factor", "1".to_owned()),
            ("config.storage.topic", text(&format!("{group}-configs"))),
            ("status.storage.topic", text(&format!("{group}-status"))),
            ("notifications.topic", text(&format!("{group}-notifications"))),
            ("session.timeout.ms", "2000".to_owned()),
        ];
        Self { lines: lines.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
    }

    /// Adds a setting, or changes its value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.lines.retain(|(known, _)| known != key);
        self.lines.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Returns the file's text.
    pub fn text(&self) -> String {
        self.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }
}

/// The file of a connector.
#[derive(Debug, Clone)]
pub struct ConnectorFile {
    /// Name of the connector.
    pub name: String,
    /// Settings of the connector.
    pub config: Map<String, Value>,
}

impl ConnectorFile {
    /// Creates a connector that publishes these streams of a simulator.
    pub fn new(name: &str, endpoint: &str, streams: &[&str], topic: &str) -> Self {
        let config = json!({
            "connector.class": "KinesisVideoSourceConnector",
            "kvs.region": "us-east-1",
            "kvs.endpoint": endpoint,
            "kvs.streams": streams.join(","),
            "kvs.retry.base.delay.ms": "20",
            "kvs.retry.max.delay.ms": "500",
            "topic": topic,
            "topic.creation.default.partitions": "6",
            "topic.creation.default.replication.factor": "1",
        });
        let Value::Object(config) = config else { panic!("an object") };
        Self { name: name.to_owned(), config }
    }

    /// Adds a setting, or changes its value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// Removes a setting.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        self.config.remove(key);
        self
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        json!({ "name": self.name, "config": self.config }).to_string()
    }
}

/// A worker process.
///
/// When it is dropped while a test fails, the end of its log is printed to stderr, so that a wait that fails in CI explains
/// itself.
#[derive(Debug)]
pub struct Connector {
    /// Which of the test's workers this is, from 1.
    number: usize,
    process: Process,
    folder: TempDir,
    port: u16,
    environment: Environment,
}

/// Environment variables of a worker.
type Environment = Vec<(String, String)>;

impl Connector {
    /// Starts `program run` with these settings. Does not wait until the worker is healthy.
    ///
    /// # Panics
    /// Panics if the process cannot be started.
    pub fn start(program: &Path, worker: &WorkerFile, connectors: &[ConnectorFile]) -> Self {
        let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        Self::start_with(program, worker, connectors, &keys)
    }

    /// Starts a worker with these environment variables, and without credentials other than those they provide.
    ///
    /// # Panics
    /// Panics if the process cannot be started.
    pub fn start_with(
        program: &Path,
        worker: &WorkerFile,
        connectors: &[ConnectorFile],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_logging_to(None, program, worker, connectors, environment)
    }

    /// Starts a worker with this standard error, or with the file that [`Self::log`] reads.
    ///
    /// # Panics
    /// Panics if the process cannot be started.
    pub fn start_logging_to(
        stderr: Option<Stdio>,
        program: &Path,
        worker: &WorkerFile,
        connectors: &[ConnectorFile],
        environment: &[(&str, &str)],
    ) -> Self {
        let environment: Environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folder = tempfile::Builder::new().prefix("kvs-connect-worker-").tempdir().expect("a temporary folder");
        let port = free_port();
        let worker_file = folder.path().join("worker.toml");
        // A test that sets listeners writes PORT in place of the free port.
        let given = worker.lines.iter().find(|(key, _)| key == "listeners").map(|(_, value)| value.clone());
        let listeners = given.unwrap_or_else(|| "\"http://127.0.0.1:PORT\"".to_owned());
        let worker = worker.clone().set("listeners", &listeners.replace("PORT", &port.to_string()));
        std::fs::write(&worker_file, worker.text()).expect("a file");
        for (index, connector) in connectors.iter().enumerate() {
            let file = folder.path().join(format!("connector-{index:03}.json"));
            std::fs::write(&file, connector.text()).expect("a file");
        }
        let process = launch(program, folder.path(), &environment, stderr);
        Self { number: log_tail::next_worker_number(), process, folder, port, environment }
    }

    /// Starts a standalone worker, which runs the connectors of these files only.
    ///
    /// # Panics
    /// Panics if the process cannot be started.
    pub fn start_standalone(program: &Path, worker: &WorkerFile, connectors: &[ConnectorFile]) -> Self {
        let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), (STANDALONE, "1")];
        Self::start_with(program, worker, connectors, &keys)
    }

    /// Kills the process and starts a new one with the same settings.
    pub fn restart(&mut self, program: &Path) {
        self.process.kill();
        self.process = launch(program, self.folder.path(), &self.environment, None);
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Returns the exit code, if the process has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.exit_code()
    }

    /// Waits until the process ends, and returns its exit code.
    pub fn wait_exit(&mut self) -> i32 {
        let mut code = None;
        wait_for("the worker to end", || {
            code = self.process.exit_code();
            code.is_some()
        });
        code.unwrap_or(-1)
    }

    /// Sends SIGTERM, and returns the exit code and how long the process took to end.
    pub fn terminate(&mut self) -> (i32, Duration) {
        let began = std::time::Instant::now();
        self.signal(Signal::SIGTERM);
        let code = self.wait_exit();
        (code, began.elapsed())
    }

    /// Returns the log up to now.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log has a text. The log is written behind what it is about: a metric, a status or a record can be
    /// seen before its line.
    ///
    /// # Panics
    /// Panics with the log if the text does not come.
    pub fn wait_logged(&self, text: &str) {
        let logged = wait_until("a text in the log", || self.log().contains(text));
        assert!(logged, "{text:?} is not in the log: {}", self.log());
    }

    /// Returns the path of the log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Sends a GET request and returns status and body, or `None` if nothing listens.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        http_get(&format!("127.0.0.1:{}", self.port), path)
    }

    /// Returns the folder with the settings files and the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the address of the REST API.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a request to the REST API and returns status and JSON, which is null for an empty body.
    ///
    /// # Panics
    /// Panics if nothing listens, or if the body is not JSON.
    pub fn rest(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let text = body.map(Value::to_string);
        let (status, response) = http_call(&self.address(), method, path, text.as_deref())
            .unwrap_or_else(|| panic!("{method} {path}: no response: {}", self.log()));
        if response.is_empty() {
            return (status, Value::Null);
        }
        let json = serde_json::from_str(&response);
        (status, json.unwrap_or_else(|error| panic!("{method} {path}: {error}: {response}")))
    }

    /// Waits until `/health` returns 200.
    ///
    /// # Panics
    /// Panics with the log if the worker ends or does not become healthy.
    pub fn wait_healthy(&mut self) {
        let mut ended = None;
        let healthy = wait_until("the worker to be healthy", || {
            ended = self.process.exit_code();
            ended.is_some() || self.get("/health").is_some_and(|(status, _)| status == 200)
        });
        assert!(healthy, "the worker does not become healthy: {}", self.log());
        if let Some(code) = ended {
            panic!("the worker ended with {code}: {}", self.log());
        }
    }

    /// Returns a value of `/metrics`: the sum over all series of this name.
    pub fn metric(&self, name: &str) -> f64 {
        let Some((200, body)) = self.get("/metrics") else { return 0.0 };
        body.lines()
            .filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Returns the names of the process's threads.
    pub fn threads(&self) -> Vec<String> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return Vec::new() };
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (number, pid, address) = (self.number, self.pid(), self.address());
            let tail = log_tail::read(&self.log_file());
            eprintln!("---- worker {number} (pid {pid}, {address}), end of its log ----\n{tail}\n----");
        }
    }
}

/// A variable that selects standalone mode.
const STANDALONE: &str = "KVS_HARNESS_STANDALONE";

/// Starts a worker with the files in its folder. Its standard error is appended to the log if no other is given.
fn launch(program: &Path, folder: &Path, environment: &Environment, stderr: Option<Stdio>) -> Process {
    let mut connectors: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    connectors.sort();
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("the log file");
    let mut start = command(program);
    start
        .arg("run")
        .arg("--worker")
        .arg(folder.join("worker.toml"))
        .args(environment.iter().filter(|(name, _)| name == STANDALONE).map(|_| "--standalone"))
        .args(connectors)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.unwrap_or_else(|| log.into()));
    Process::start(start)
}

/// Sends a GET request to a local listener over plain HTTP/1.0; see [`http_call`].
pub fn http_get(address: &str, path: &str) -> Option<(u16, String)> {
    http_call(address, "GET", path, None)
}

/// Sends a request to a local listener over plain HTTP/1.0, with a JSON body or none. Returns status and body, or `None` if
/// nothing listens or the response is cut.
pub fn http_call(address: &str, method: &str, path: &str, body: Option<&str>) -> Option<(u16, String)> {
    let mut socket = std::net::TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(90))).ok()?;
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n");
    let request = match body {
        None => format!("{head}\r\n"),
        Some(body) => {
            format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }
    };
    // A listener that refuses a large body may close the connection before all of it has been sent.
    let _ = socket.write_all(request.as_bytes());
    let mut response = String::new();
    let read = socket.read_to_string(&mut response);
    let (head, body) = response.split_once("\r\n\r\n").filter(|_| read.is_ok() || !response.is_empty())?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}
