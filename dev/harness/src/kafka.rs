//! Real Kafka brokers.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::process::{Process, command};
use crate::wait::wait_for;

/// A broker that this process has started, or one that is already running.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    folder: TempDir,
    process: Option<Process>,
    port: u16,
}

/// Returns the root folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns a port that is free at the moment.
///
/// # Panics
/// Panics if there is none.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl Kafka {
    /// Returns the broker that all tests of this process share: `KAFKA_BOOTSTRAP`, or one that is started on first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(bootstrap) if !bootstrap.is_empty() => Self { bootstrap, own: None },
            _ => Self::start(),
        })
    }

    /// Starts a broker and waits until it is up.
    pub fn start() -> Self {
        let mut kafka = Self::prepare();
        kafka.up();
        kafka
    }

    /// Prepares a broker without starting it. Its port is already known.
    ///
    /// # Panics
    /// Panics if no temporary folder can be created.
    pub fn prepare() -> Self {
        // Removes folders that killed processes have left behind. Failing to is harmless.
        let _ = std::process::Command::new(repository().join("dev/kafka/kafka")).arg("sweep").status();
        let prefix = format!("kvs-connect-kafka-{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
        let port = free_port();
        Self { bootstrap: format!("127.0.0.1:{port}"), own: Some(Own { folder, process: None, port }) }
    }

    /// Prepares a broker with further settings, which `settings` makes from the broker's port, its folder, and `PORTS` free
    /// ports. `scram` lists users as `NAME=PASSWORD`.
    ///
    /// # Panics
    /// Panics if the broker's folder cannot be written.
    pub fn prepare_with<const PORTS: usize>(
        settings: impl FnOnce(u16, &Path, &[u16; PORTS]) -> String,
        scram: &[&str],
    ) -> (Self, [u16; PORTS]) {
        let kafka = Self::prepare();
        let own = kafka.own.as_ref().expect("a broker of its own");
        let folder = own.folder.path();
        let ports = std::array::from_fn(|_| free_port());
        std::fs::write(folder.join("extra.properties"), settings(own.port, folder, &ports)).expect("a file");
        if !scram.is_empty() {
            std::fs::write(folder.join("scram"), scram.join("\n") + "\n").expect("a file");
        }
        (kafka, ports)
    }

    /// Returns the folder of the broker's data, if this process has started the broker.
    pub fn folder(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.folder.path())
    }

    /// Starts the broker, or starts it again with the data it had, and waits until it is up.
    ///
    /// # Panics
    /// Panics if the broker cannot be started or does not come up.
    pub fn up(&mut self) {
        self.launch();
        self.wait_up();
    }

    /// Starts the broker without waiting.
    ///
    /// # Panics
    /// Panics if the broker cannot be started.
    pub fn launch(&mut self) {
        let Some(own) = &mut self.own else { return };
        let mut start = command(repository().join("dev/kafka/kafka"));
        start.arg("start").arg(own.folder.path()).arg(own.port.to_string()).stdin(std::process::Stdio::null());
        let log = std::fs::File::create(own.folder.path().join("kafka.out")).expect("a log file");
        start.stdout(log.try_clone().expect("a log file")).stderr(log);
        own.process = Some(Process::start(start));
    }

    /// Waits until the broker responds.
    ///
    /// # Panics
    /// Panics with the broker's output if the broker ends or does not respond.
    pub fn wait_up(&mut self) {
        let Some(own) = &mut self.own else { return };
        let log_file = own.folder.path().join("kafka.out");
        let mut failed = None;
        // The first start on a machine downloads the jars, which takes longer than the start itself.
        wait_for("Kafka to respond", || {
            failed = own.process.as_mut().and_then(Process::exit_code);
            failed.is_some() || responds(&self.bootstrap)
        });
        if let Some(code) = failed {
            let said = std::fs::read_to_string(log_file).unwrap_or_default();
            panic!("Kafka ended with {code}: {said}");
        }
    }

    /// Kills the broker, as a power failure would.
    pub fn down(&mut self) {
        if let Some(own) = &mut self.own {
            own.process = None;
        }
    }

    /// Returns `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic and waits until the broker knows it.
    ///
    /// # Panics
    /// Panics if the topic cannot be created.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let topics = [topic];
        let results = futures_executor(self.admin().create_topics(&topics, &AdminOptions::new())).expect("a response");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        wait_for("the topic to be known", || {
            let consumer = consumer(&self.bootstrap, "read_committed");
            let metadata = consumer.fetch_metadata(Some(name), Duration::from_secs(5));
            metadata.is_ok_and(|metadata| {
                metadata.topics().iter().all(|topic| topic.partitions().len() == partitions as usize)
            })
        });
    }

    /// Adds partitions to a topic, up to this number.
    ///
    /// # Panics
    /// Panics if they cannot be added.
    pub fn add_partitions(&self, name: &str, partitions: usize) {
        let added = [NewPartitions::new(name, partitions)];
        let results = futures_executor(self.admin().create_partitions(&added, &AdminOptions::new()));
        let results = results.expect("a response");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    /// Deletes a topic.
    ///
    /// # Panics
    /// Panics if it cannot be deleted.
    pub fn delete_topic(&self, name: &str) {
        let results = futures_executor(self.admin().delete_topics(&[name], &AdminOptions::new()));
        let results = results.expect("a response");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().expect("an admin client")
    }
}

/// A Kafka cluster of three brokers, any one of which may fail without loss.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<Kafka>,
}

impl KafkaCluster {
    /// Starts the brokers and waits until they are up.
    ///
    /// # Panics
    /// Panics if a broker does not come up.
    pub fn start() -> Self {
        let controllers: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let voters: Vec<String> =
            controllers.iter().enumerate().map(|(index, port)| format!("{}@127.0.0.1:{port}", index + 1)).collect();
        let mut brokers: Vec<Kafka> = (1..=3).map(|_| Kafka::prepare()).collect();
        for (index, (broker, controller)) in brokers.iter_mut().zip(&controllers).enumerate() {
            let own = broker.own.as_ref().expect("a broker of its own");
            let settings = format!(
                "node.id={}\ncontroller.quorum.voters={}\nlisteners=PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{controller}\n\
                 default.replication.factor=3\nmin.insync.replicas=2\noffsets.topic.replication.factor=3\n\
                 transaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\n\
                 replica.lag.time.max.ms=5000\nbroker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n",
                index + 1,
                voters.join(","),
                own.port,
            );
            std::fs::write(own.folder.path().join("extra.properties"), settings).expect("a file");
            broker.launch();
        }
        brokers.iter_mut().for_each(Kafka::wait_up);
        Self { brokers }
    }

    /// Returns the addresses of all brokers, `host:port,host:port`.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(Kafka::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// Returns a broker by its index, which is its node id minus 1.
    pub fn broker(&mut self, index: usize) -> &mut Kafka {
        &mut self.brokers[index]
    }
}

/// Runs one of Kafka's own tools and returns what it prints.
///
/// # Panics
/// Panics if the tool cannot be run or fails.
pub fn tool(arguments: &[&str]) -> String {
    let output = std::process::Command::new(repository().join("dev/kafka/kafka")).arg("tool").args(arguments).output();
    let output = output.expect("the tool runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Waits for a future of rdkafka, which a thread of librdkafka completes.
fn futures_executor<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn responds(bootstrap: &str) -> bool {
    let reachable = bootstrap
        .parse()
        .is_ok_and(|address| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok());
    reachable && consumer(bootstrap, "read_committed").fetch_metadata(None, Duration::from_secs(5)).is_ok()
}

pub(crate) fn consumer(bootstrap: &str, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "kvs-connect-harness")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "20")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer")
}
