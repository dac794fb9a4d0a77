//! `make stack` is what docker-compose.yml says: the processes that run are compared with what Docker Compose's own parser
//! makes of the file, word for word, with the addresses and folders of this machine taken out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kvs_harness::kafka::repository;
use kvs_harness::process::{Process, command};
use kvs_harness::wait_for;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Returns the file as Docker Compose understands it: its second version as a plugin, or its first one as a program.
fn described() -> Value {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(repository()).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let text = run("docker", &["compose", "config"]).or_else(|| run("docker-compose", &["config"]));
    serde_saphyr::from_str(&text.expect("docker compose, or docker-compose, which accepts docker-compose.yml")).unwrap()
}

struct Stack {
    process: Process,
    folder: tempfile::TempDir,
}

/// A service that runs.
struct Real {
    pid: u64,
    ports: BTreeMap<String, u64>,
}

impl Stack {
    fn start() -> Self {
        let python = Command::new(repository().join("dev/sdks")).arg("examples").output().unwrap();
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("said")).unwrap();
        // The connector's programs are beside it when the whole workspace is built.
        let mut start = command(env!("CARGO_BIN_EXE_kvs-stack"));
        start
            .args(["--free-ports", "--python", String::from_utf8(python.stdout).unwrap().trim(), "--folder"])
            .arg(folder.path().join("out"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self { process: Process::start(start), folder }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_for(what, || {
            let ended = self.process.exit_code();
            assert!(ended.is_none(), "the stack has ended with {ended:?}: {}", self.said());
            condition(self)
        });
    }

    fn services(&self) -> BTreeMap<String, Real> {
        let text = std::fs::read_to_string(self.out("services.json")).unwrap();
        let services: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        let real = |service: &Value| Real {
            pid: service["pid"].as_u64().unwrap_or_default(),
            ports: serde_json::from_value(service["ports"].clone()).unwrap(),
        };
        services.iter().map(|(name, service)| (name.clone(), real(service))).collect()
    }
}

/// Returns the files in a folder and the folders in it that have an ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|other| other == ending) {
            found.push(path);
        }
    }
    found
}

fn proc(pid: u64, file: &str) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Takes the addresses of this machine out of a text: services are named again, also those that a service gives to itself.
fn without_addresses(text: &str, services: &BTreeMap<String, Real>) -> String {
    let mut text = text.to_owned();
    for (name, service) in services {
        for (inside, outside) in &service.ports {
            text = text.replace(&format!("127.0.0.1:{outside}"), &format!("{name}:{inside}"));
        }
    }
    text
}

/// Writes the addresses of a described text as [`without_addresses`] does.
fn with_names(text: &str, own: &str) -> String {
    let published = text.replace("127.0.0.1:9092", "kafka:9092");
    published.replace("0.0.0.0:", &format!("{own}:")).replace("://:", &format!("://{own}:"))
}

/// Folders differ in containers.
fn without_folders(word: &str) -> String {
    let (before, path) = word.split_once('=').map_or(("", word), |(before, path)| (before, path));
    match path.starts_with('/') {
        true => format!("{before}={}", path.rsplit('/').next().unwrap()),
        false => word.to_owned(),
    }
}

fn words(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// Compares Kafka's settings with those that the image makes of the environment.
fn expect_settings(pid: u64, environment: &BTreeMap<String, String>, services: &BTreeMap<String, Real>) {
    let file = proc(pid, "cmdline").pop().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let real: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| *key != "log.dirs")
        .map(|(key, value)| (key.to_owned(), without_addresses(value, services)))
        .collect();
    let described: BTreeMap<String, String> = environment
        .iter()
        .map(|(key, value)| {
            let key = key.strip_prefix("KAFKA_").unwrap().to_lowercase().replace('_', ".");
            (key, with_names(value, "kafka"))
        })
        .collect();
    assert_eq!(real, described);
}

#[test]
fn what_runs_is_what_docker_compose_describes() {
    let described = described();
    let mut stack = Stack::start();
    stack.wait_until("the stack", |stack| stack.said().contains("all of it runs"));
    stack.wait_until("pictures", |stack| files(&stack.out("pictures"), "jpg").len() >= 4);
    stack.wait_until("tables", |stack| !files(&stack.out("tables"), "parquet").is_empty());

    let services = stack.services();
    let described = described["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<BTreeSet<_>>(), described.keys().collect::<BTreeSet<_>>());
    for (name, described) in described {
        let environment: BTreeMap<String, String> =
            serde_json::from_value(described["environment"].clone()).unwrap_or_default();
        match described["image"].as_str().unwrap_or_default() {
            image if image.starts_with("apache/kafka:") => {
                expect_settings(services[name].pid, &environment, &services);
                continue;
            }
            image if image.starts_with("apicurio/") => continue,
            _ => {}
        }
        let mut expected = words(&described["entrypoint"]);
        if expected.is_empty() {
            expected
                .push(if described["build"]["target"] == "consumers" { "python" } else { "kvs-connect" }.to_owned());
        }
        expected.extend(words(&described["command"]));
        let expected: Vec<String> = expected.iter().map(|word| without_folders(&with_names(word, name))).collect();
        let real = proc(services[name].pid, "cmdline");
        let mut real: Vec<String> =
            real.iter().map(|word| without_folders(&without_addresses(word, &services))).collect();
        real[0] = real[0].trim_start_matches('=').to_owned();
        assert_eq!(real, expected, "{name}");
        let has: Vec<String> =
            proc(services[name].pid, "environ").iter().map(|one| without_addresses(one, &services)).collect();
        for (key, value) in environment {
            let one = format!("{key}={}", with_names(&value, name));
            assert!(has.contains(&one), "{name} lacks {one}");
        }
    }

    // A worker that is lost is started again, and the rest goes on meanwhile.
    let killed = services["worker-1"].pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(killed).unwrap()), Signal::SIGKILL).unwrap();
    stack.wait_until("the worker to be started again", |stack| {
        let now = stack.services()["worker-1"].pid;
        now != 0 && now != killed
    });
    assert!(stack.said().contains("worker-1 was killed"), "{}", stack.said());
    let before = files(&stack.out("pictures"), "jpg").len();
    stack.wait_until("further pictures", |stack| files(&stack.out("pictures"), "jpg").len() > before + 4);

    let pids: Vec<u64> = stack.services().values().map(|service| service.pid).collect();
    stack.process.signal(Signal::SIGINT);
    let mut code = None;
    wait_for("the stack to end", || {
        code = stack.process.exit_code();
        code.is_some()
    });
    assert_eq!(code, Some(0), "{}", stack.said());
    let left: Vec<&u64> = pids.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(files(&stack.out(""), "part").is_empty(), "half files are left");
}
