//! What a stream costs: 1,000 streams with a fragment every 10 s each, on three workers and on one.

use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka, wait_for_within};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, cpu_seconds, status_mb, unique, worker};
use crate::table::Table;

const STREAMS: usize = 1_000;
const FRAGMENT_BYTES: usize = 50_000;
const FRAGMENTS_PER_SECOND: &str = "0.1";
const WARM_UP: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(40);

/// What the workers of a measurement use together.
struct Used {
    cores: f64,
    resident_mb: f64,
    threads: f64,
    sockets: f64,
    opened_s: f64,
    refused: f64,
    sessions_per_second: f64,
    fragments_per_second: f64,
}

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mkv");
    std::fs::write(&file, (0..4).flat_map(|index| media::video(index, FRAGMENT_BYTES)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("scale{index}"), file.clone())).collect();
    let arguments = ["--repeat", "forever", "--fragments-per-second", FRAGMENTS_PER_SECOND];
    let simulator = Simulator::start(&streams, &arguments);
    let none = measure(&kafka, &simulator, &[], 1);
    let three = measure(&kafka, &simulator, &streams, 3);
    let one = measure(&kafka, &simulator, &streams, 1);
    let per_stream = |used: &Used, what: fn(&Used) -> f64, idle: f64| (what(used) - idle) / STREAMS as f64;
    table.against("1,000 streams, a fragment each 10 s, three workers", three.cores, "cores", "one worker", one.cores);
    table.against("  resident memory", three.resident_mb, "MB", "one worker", one.resident_mb);
    table.against("  threads", three.threads, "threads", "one worker", one.threads);
    table.against("  open sockets", three.sockets, "sockets", "one worker", one.sockets);
    table.against("  all sessions open, after the connector was made", three.opened_s, "s", "one worker", one.opened_s);
    table.row("  calls refused or failed, three workers and one", three.refused + one.refused, "calls");
    table.row("  fragments a second, of 100", three.fragments_per_second, "fragments");
    table.row(
        "  sessions opened a second (the service ends an idle one after 3 s)",
        three.sessions_per_second,
        "sessions",
    );
    table.row("  a worker without streams", none.resident_mb, "MB");
    table.row("  a worker without streams: threads", none.threads, "threads");
    table.row("  a worker without streams: sockets", none.sockets, "sockets");
    table.row(
        "  per stream on one worker: processor",
        per_stream(&one, |used| used.cores, none.cores) * 1e3,
        "millicores",
    );
    table.row(
        "  per stream on one worker: memory",
        per_stream(&one, |used| used.resident_mb, none.resident_mb) * 1e3,
        "kB",
    );
    table.row("  per stream on one worker: sockets", per_stream(&one, |used| used.sockets, none.sockets), "sockets");
}

fn sockets(pid: u32) -> f64 {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return 0.0 };
    let is_socket = |file: &std::path::Path| {
        std::fs::read_link(file).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
    };
    files.filter_map(|file| Some(file.ok()?.path())).filter(|file| is_socket(file)).count() as f64
}

fn measure(kafka: &Kafka, simulator: &Simulator, streams: &[(String, std::path::PathBuf)], count: usize) -> Used {
    let name = unique("scale");
    let settings = worker(kafka.bootstrap(), &name).set("offset.storage.partitions", "25");
    let mut workers: Vec<Connector> =
        (0..count).map(|_| Connector::start(connector_program(), &settings, &[])).collect();
    workers.iter_mut().for_each(Connector::wait_healthy);
    let sum = |metric: &str| workers.iter().map(|worker| worker.metric(metric)).sum::<f64>();
    let began = Instant::now();
    if !streams.is_empty() {
        let connector = connector(&name, &simulator.url, streams).set("kvs.start.position", "NOW");
        let settings = serde_json::Value::Object(connector.config);
        let (code, answer) = workers[0].rest("PUT", "/connectors/scale/config", Some(&settings));
        assert_eq!(code, 201, "{answer}");
        // Counts streams and not sessions, because sessions end and are opened again.
        let sessions = || workers.iter().map(streams_with_sessions).sum::<usize>();
        wait_for_within(Duration::from_secs(180), "every session to be open", || sessions() >= streams.len());
    }
    let opened_s = began.elapsed().as_secs_f64();
    std::thread::sleep(WARM_UP);
    let cpu = || workers.iter().map(|worker| cpu_seconds(worker.pid())).sum::<f64>();
    let (cpu_before, at) = (cpu(), Instant::now());
    let (sessions, fragments) = (sum("kvs_connect_get_media_sessions_total"), sum("kvs_connect_fragments_total"));
    std::thread::sleep(MEASURED);
    let seconds = at.elapsed().as_secs_f64();
    let cores = (cpu() - cpu_before) / seconds;
    let resident_mb = workers.iter().map(|worker| status_mb(worker.pid(), "VmRSS")).sum();
    let threads = workers.iter().map(|worker| worker.threads().len() as f64).sum();
    let open_sockets = workers.iter().map(|worker| sockets(worker.pid())).sum();
    // The sum of no values would be -0.
    let refused = workers.iter().map(crate::live::failed_calls).fold(0.0, |sum, calls| sum + calls.abs());
    Used {
        cores,
        resident_mb,
        threads,
        sockets: open_sockets,
        opened_s,
        refused,
        sessions_per_second: (sum("kvs_connect_get_media_sessions_total") - sessions) / seconds,
        fragments_per_second: (sum("kvs_connect_fragments_total") - fragments) / seconds,
    }
}

/// Returns the number of a worker's streams for which a session has been opened.
fn streams_with_sessions(worker: &Connector) -> usize {
    let Some((200, body)) = worker.get("/metrics") else { return 0 };
    body.lines().filter(|line| line.starts_with("kvs_connect_get_media_sessions_total{")).count()
}
