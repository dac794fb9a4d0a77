use std::process::Command;
use std::sync::{Arc, Barrier};

use rdkafka::consumer::BaseConsumer;

use crate::kafka::KafkaSettings;

/// In the environment of the process that exits.
const CHILD: &str = "KVS_CONNECT_TEST_EXIT";
const NAME: &str = "kafka::client::tests::a_process_exits_in_order_while_threads_that_used_tls_end";
/// Threads of a process. With these, every second process dies where OpenSSL frees its memory at the end.
const THREADS: usize = 400;
const PROCESSES: usize = 10;

/// Exits while many threads end each of which has used OpenSSL.
fn exit_while_threads_end() -> ! {
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(["peer".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut settings = KafkaSettings::of_no_cluster("offsets");
    settings.common.insert("security.protocol".to_owned(), "ssl".to_owned());
    // Instead of the system's authorities, which take longer to load than all else here.
    settings.common.insert("ssl.ca.pem".to_owned(), authority.pem());
    let all = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let (settings, all) = (settings.clone(), Arc::clone(&all));
        std::thread::spawn(move || {
            drop(settings.admin_config().create::<BaseConsumer>().unwrap());
            all.wait();
        });
    }
    all.wait();
    std::process::exit(0);
}

#[test]
fn a_process_exits_in_order_while_threads_that_used_tls_end() {
    if std::env::var_os(CHILD).is_some() {
        exit_while_threads_end();
    }
    for _ in 0..PROCESSES {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", NAME, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", output.status);
    }
}
