//! The peer: a bare transactional producer of the same records, tuned as well as we know how.
//!
//! One ThreadedProducer waits for deliveries without spinning, then commits; glibc is configured to keep its pages.

use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::util::Timeout;

use crate::processes::cpu_seconds;

pub const FLAG: &str = "--bare-producer";

/// The figures of a run.
pub struct Figures {
    pub mb_per_second: f64,
    pub cpu_seconds_per_gb: f64,
}

/// Runs the peer in a process of its own, so that its processor time can be measured.
pub fn run(bootstrap: &str, topic: &str, record_bytes: usize, records: usize, per_transaction: usize) -> Figures {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(FLAG)
        // The best known settings: without them, glibc maps and unmaps pages for every record.
        .env("MALLOC_MMAP_THRESHOLD_", "67108864")
        .env("MALLOC_TRIM_THRESHOLD_", "1073741824")
        .args([bootstrap, topic, &record_bytes.to_string(), &records.to_string(), &per_transaction.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let values: Vec<f64> = text.split_whitespace().map(|value| value.parse().unwrap()).collect();
    Figures { mb_per_second: values[0], cpu_seconds_per_gb: values[1] }
}

struct Outstanding(Arc<(Mutex<usize>, Condvar)>);

impl ClientContext for Outstanding {}

impl ProducerContext for Outstanding {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok());
        *self.0.0.lock().unwrap() -= 1;
        self.0.1.notify_all();
    }
}

/// Runs as the peer's process, with the arguments `FLAG bootstrap topic record_bytes records per_transaction`.
pub fn main(arguments: &[String]) {
    let number = |index: usize| -> usize { arguments[index].parse().unwrap() };
    let (bootstrap, topic) = (&arguments[0], &arguments[1]);
    let (record_bytes, records, per_transaction) = (number(2), number(3), number(4).max(1));
    let outstanding = Arc::new((Mutex::new(0), Condvar::new()));
    let producer: ThreadedProducer<Outstanding> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", topic)
        .set("linger.ms", "0")
        .set("message.max.bytes", "75497472")
        .set("queue.buffering.max.kbytes", "147456")
        .create_with_context(Outstanding(Arc::clone(&outstanding)))
        .unwrap();
    producer.init_transactions(Timeout::After(Duration::from_secs(60))).unwrap();
    let value = vec![7_u8; record_bytes];
    let offset = vec![7_u8; 230];
    let run = |transactions: usize| {
        for transaction in 0..transactions {
            producer.begin_transaction().unwrap();
            for record in 0..=per_transaction {
                *outstanding.0.lock().unwrap() += 1;
                let key = format!("91343852333181432392682062607743920146{transaction:05}{record:04}");
                let last = record == per_transaction;
                let headers = OwnedHeaders::new_with_capacity(3)
                    .insert(Header { key: "kvs.stream", value: Some("front-door") })
                    .insert(Header { key: "kvs.fragment.number", value: Some(&key) })
                    .insert(Header { key: "content-type", value: Some("video/webm") });
                let payload = if last { &offset } else { &value };
                let partition = i32::from(last);
                producer
                    .send(BaseRecord::to(topic).partition(partition).key(&key).payload(payload).headers(headers))
                    .map_err(|(error, _)| error)
                    .unwrap();
            }
            let mut left = outstanding.0.lock().unwrap();
            while *left > 0 {
                left = outstanding.1.wait(left).unwrap();
            }
            drop(left);
            while producer.in_flight_count() > 0 {
                std::thread::yield_now();
            }
            producer.commit_transaction(Timeout::Never).unwrap();
        }
    };
    run(5);
    let (began, cpu) = (Instant::now(), cpu_seconds(std::process::id()));
    let transactions = records.div_ceil(per_transaction);
    run(transactions);
    let gigabytes = (transactions * per_transaction * record_bytes) as f64 / 1e9;
    let cpu = cpu_seconds(std::process::id()) - cpu;
    println!("{} {}", gigabytes * 1e3 / began.elapsed().as_secs_f64(), cpu / gigabytes);
}
