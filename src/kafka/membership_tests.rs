#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::TcpListener;

use kvs_harness::wait_for;

use super::*;

/// Remembers what it was told of trouble.
#[derive(Default)]
struct Troubles(Mutex<Vec<String>>);

impl GroupListener for Troubles {
    fn assigned(&self, _shards: &[TopicShard]) {}

    fn revoked(&self, shards: &[TopicShard], _lost: bool) {
        panic!("nothing was assigned, so nothing is revoked: {shards:?}");
    }

    fn trouble(&self, error: Option<&LogError>) {
        self.0.lock().unwrap().extend(error.map(ToString::to_string));
    }

    fn ended(&self, end: MembershipEnd) {
        panic!("{end}");
    }
}

/// A client has been seen that never joined again, while others of its process did.
#[test]
fn a_member_without_shards_that_hears_nothing_is_replaced() {
    // It accepts connections, and never responds.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = KafkaSettings {
        bootstrap_servers: deaf.local_addr().unwrap().to_string(),
        common: BTreeMap::new(),
        producer: BTreeMap::new(),
        consumer: BTreeMap::new(),
        admin: BTreeMap::new(),
        group_id: "g".to_owned(),
        offsets_topic: "o".to_owned(),
        session_timeout_ms: 60_000,
        group_instance_id: None,
        group_protocol: GroupProtocol::Classic,
        transaction_timeout_ms: 60_000,
        message_max_bytes: 1 << 20,
        claim: None,
    };
    let (listener, stop) = (Arc::new(Troubles::default()), Arc::new(AtomicBool::new(false)));
    let subscription = Subscription::new(Arc::from("o"));
    let first = consumer(&settings, &subscription, &listener).unwrap();
    let joining = Joining {
        // It holds no shards.
        unheard_after: Duration::from_secs(600),
        unjoined_after: Duration::from_millis(200),
        settings,
        subscription,
        listener: Arc::clone(&listener),
        stop: Arc::clone(&stop),
        closing: Vec::new(),
    };
    let thread = std::thread::spawn(move || joining.run(first));
    wait_for("two members to be replaced", || {
        let told = listener.0.lock().unwrap();
        told.iter().filter(|text| text.contains("a new consumer joins")).count() >= 2
    });
    stop.store(true, Ordering::Release);
    thread.join().unwrap();
}
