//! The connector as a process.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::kafka::free_port;
use crate::process::{Process, command};
use crate::wait::{wait_for, wait_until};

/// Settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerFile {
    /// `KEY = VALUE` lines; strings have their quotes.
    pub lines: Vec<(String, String)>,
}

impl WorkerFile {
    /// A worker of this group, with an offsets topic named after it and a short session.
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

    /// Sets one more, or another value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.lines.retain(|(known, _)| known != key);
        self.lines.push((key.to_owned(), value.to_owned()));
        self
    }

    fn text(&self) -> String {
        self.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }
}

/// Settings of a connector.
#[derive(Debug, Clone)]
pub struct ConnectorFile {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub config: Map<String, Value>,
}

impl ConnectorFile {
    /// A connector of these streams of a simulator.
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

    /// Sets one more, or another value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// Leaves one out.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        self.config.remove(key);
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        json!({ "name": self.name, "config": self.config }).to_string()
    }
}

/// A running worker.
#[derive(Debug)]
pub struct Connector {
    process: Process,
    folder: TempDir,
    port: u16,
    environment: Environment,
}

/// Variables that a worker gets besides its settings.
type Environment = Vec<(String, String)>;

impl Connector {
    /// Starts `program run` with these settings; does not wait until it is up.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &Path, worker: &WorkerFile, connectors: &[ConnectorFile]) -> Self {
        let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        Self::start_with(program, worker, connectors, &keys)
    }

    /// The same with these variables, and no credentials but what they lead to.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with(
        program: &Path,
        worker: &WorkerFile,
        connectors: &[ConnectorFile],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_logging_to(None, program, worker, connectors, environment)
    }

    /// The same with a standard error of its own; `None`: the file of [`Self::log`].
    ///
    /// # Panics
    /// When it cannot be started.
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
        // A test that has listeners of its own writes PORT where the free one goes.
        let given = worker.lines.iter().find(|(key, _)| key == "listeners").map(|(_, value)| value.clone());
        let listeners = given.unwrap_or_else(|| "\"http://127.0.0.1:PORT\"".to_owned());
        let worker = worker.clone().set("listeners", &listeners.replace("PORT", &port.to_string()));
        std::fs::write(&worker_file, worker.text()).expect("a file");
        for (index, connector) in connectors.iter().enumerate() {
            let file = folder.path().join(format!("connector-{index:03}.json"));
            std::fs::write(&file, connector.text()).expect("a file");
        }
        let process = launch(program, folder.path(), &environment, stderr);
        Self { process, folder, port, environment }
    }

    /// One whose connectors are those of the files alone.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_standalone(program: &Path, worker: &WorkerFile, connectors: &[ConnectorFile]) -> Self {
        let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), (STANDALONE, "1")];
        Self::start_with(program, worker, connectors, &keys)
    }

    /// The same settings in a new process.
    pub fn restart(&mut self, program: &Path) {
        self.process.kill();
        self.process = launch(program, self.folder.path(), &self.environment, None);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Its exit code, if it has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.exit_code()
    }

    /// Waits until it ends; returns its exit code.
    pub fn wait_exit(&mut self) -> i32 {
        let mut code = None;
        wait_for("the worker to end", || {
            code = self.process.exit_code();
            code.is_some()
        });
        code.unwrap_or(-1)
    }

    /// Sends SIGTERM; returns the exit code and how long it took.
    pub fn terminate(&mut self) -> (i32, Duration) {
        let began = std::time::Instant::now();
        self.signal(Signal::SIGTERM);
        let code = self.wait_exit();
        (code, began.elapsed())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where its log is.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Status and body of a GET; `None`: nobody listens.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        http_get(&format!("127.0.0.1:{}", self.port), path)
    }

    /// Its settings' folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Status and JSON of a request of the REST API; null when there is no body.
    ///
    /// # Panics
    /// When nobody listens, or the body is no JSON.
    pub fn rest(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let text = body.map(Value::to_string);
        let (status, answer) = http_call(&self.address(), method, path, text.as_deref())
            .unwrap_or_else(|| panic!("{method} {path}: no answer: {}", self.log()));
        if answer.is_empty() {
            return (status, Value::Null);
        }
        let json = serde_json::from_str(&answer);
        (status, json.unwrap_or_else(|error| panic!("{method} {path}: {error}: {answer}")))
    }

    /// Waits until `/health` is 200.
    ///
    /// # Panics
    /// When it does not become so, with the log.
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

    /// A value of `/metrics`: the sum of all lines that begin with `name`.
    pub fn metric(&self, name: &str) -> f64 {
        let Some((200, body)) = self.get("/metrics") else { return 0.0 };
        body.lines()
            .filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return Vec::new() };
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }
}

/// A variable for the launch, and not for the process.
const STANDALONE: &str = "KVS_HARNESS_STANDALONE";

/// Runs a worker with the files of its folder, whose log is added to where no other standard error is given.
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

/// A GET of a local listener over plain HTTP/1.0.
pub fn http_get(address: &str, path: &str) -> Option<(u16, String)> {
    http_call(address, "GET", path, None)
}

/// A request to a local listener over plain HTTP/1.0, with a JSON body or none. Status and body; `None`: nobody listens,
/// or the answer is cut.
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
    // One that refuses a large body may have hung up before it has all been sent.
    let _ = socket.write_all(request.as_bytes());
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").filter(|_| read.is_ok() || !answer.is_empty())?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}
