//! A real Kafka.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::process::{Process, command};
use crate::wait::{wait_for, wait_for_within};

/// A broker of its own, or a running one.
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

/// The folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A port that is free now.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl Kafka {
    /// The one that all tests of this process share: `KAFKA_BOOTSTRAP`, or one that is started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(bootstrap) if !bootstrap.is_empty() => Self { bootstrap, own: None },
            _ => Self::start(),
        })
    }

    /// One of its own, up and running.
    pub fn start() -> Self {
        let mut kafka = Self::prepare();
        kafka.up();
        kafka
    }

    /// One of its own that is not started yet, whose port is known.
    ///
    /// # Panics
    /// When there is no temporary folder.
    pub fn prepare() -> Self {
        // What processes that were killed have left behind; it does no harm where it cannot be removed.
        let _ = std::process::Command::new(repository().join("dev/kafka/kafka")).arg("sweep").status();
        let prefix = format!("kvs-connect-kafka-{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
        let port = free_port();
        Self { bootstrap: format!("127.0.0.1:{port}"), own: Some(Own { folder, process: None, port }) }
    }

    /// Starts it, again if need be, with the data it had.
    ///
    /// # Panics
    /// When it does not answer within a minute.
    pub fn up(&mut self) {
        let Some(own) = &mut self.own else { return };
        let mut start = command(repository().join("dev/kafka/kafka"));
        start.arg("start").arg(own.folder.path()).arg(own.port.to_string()).stdin(std::process::Stdio::null());
        let log = std::fs::File::create(own.folder.path().join("kafka.out")).expect("a log file");
        start.stdout(log.try_clone().expect("a log file")).stderr(log);
        own.process = Some(Process::start(start));
        let log_file = own.folder.path().join("kafka.out");
        let mut failed = None;
        // Longer than a start takes, for the first one on a machine gets the jars.
        wait_for_within(Duration::from_secs(240), "Kafka to answer", || {
            failed = own.process.as_mut().and_then(Process::exit_code);
            failed.is_some() || answers(&self.bootstrap)
        });
        if let Some(code) = failed {
            let said = std::fs::read_to_string(log_file).unwrap_or_default();
            panic!("Kafka ended with {code}: {said}");
        }
    }

    /// Kills it, as a power cut would.
    pub fn down(&mut self) {
        if let Some(own) = &mut self.own {
            own.process = None;
        }
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Makes a topic.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().expect("an admin client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let topics = [topic];
        let made = admin.create_topics(&topics, &AdminOptions::new());
        let results = futures_executor(made).expect("an answer");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        wait_for("the topic to be known", || {
            let consumer = consumer(&self.bootstrap, "read_committed");
            let metadata = consumer.fetch_metadata(Some(name), Duration::from_secs(5));
            metadata.is_ok_and(|metadata| {
                metadata.topics().iter().all(|topic| topic.partitions().len() == partitions as usize)
            })
        });
    }
}

/// Runs a future of librdkafka's, which a thread of its own completes.
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

fn answers(bootstrap: &str) -> bool {
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
