//! 200 live streams of 1 Mbit/s over TLS: what one worker uses, and how long it takes to open all sessions.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kvs_harness::{Connector, Kafka, wait_for};

use crate::media;
use crate::processes::{Simulator, connector, connector_program, cpu_seconds, run_seconds, status_mb, unique, worker};
use crate::table::Table;

const STREAMS: usize = 200;
/// A fragment of 2 s at 1 Mbit/s.
const FRAGMENT_BYTES: usize = 250_000;
const FRAGMENTS_PER_SECOND: &str = "0.5";
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(30);

pub fn run(table: &mut Table) {
    let kafka = Kafka::start();
    let folder = tempfile::tempdir().unwrap();
    let (file, certificate) = (folder.path().join("video.mkv"), folder.path().join("ca.pem"));
    std::fs::write(&file, (0..4).flat_map(|index| media::video(index, FRAGMENT_BYTES)).collect::<Vec<u8>>()).unwrap();
    let streams: Vec<_> = (0..STREAMS).map(|index| (format!("live{index}"), file.clone())).collect();
    let arguments = ["--repeat", "forever", "--fragments-per-second", FRAGMENTS_PER_SECOND];
    let simulator = Simulator::start_tls(&streams, &arguments, &certificate);
    let name = unique("live");
    let connector = connector(&name, &simulator.url, &streams)
        .set("kvs.tls.ca.file", &certificate.display().to_string())
        .set("kvs.start.position", "NOW");
    let settings = worker(kafka.bootstrap(), &name).set("offset.storage.partitions", "25");
    let began = Instant::now();
    let mut worker = Connector::start(connector_program(), &settings, &[connector]);
    worker.wait_healthy();
    let healthy = Instant::now();
    wait_for("every session to be open", || worker.metric("kvs_connect_get_media_sessions_total") >= STREAMS as f64);
    let (since_start, since_healthy) = (began.elapsed(), healthy.elapsed());
    std::thread::sleep(WARM_UP);
    let (cpu_before, at, fragments_before) =
        (cpu_seconds(worker.pid()), Instant::now(), worker.metric("kvs_connect_fragments_total"));
    std::thread::sleep(MEASURED);
    let cores = (cpu_seconds(worker.pid()) - cpu_before) / at.elapsed().as_secs_f64();
    let fragments = worker.metric("kvs_connect_fragments_total") - fragments_before;
    let refused = failed_calls(&worker);
    let resident = status_mb(worker.pid(), "VmRSS");
    drop(worker);
    match curls(&simulator.url, &certificate) {
        Some(theirs) => {
            table.against(
                "200 live streams of 1 Mbit/s over TLS, to Kafka",
                cores,
                "cores",
                "200 curls to /dev/null",
                theirs,
            );
        }
        None => table.row("200 live streams of 1 Mbit/s over TLS, to Kafka (curl is not installed)", cores, "cores"),
    }
    table.row("  fragments a second, of 100", fragments / MEASURED.as_secs_f64(), "fragments");
    table.row("  all sessions open, after the worker's start", since_start.as_secs_f64(), "s");
    table.row("  all sessions open, after it was healthy", since_healthy.as_secs_f64(), "s");
    table.row("  calls refused or failed", refused, "calls");
    table.row("  resident memory", resident, "MB");
}

/// Returns the number of calls that were refused or failed.
pub fn failed_calls(worker: &Connector) -> f64 {
    let Some((200, body)) = worker.get("/metrics") else { return 0.0 };
    let calls = body.lines().filter(|line| line.starts_with("kvs_connect_api_calls_total{"));
    let failed = calls.filter(|line| !line.contains(r#"outcome="ok""#));
    failed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Returns the processor time of one curl per stream that reads the stream and discards it, in cores. Returns `None` if
/// curl is not installed.
fn curls(url: &str, certificate: &Path) -> Option<f64> {
    let start = |index: usize| -> Option<Child> {
        Command::new("curl")
            .args(["--silent", "--no-buffer", "--output", "/dev/null", "--cacert"])
            .arg(certificate)
            .args(["--aws-sigv4", "aws:amz:us-east-1:kinesisvideo", "--user", "test:test"])
            .args(["--header", "content-type: application/json", "--data"])
            .arg(format!(r#"{{"StreamName":"live{index}","StartSelector":{{"StartSelectorType":"NOW"}}}}"#))
            .arg(format!("{url}/getMedia"))
            .stdin(Stdio::null())
            .spawn()
            .ok()
    };
    let mut children = (0..STREAMS).map(start).collect::<Option<Vec<Child>>>()?;
    std::thread::sleep(WARM_UP);
    let used = |children: &[Child]| children.iter().map(|child| run_seconds(child.id())).sum::<f64>();
    let (before, at) = (used(&children), Instant::now());
    std::thread::sleep(MEASURED);
    let cores = (used(&children) - before) / at.elapsed().as_secs_f64();
    let running = children.iter_mut().filter_map(|child| child.try_wait().ok()).filter(Option::is_none).count();
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    assert_eq!(running, STREAMS, "curls ended before they were measured");
    Some(cores)
}
