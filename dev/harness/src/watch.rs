//! Arrival times of each stream's records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::kafka::consumer;

type Arrivals = Arc<Mutex<BTreeMap<String, Vec<Instant>>>>;

/// A read_committed consumer that records when the fragments of each stream arrive.
#[derive(Debug)]
pub struct Watch {
    arrivals: Arrivals,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch an existing topic from its current end.
    ///
    /// # Panics
    /// Panics if the topic does not exist.
    pub fn start(bootstrap: &str, topic: &str) -> Self {
        let consumer = consumer(bootstrap, "read_committed");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(15)).expect("metadata");
        let mut partitions = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            partitions.add_partition_offset(topic, partition.id(), Offset::End).expect("a partition");
        }
        consumer.assign(&partitions).expect("an assignment");
        let (arrivals, stop) = (Arrivals::default(), Arc::new(AtomicBool::new(false)));
        let (noted, stopped) = (Arc::clone(&arrivals), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) else { continue };
                let headers = message.headers().expect("headers");
                let header = headers.iter().find(|header| header.key == "kvs.stream").expect("header kvs.stream");
                let stream = String::from_utf8(header.value.expect("a value").to_vec()).expect("text");
                noted.lock().expect("the arrivals").entry(stream).or_default().push(Instant::now());
            }
        });
        Self { arrivals, stop, thread: Some(thread) }
    }

    /// Returns how many of these streams have been published since `when`.
    pub fn since(&self, streams: &[String], when: Instant) -> usize {
        let arrivals = self.arrivals.lock().expect("the arrivals");
        let published =
            |stream: &&String| arrivals.get(*stream).and_then(|all| all.last()).is_some_and(|last| *last > when);
        streams.iter().filter(published).count()
    }

    /// Returns how long after an event the last of these streams was published again. Records that were on their way when
    /// the event happened, for at most `on_its_way`, do not count. Returns `None` while a stream has not been published.
    pub fn back_after(&self, streams: &[String], event: Instant, on_its_way: Duration) -> Option<Duration> {
        let arrivals = self.arrivals.lock().expect("the arrivals");
        let first = |stream: &String| arrivals.get(stream)?.iter().find(|when| **when > event + on_its_way).copied();
        streams.iter().map(first).collect::<Option<Vec<Instant>>>()?.into_iter().max().map(|last| last - event)
    }

    /// Returns the longest pause of any of these streams since then.
    pub fn longest_pause(&self, streams: &[String], since: Instant) -> Duration {
        let arrivals = self.arrivals.lock().expect("the arrivals");
        let pauses = streams.iter().filter_map(|stream| {
            let mut all: Vec<Instant> = arrivals.get(stream)?.iter().filter(|when| **when > since).copied().collect();
            all.insert(0, since);
            all.windows(2).map(|pair| pair[1] - pair[0]).max()
        });
        pauses.max().unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
