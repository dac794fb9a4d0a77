//! The services of docker-compose.yml as processes of this machine.
//!
//! **Contract.** Commands, settings and environment are those of docker-compose.yml and of the Dockerfile, with the addresses
//! and the folders of this machine in them. Kafka and the registry are those of `dev/kafka` and `dev/registry`, in the
//! versions of the images; tests/repository.rs holds these together.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvs_harness::kafka::repository;
use serde_json::{Value, json};

use crate::addresses::Addresses;
use crate::compose::{Build, Compose};
use crate::image::{Image, with_path};
use crate::running::{Change, Command, Running};
use crate::{Options, StackError, say};

/// How long a service may take until it can be reached. The first start on a machine downloads Kafka and the registry.
const REACHABLE_WITHIN: Duration = Duration::from_secs(300);
const LOOKED_EVERY: Duration = Duration::from_millis(100);
/// Files of images with addresses in them are no larger.
const TEXT_MAX_BYTES: u64 = 64 << 10;

pub(crate) struct Stack {
    root: PathBuf,
    options: Options,
    compose: Compose,
    dockerfile: String,
    addresses: Addresses,
    /// What is not for the user: data of Kafka and of the registry, files with addresses.
    work: tempfile::TempDir,
    running: Vec<Running>,
}

impl Stack {
    /// Reads the description. Nothing runs yet.
    pub(crate) fn new(options: Options) -> Result<Self, StackError> {
        let root = repository().canonicalize().map_err(|source| StackError::File { path: repository(), source })?;
        let read = |name: &str| {
            let path = root.join(name);
            std::fs::read_to_string(&path).map_err(|source| StackError::File { path, source })
        };
        let compose = Compose::parse(&read("docker-compose.yml")?)?;
        let dockerfile = read("Dockerfile")?;
        let addresses = Addresses::new(&compose, options.free_ports)?;
        let work = tempfile::Builder::new().prefix("kvs-connect-stack-").tempdir();
        let work = work.map_err(|source| StackError::File { path: std::env::temp_dir(), source })?;
        Ok(Self { root, options, compose, dockerfile, addresses, work, running: Vec::new() })
    }

    /// Starts one service after the other, each when those before it can be reached, unless it is asked to end meanwhile.
    pub(crate) fn start(&mut self, has_asked: &dyn Fn() -> bool) -> Result<(), StackError> {
        let order: Vec<String> = self.compose.in_order().into_iter().map(str::to_owned).collect();
        for name in &order {
            if has_asked() {
                break;
            }
            let command = self.command(name)?;
            let restart = self.compose.services[name].restart;
            self.running.push(Running::start(name, command, restart)?);
            self.wait_reachable(name, has_asked)?;
            let addresses: Vec<String> =
                self.addresses.ports(name).map(|(_, port)| format!("127.0.0.1:{port}")).collect();
            say(&format!("{name} runs{}{}", if addresses.is_empty() { "" } else { " on " }, addresses.join(", ")));
        }
        self.write_processes()
    }

    /// Starts again what has ended, and says so.
    ///
    /// # Errors
    /// [`StackError::Ended`] when a service has ended that is not to be started again.
    pub(crate) fn look(&mut self) -> Result<(), StackError> {
        let mut has_changed = false;
        for running in &mut self.running {
            match running.look()? {
                Change::None => {}
                Change::Started => has_changed = true,
                Change::Ended { code, again_in } => {
                    let (name, log) = (running.name.clone(), running.log().to_owned());
                    let Some(pause) = again_in else { return Err(StackError::Ended { name, code, log }) };
                    if code != -1 && running.is_new() {
                        // Consumers wait for their topics like this.
                        continue;
                    }
                    let how = match code {
                        -1 => "was killed".to_owned(),
                        code => format!("has ended with {code}: {}", last_line(&log)),
                    };
                    say(&format!("{name} {how}; it is started again in {} s", pause.as_secs()));
                }
            }
        }
        if has_changed { self.write_processes() } else { Ok(()) }
    }

    /// Ends all services, those first that use the others.
    pub(crate) fn end(mut self) {
        while let Some(running) = self.running.pop() {
            running.end();
        }
    }

    /// Returns the address here of a service's port.
    pub(crate) fn address(&mut self, service: &str, inside: u16) -> String {
        format!("127.0.0.1:{}", self.addresses.port(service, inside))
    }

    /// Puts the real addresses into a text that has published ones.
    pub(crate) fn replaced(&mut self, text: &str) -> String {
        self.addresses.replace("", text)
    }

    fn command(&mut self, name: &str) -> Result<Command, StackError> {
        let service = &self.compose.services[name];
        let log = self.options.folder.join("logs").join(format!("{name}.log"));
        let image = service.image.as_deref().unwrap_or_default();
        if image.starts_with("apache/kafka:") {
            return self.kafka(name, log);
        }
        if image.starts_with("apicurio/apicurio-registry-mem:") {
            return Ok(self.registry(name, log));
        }
        let stage = match &service.build {
            Some(Build::Last(_)) => None,
            Some(Build::Stage { target, .. }) => Some(target.clone()),
            None => return Err(StackError::Image { name: name.to_owned(), image: image.to_owned() }),
        };
        self.built(name, stage.as_deref(), log)
    }

    /// Kafka with the settings that the image makes of the environment: `KAFKA_NODE_ID` is `node.id`.
    fn kafka(&mut self, name: &str, log: PathBuf) -> Result<Command, StackError> {
        let data = self.work.path().join(name);
        let environment = self.compose.services[name].environment.clone();
        let mut settings = format!("log.dirs={}\n", data.join("log").display());
        for (key, value) in &environment {
            let Some(key) = key.strip_prefix("KAFKA_") else { continue };
            let value = self.addresses.replace(name, value);
            settings += &format!("{}={value}\n", key.to_lowercase().replace('_', "."));
        }
        write(&data.join("only.properties"), &settings)?;
        let arguments = vec!["start".to_owned(), data.display().to_string()];
        Ok(Command { program: self.root.join("dev/kafka/kafka"), arguments, environment: Vec::new(), log })
    }

    fn registry(&mut self, name: &str, log: PathBuf) -> Command {
        let port = self.addresses.port(name, 8080).to_string();
        let data = self.work.path().join(name).display().to_string();
        let arguments = vec!["start".to_owned(), data, port];
        Command { program: self.root.join("dev/registry/registry"), arguments, environment: Vec::new(), log }
    }

    /// A service whose image is built with the Dockerfile.
    fn built(&mut self, name: &str, stage: Option<&str>, log: PathBuf) -> Result<Command, StackError> {
        let image = Image::of(&self.dockerfile, stage)?;
        let service = &self.compose.services[name];
        let (entrypoint, command) = (service.entrypoint.clone(), service.command.clone());
        let (environment, volumes) = (service.environment.clone(), service.volumes.clone());
        let mut words = entrypoint.unwrap_or_else(|| image.entrypoint.clone()).into_iter();
        let program = self.program(&words.next().unwrap_or_default())?;
        let mut arguments = Vec::new();
        for word in words.chain(command) {
            arguments.push(self.argument(name, &image, &volumes, &word)?);
        }
        let mut environment: Vec<_> =
            environment.into_iter().map(|(key, value)| (key, self.addresses.replace(name, &value))).collect();
        // The image has the package installed.
        environment.push(("PYTHONPATH".to_owned(), self.root.join("clients/python/src").display().to_string()));
        Ok(Command { program, arguments, environment, log })
    }

    fn program(&self, name: &str) -> Result<PathBuf, StackError> {
        match name {
            "python" => Ok(self.options.python.clone()),
            "kvs-connect" | "kvs-simulator" => {
                let here = std::env::current_exe().map_err(|source| StackError::File { path: name.into(), source })?;
                Ok(here.with_file_name(name))
            }
            _ => Err(StackError::Program { program: name.to_owned() }),
        }
    }

    /// Returns a word of a command with the addresses and paths of this machine.
    fn argument(&mut self, name: &str, image: &Image, volumes: &[String], word: &str) -> Result<String, StackError> {
        let mut argument = self.addresses.replace(name, word);
        for volume in volumes {
            // The folder of all volumes is the user's.
            let Some((_, inside)) = volume.split_once(':') else { continue };
            argument = with_path(&argument, inside, &self.options.folder);
        }
        let argument = image.replace(&self.root, &argument);
        self.with_addresses(name, argument)
    }

    /// Copies a file of settings that has addresses of services in it, and puts the real ones into the copy.
    fn with_addresses(&mut self, name: &str, argument: String) -> Result<String, StackError> {
        let path = Path::new(&argument);
        let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= TEXT_MAX_BYTES);
        let is_settings = path.extension().is_some_and(|ending| ending == "json" || ending == "toml");
        let (true, true, Some(file)) = (is_small, is_settings, path.file_name()) else { return Ok(argument) };
        let text =
            std::fs::read_to_string(path).map_err(|source| StackError::File { path: path.to_owned(), source })?;
        let copy = self.work.path().join("files").join(file);
        let replaced = self.addresses.replace(name, &text);
        write(&copy, &replaced)?;
        Ok(copy.display().to_string())
    }

    /// Waits until all ports of a service accept connections.
    fn wait_reachable(&mut self, name: &str, has_asked: &dyn Fn() -> bool) -> Result<(), StackError> {
        let began = Instant::now();
        let ports: Vec<u16> = self.addresses.ports(name).map(|(_, port)| port).collect();
        let responds = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        while !ports.iter().all(responds) && !has_asked() {
            self.look()?;
            if began.elapsed() > REACHABLE_WITHIN {
                let log = self.options.folder.join("logs").join(format!("{name}.log"));
                return Err(StackError::Unreachable { name: name.to_owned(), log });
            }
            std::thread::sleep(LOOKED_EVERY);
        }
        Ok(())
    }

    /// Writes which process each service is, and where its ports are: `services.json`, and `pids/SERVICE` for a shell.
    fn write_processes(&self) -> Result<(), StackError> {
        let of = |running: &Running| -> Value {
            let ports: BTreeMap<String, u16> =
                self.addresses.ports(&running.name).map(|(inside, port)| (inside.to_string(), port)).collect();
            json!({"pid": running.pid(), "ports": ports})
        };
        let services: BTreeMap<&str, Value> =
            self.running.iter().map(|running| (running.name.as_str(), of(running))).collect();
        for running in &self.running {
            let Some(pid) = running.pid() else { continue };
            write(&self.options.folder.join("pids").join(&running.name), &format!("{pid}\n"))?;
        }
        let mut text = serde_json::to_string_pretty(&services).unwrap_or_default();
        text.push('\n');
        write(&self.options.folder.join("services.json"), &text)
    }
}

/// Writes a file, and the folder that it is in.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), StackError> {
    let failed = |source| StackError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // Whoever reads it sees all of it.
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, text).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// Returns what a log says last.
fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it has said nothing").trim().to_owned()
}
