//! Producers and readers of one stream: fragments can be read as soon as they are sent, unchanged, until retention drops
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;
#[path = "common/framemd5.rs"]
mod framemd5;

use std::process::Command;
use std::time::Duration;

use aws_sdk_kinesisvideo::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesisvideomedia::config::StalledStreamProtectionConfig;
use aws_sdk_kinesisvideomedia::primitives::ByteStream;
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use calls::{acknowledgements, call, put_all, put_media};
use common::{producer_document, simulator_with, until};
use kvs_mkv::{Event, Fragment, Splitter};
use kvs_simulator::{Fault, FaultKind, Limits, Simulator, SimulatorConfig};
use serde_json::{Value, json};

fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

fn control(simulator: &Simulator) -> aws_sdk_kinesisvideo::Client {
    let config = aws_sdk_kinesisvideo::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(simulator.url())
        .credentials_provider(credentials())
        .retry_config(aws_sdk_kinesisvideo::config::retry::RetryConfig::disabled());
    aws_sdk_kinesisvideo::Client::from_conf(config.build())
}

fn media(endpoint: &str) -> aws_sdk_kinesisvideomedia::Client {
    let config = aws_sdk_kinesisvideomedia::Config::builder()
        .behavior_version(aws_sdk_kinesisvideomedia::config::BehaviorVersion::latest())
        .region(aws_sdk_kinesisvideomedia::config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(credentials())
        .retry_config(aws_sdk_kinesisvideomedia::config::retry::RetryConfig::disabled())
        // The SDK treats a stream that is silent for some seconds as a failure.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    aws_sdk_kinesisvideomedia::Client::from_conf(config.build())
}

async fn simulator(limits: Limits) -> Simulator {
    simulator_with(SimulatorConfig { limits, ..SimulatorConfig::default() }).await
}

fn quick() -> Limits {
    Limits { idle_timeout: Duration::from_millis(200), ..Limits::default() }
}

async fn create(simulator: &Simulator, stream: &str, hours: i32) -> String {
    let made = control(simulator).create_stream().stream_name(stream).data_retention_in_hours(hours).send().await;
    made.unwrap().stream_arn.unwrap()
}

fn selector(kind: StartSelectorType) -> StartSelector {
    StartSelector::builder().start_selector_type(kind).build().unwrap()
}

async fn open(simulator: &Simulator, stream: &str, selector: StartSelector) -> ByteStream {
    let endpoint = control(simulator)
        .get_data_endpoint()
        .stream_name(stream)
        .api_name(aws_sdk_kinesisvideo::types::ApiName::GetMedia)
        .send()
        .await
        .unwrap()
        .data_endpoint
        .unwrap();
    let response = media(&endpoint).get_media().stream_name(stream).start_selector(selector).send().await.unwrap();
    assert_eq!(response.content_type(), Some("video/webm"));
    response.payload
}

/// Returns the number of fragments that ListFragments lists.
async fn archived(simulator: &Simulator, stream: &str) -> usize {
    let text = call(simulator, "/listFragments", &json!({"StreamName": stream})).await.text().await.unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["Fragments"].as_array().unwrap().len()
}

fn events(splitter: &mut Splitter, mut bytes: &[u8]) -> Vec<Event> {
    let mut found = Vec::new();
    while let Some(event) = splitter.push(&mut bytes).unwrap() {
        found.push(event);
    }
    found
}

async fn read(simulator: &Simulator, stream: &str, selector: StartSelector) -> Vec<Event> {
    let body = open(simulator, stream, selector).await.collect().await.unwrap().into_bytes();
    events(&mut Splitter::default(), &body)
}

fn fragments(events: Vec<Event>) -> Vec<Fragment> {
    let of = |event| if let Event::Fragment(fragment) = event { fragment } else { panic!("{event:?}") };
    events.into_iter().map(of).collect()
}

fn acknowledged(acks: &[Value], kind: &str) -> Vec<String> {
    let of_kind = acks.iter().filter(|ack| ack["EventType"] == kind);
    of_kind.map(|ack| ack["FragmentNumber"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_at_now_gets_a_fragment_as_soon_as_it_is_sent() {
    let simulator = simulator(Limits { idle_timeout: Duration::from_secs(20), ..Limits::default() }).await;
    create(&simulator, "live", 1).await;
    let mut body = open(&simulator, "live", selector(StartSelectorType::Now)).await;
    // A producer that sends a cluster only after the preceding one has been read.
    let head = producer_document(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
    let sent = futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|piece| piece.map(Ok::<_, std::io::Error>))
    });
    let session = tokio::spawn({
        let response = put_media(&simulator, "live", reqwest::Body::wrap_stream(sent));
        sender.send(head.clone()).await.unwrap();
        // The response begins at once, before any fragment is complete.
        let response = tokio::time::timeout(Duration::from_secs(10), response).await.unwrap();
        acknowledgements(response)
    });
    let mut splitter = Splitter::default();
    let mut seen = Vec::new();
    for index in 0..4 {
        sender.send(common::cluster(index as i64 * 1_000)).await.unwrap();
        while seen.len() <= index {
            let piece = tokio::time::timeout(Duration::from_secs(10), body.try_next())
                .await
                .unwrap_or_else(|_| panic!("fragment {index} does not arrive"));
            seen.extend(fragments(events(&mut splitter, &piece.unwrap().expect("the session goes on"))));
        }
    }
    drop(sender);
    let acks = session.await.unwrap();
    let numbers: Vec<_> = seen.iter().map(|fragment| fragment.number.as_str().to_owned()).collect();
    assert_eq!(acknowledged(&acks, "PERSISTED"), numbers);
    assert_eq!(acknowledged(&acks, "RECEIVED"), numbers);
    let producer: Vec<_> = seen.iter().map(|fragment| fragment.producer_timestamp.unwrap().millis()).collect();
    assert_eq!(producer, [0, 1, 2, 3].map(|second| 1_700_000_000_000 + second * 1_000));
    assert!(seen.iter().all(|fragment| fragment.millis_behind_now == Some(0) && fragment.frames.len() == 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_retention_holds_a_buffer() {
    let limits = Limits { buffer_duration: Duration::from_secs(4), ..quick() };
    let simulator = simulator(limits).await;
    create(&simulator, "live", 0).await;
    let acks = put_all(&simulator, "live", producer_document(2)).await;
    assert_eq!((acknowledged(&acks, "RECEIVED").len(), acknowledged(&acks, "PERSISTED").len()), (2, 0));
    // Buffered fragments can be read, are not archived, and expire.
    assert_eq!(read(&simulator, "live", selector(StartSelectorType::Earliest)).await.len(), 2);
    assert_eq!(archived(&simulator, "live").await, 0);
    let is_empty = async || read(&simulator, "live", selector(StartSelectorType::Earliest)).await.is_empty();
    until("the buffer to be empty", is_empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_drops_old_fragments_and_their_positions() {
    let simulator = simulator(Limits { retention_hour: Duration::from_secs(4), ..quick() }).await;
    create(&simulator, "live", 1).await;
    let numbers = acknowledged(&put_all(&simulator, "live", producer_document(3)).await, "PERSISTED");
    assert_eq!(fragments(read(&simulator, "live", selector(StartSelectorType::Earliest)).await).len(), 3);
    until("the archive to be empty", async || archived(&simulator, "live").await == 0).await;
    put_all(&simulator, "live", producer_document(1)).await;
    let gone = [
        StartSelector::builder()
            .start_selector_type(StartSelectorType::ContinuationToken)
            .continuation_token(&numbers[1])
            .build()
            .unwrap(),
        StartSelector::builder()
            .start_selector_type(StartSelectorType::FragmentNumber)
            .after_fragment_number(&numbers[1])
            .build()
            .unwrap(),
    ];
    for selector in gone {
        tokio::time::sleep(Duration::from_millis(220)).await;
        let events = read(&simulator, "live", selector).await;
        assert!(matches!(&events[..], [] | [Event::Error(_)]), "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_is_told_what_is_wrong() {
    let simulator = simulator(Limits {
        put_idle_interval: Duration::from_millis(50),
        put_idle_timeout: Duration::from_millis(300),
        ..quick()
    })
    .await;
    let arn = create(&simulator, "live", 1).await;
    let good = producer_document(1);
    let head = producer_document(0);
    let writer = kvs_mkv::ChunkWriter::new("test");
    let frame = |track, at: i64| kvs_mkv::FrameData { track, timestamp_ns: at * 1_000_000, key: true, data: b"data" };
    let cluster =
        |frames: &[kvs_mkv::FrameData<'_>]| [head.clone(), writer.cluster(frames[0].timestamp_ns, frames)].concat();
    let track = |number| kvs_mkv::Track::new(number, kvs_mkv::TrackKind::Audio, "A_AAC");
    let four_tracks =
        [writer.head(&[1, 2, 3, 4].map(track)), writer.cluster(0, &[1, 2, 3, 4].map(|track| frame(track, 0)))].concat();
    let two_tracks = [writer.head(&[1, 2].map(track)), writer.cluster(0, &[frame(1, 0)])].concat();
    let eleven: Vec<(String, String)> = (0..11).map(|tag| (format!("tag{tag}"), "x".to_owned())).collect();
    let eleven: Vec<(&str, &str)> = eleven.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let tagged = [head.clone(), writer.tags(&eleven), writer.cluster(0, &[frame(1, 0)])].concat();
    let cases = [
        (4002, cluster(&[frame(1, 0), frame(1, 10_001)])),
        (4004, [cluster(&[frame(1, 5_000)]), writer.cluster(4_000_000_000, &[frame(1, 4_000)])].concat()),
        (4006, good[..good.len() - 1].to_vec()),
        (4009, tagged),
        (4010, cluster(&[frame(9, 0)])),
        (4011, two_tracks),
        (4012, four_tracks),
    ];
    for (id, document) in cases {
        tokio::time::sleep(Duration::from_millis(220)).await;
        let acks = put_all(&simulator, "live", document).await;
        let last = acks.last().unwrap();
        assert_eq!((&last["EventType"], &last["ErrorId"]), (&json!("ERROR"), &json!(id)), "{acks:?}");
    }
    // A producer that sends nothing gets IDLE acknowledgements until the session ends.
    tokio::time::sleep(Duration::from_millis(220)).await;
    let silent = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let response = put_media(&simulator, "live", reqwest::Body::wrap_stream(silent)).await;
    let text = tokio::time::timeout(Duration::from_secs(10), response.text()).await.unwrap().unwrap_or_default();
    assert!(text.lines().count() >= 2 && text.lines().all(|line| line == r#"{"EventType":"IDLE"}"#), "{text}");
    // The session of a producer whose stream is deleted ends.
    let silent = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    tokio::time::sleep(Duration::from_millis(220)).await;
    let mut response = put_media(&simulator, "live", reqwest::Body::wrap_stream(silent)).await;
    control(&simulator).delete_stream().stream_arn(arn).send().await.unwrap();
    let mut text = String::new();
    while let Ok(Some(piece)) = response.chunk().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(text.contains("4008"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        || SimulatorConfig { limits: quick(), data: Some(folder.path().to_owned()), ..SimulatorConfig::default() };
    let name = "n".repeat(256);
    let first = simulator_with(config()).await;
    let arn = create(&first, &name, 1).await;
    control(&first).tag_stream().stream_name(&name).tags("place", "door").send().await.unwrap();
    let update = json!({
        "StreamName": name,
        "CurrentVersion": control(&first).describe_stream().stream_name(&name).send().await.unwrap().stream_info.unwrap().version,
        "StreamStorageConfiguration": { "DefaultStorageTier": "WARM" },
    });
    assert_eq!(call(&first, "/updateStreamStorageConfiguration", &update).await.status(), 200);
    let numbers = acknowledged(&put_all(&first, &name, producer_document(3)).await, "PERSISTED");
    let before = fragments(read(&first, &name, selector(StartSelectorType::Earliest)).await);
    first.stop().await;

    let second = simulator_with(config()).await;
    let info = control(&second).describe_stream().stream_name(&name).send().await.unwrap().stream_info.unwrap();
    assert_eq!((info.stream_arn(), info.data_retention_in_hours()), (Some(arn.as_str()), Some(1)));
    let tags = control(&second).list_tags_for_stream().stream_name(&name).send().await.unwrap().tags.unwrap();
    assert_eq!(tags["place"], "door");
    let storage = call(&second, "/describeStreamStorageConfiguration", &json!({ "StreamName": name })).await;
    assert!(storage.text().await.unwrap().contains("WARM"));
    let after = fragments(read(&second, &name, selector(StartSelectorType::Earliest)).await);
    let payloads = |fragments: &[Fragment]| fragments.iter().map(|one| one.number.clone()).collect::<Vec<_>>();
    assert_eq!(payloads(&before), payloads(&after));
    assert_eq!(before[2].payload, after[2].payload);
    // New fragments follow the old ones.
    let more = acknowledged(&put_all(&second, &name, producer_document(1)).await, "PERSISTED");
    assert!(more[0] > numbers[2]);
    control(&second).delete_stream().stream_arn(arn).send().await.unwrap();
    second.stop().await;
    let third = simulator_with(config()).await;
    let streams = control(&third).list_streams().send().await.unwrap();
    assert!(streams.stream_info_list().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdks_for_rust_see_the_services_errors() {
    let simulator = simulator(quick()).await;
    create(&simulator, "s", 1).await;
    let missing = control(&simulator).describe_stream().stream_name("nobody").send().await.unwrap_err();
    assert!(missing.into_service_error().is_resource_not_found_exception());
    let twice = control(&simulator).create_stream().stream_name("s").send().await.unwrap_err().into_service_error();
    assert!(twice.is_resource_in_use_exception());
    let client = media(simulator.url());
    let get = |stream: &str, kind| client.get_media().stream_name(stream).start_selector(selector(kind)).send();
    let missing = get("nobody", StartSelectorType::Now).await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception() && missing.meta().message().is_some());
    let wrong = get("s", StartSelectorType::FragmentNumber).await.unwrap_err().into_service_error();
    assert!(wrong.is_invalid_argument_exception(), "{wrong:?}");
    type Is = fn(&aws_sdk_kinesisvideomedia::operation::get_media::GetMediaError) -> bool;
    let cases: [(u16, &str, Is); 4] = [
        (400, "InvalidEndpointException", |error| error.is_invalid_endpoint_exception()),
        (401, "NotAuthorizedException", |error| error.is_not_authorized_exception()),
        (400, "ConnectionLimitExceededException", |error| error.is_connection_limit_exceeded_exception()),
        (400, "ClientLimitExceededException", |error| error.is_client_limit_exceeded_exception()),
    ];
    for (status, error_type, is) in cases {
        tokio::time::sleep(Duration::from_millis(220)).await;
        let message = "on purpose".to_owned();
        simulator.add_fault(Fault::new(FaultKind::Refuse { status, error_type: error_type.to_owned(), message }));
        let error = get("s", StartSelectorType::Now).await.unwrap_err().into_service_error();
        assert!(is(&error), "{error:?}");
    }
    // A fault can make every operation fail.
    let kind = FaultKind::Refuse { status: 500, error_type: "InternalFailure".to_owned(), message: String::new() };
    for operation in kvs_api::Operation::ALL {
        simulator.add_fault(Fault::new(kind.clone()).api(operation.name()).times(0));
    }
    assert_eq!(put_media(&simulator, "s", producer_document(1).into()).await.status(), 500);
    for (path, request) in [
        ("/listStreams", json!({})),
        ("/describeStream", json!({"StreamName": "s"})),
        ("/createStream", json!({"StreamName": "t"})),
        ("/listFragments", json!({"StreamName": "s"})),
        ("/getMediaForFragmentList", json!({"StreamName": "s", "Fragments": ["1"]})),
        ("/untagStream", json!({"StreamName": "s", "TagKeyList": ["a"]})),
        ("/getDataEndpoint", json!({"StreamName": "s", "APIName": "GET_MEDIA"})),
    ] {
        assert_eq!(call(&simulator, path, &request).await.status(), 500, "{path}");
    }
}

/// Video from ffmpeg, sent as producers send it: with clusters of known and of unknown size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffprobe_opens_the_returned_media() {
    if !framemd5::are_there(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(quick()).await;
    for (stream, live) in [("known", "0"), ("unknown", "1")] {
        create(&simulator, stream, 1).await;
        let file = folder.path().join("producer.mkv");
        let made = Command::new("ffmpeg")
            .args(["-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc=duration=4:size=160x120:rate=10"])
            .args(["-f", "lavfi", "-i", "sine=duration=4:frequency=440", "-c:v", "libx264", "-g", "10", "-c:a", "aac"])
            .args(["-cluster_time_limit", "1000", "-live", live, "-f", "matroska"])
            .arg(&file)
            .output()
            .expect("ffmpeg is installed: apt-get install ffmpeg");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let acks = put_all(&simulator, stream, std::fs::read(&file).unwrap()).await;
        let numbers = acknowledged(&acks, "PERSISTED");
        assert!(numbers.len() >= 3, "{acks:?}");
        let body = open(&simulator, stream, selector(StartSelectorType::Earliest)).await.collect().await.unwrap();
        let body = body.into_bytes();
        let chunks = fragments(events(&mut Splitter::default(), &body));
        assert_eq!(chunks.iter().map(|one| one.number.as_str().to_owned()).collect::<Vec<_>>(), numbers);
        let request = json!({"StreamName": stream, "Fragments": numbers});
        let archived = call(&simulator, "/getMediaForFragmentList", &request).await.bytes().await.unwrap();
        let whole = [("what GetMedia returns", &body[..]), ("what GetMediaForFragmentList returns", &archived)];
        let payloads = chunks.iter().map(|chunk| ("a payload", &chunk.payload[..]));
        for (what, bytes) in whole.into_iter().chain(payloads) {
            let file = folder.path().join("probed.mkv");
            std::fs::write(&file, bytes).unwrap();
            let probe = Command::new("ffprobe")
                .args(["-loglevel", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&probe.stdout);
            assert!(probe.status.success() && said.contains("h264") && said.contains("aac"), "{what}: {said}");
        }
    }
}
