//! What happens to a session, and how the puller handles it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use kvs_client::{ErrorClass, Pulled, StartSelector, Timestamp};
use kvs_simulator::{Fault, FaultKind, Limits, Pace, Repeat, Simulator, SimulatorConfig};

fn fault(kind: FaultKind, count: u64) -> Fault {
    Fault::new(kind).times(count)
}

fn refuse(status: u16, error_type: &str) -> FaultKind {
    FaultKind::Refuse { status, error_type: error_type.to_owned(), message: "on purpose".to_owned() }
}

#[tokio::test]
async fn every_start_selector() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 5))]).await;
    let client = client(&simulator).await;
    let at = |millis: i64| Timestamp::from_millis(1_511_852_109_000 + millis);
    let cases = [
        (StartSelector::Earliest, vec![0, 1, 2, 3, 4]),
        (StartSelector::Now, vec![4]),
        (StartSelector::FragmentNumber(number(2).parse().unwrap()), vec![3, 4]),
        (StartSelector::ContinuationToken("token-3".to_owned()), vec![4]),
        (StartSelector::ServerTimestamp(at(2_100)), vec![1, 2, 3, 4]),
        (StartSelector::ServerTimestamp(at(3_500)), vec![2, 3, 4]),
        (StartSelector::ProducerTimestamp(at(4_000)), vec![3, 4]),
    ];
    for (start, expected) in cases {
        let mut puller = puller(&client, "s", None, with(config(), |it| it.start = start.clone()));
        let (fragments, _) = pull(&mut puller, expected.len()).await;
        assert_eq!(indexes(&fragments), expected, "{start:?}");
    }
}

#[tokio::test]
async fn an_ended_session_is_reopened_silently_and_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = source("s", &recording(folder.path(), 20));
    stream.pace = Pace::FragmentsPerSecond(10.0);
    // One session per stream: a second one at the same time would be refused.
    let limits = Limits { session_duration: Duration::from_millis(150), get_media_connections: 1, ..Limits::default() };
    let config_ = SimulatorConfig { streams: vec![stream], limits, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config_).await.unwrap();
    let mut puller = puller(&client(&simulator).await, "s", None, config());
    let (fragments, others) = pull(&mut puller, 20).await;
    assert_eq!(indexes(&fragments), (0..20).collect::<Vec<_>>());
    // No error and no refusal: the calls stay within the simulator's limit of 5 per second.
    assert!(others.iter().all(|other| matches!(other, Pulled::Opened { .. } | Pulled::CaughtUp { .. })), "{others:?}");
    assert!(others.len() > 3, "{others:?}");
}

#[tokio::test]
async fn an_idle_stream_is_polled_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { idle_timeout: Duration::ZERO, ..Limits::default() };
    let streams = vec![source("s", &recording(folder.path(), 1))];
    let config_ = SimulatorConfig { streams, limits, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config_).await.unwrap();
    let mut puller = puller(&client(&simulator).await, "s", None, config());
    pull(&mut puller, 1).await;
    let began = Instant::now();
    let mut opened = 0;
    while opened < 8 {
        match puller.next().await.unwrap() {
            Pulled::Opened { .. } => opened += 1,
            Pulled::CaughtUp { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let most = 1.0 + began.elapsed().as_secs_f64() * 5.0;
    assert!(f64::from(opened) <= most, "{opened} sessions in {:?}", began.elapsed());
}

#[tokio::test]
async fn temporary_refusals_are_retried() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 2))]).await;
    let client = client(&simulator).await;
    for kind in [
        refuse(400, "ClientLimitExceededException"),
        refuse(400, "ConnectionLimitExceededException"),
        refuse(400, "InvalidEndpointException"),
        refuse(404, "ResourceNotFoundException"),
        refuse(401, "NotAuthorizedException"),
        refuse(403, "ExpiredTokenException"),
        refuse(500, "InternalFailure"),
        refuse(503, "ServiceUnavailable"),
    ] {
        simulator.add_fault(fault(kind.clone(), 2));
        let (fragments, others) = pull(&mut puller(&client, "s", None, config()), 2).await;
        assert_eq!(indexes(&fragments), [0, 1]);
        let retried = others
            .iter()
            .filter(|other| matches!(other, Pulled::Retrying { error, .. } if error.request_id().is_some()));
        assert_eq!(retried.count(), 2, "{kind:?}: {others:?}");
    }
}

#[tokio::test]
async fn permanent_refusals_end_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    simulator.add_fault(fault(refuse(403, "AccessDeniedException"), 1));
    let mut denied = puller(&client(&simulator).await, "s", None, config());
    let error = denied.next().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("AccessDeniedException (HTTP 403): on purpose"), "{error}");

    let mut unknown = puller(&client(&simulator).await, "nobody", None, config());
    let error = unknown.next().await.unwrap_err();
    assert!(error.to_string().contains("ResourceNotFoundException"), "{error}");

    let mut wrong = puller(&client_of(client_config(&simulator, "a secret that is wrong")).await, "s", None, config());
    let error = loop {
        if let Err(error) = wrong.next().await {
            break error;
        }
    };
    let text = format!("{error} {error:?}");
    assert!(text.contains("InvalidSignatureException") && !text.contains("a secret that is wrong"), "{text}");
}

#[tokio::test]
async fn an_error_within_the_media_moves_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 5))]).await;
    for (error_id, after_fragments) in [(5000, 0), (3002, 2), (4503, 4)] {
        let error_code = "ON_PURPOSE".to_owned();
        simulator.add_fault(fault(FaultKind::ErrorTag { after_fragments, error_id, error_code }, 1));
        let (fragments, others) = pull(&mut puller(&client(&simulator).await, "s", None, config()), 5).await;
        assert_eq!(indexes(&fragments), [0, 1, 2, 3, 4], "{error_id}");
        let said = others.iter().find_map(|other| match other {
            Pulled::Retrying { error, .. } => Some(error.to_string()),
            _ => None,
        });
        let said = said.unwrap();
        assert!(said.contains(&format!("error {error_id} (ON_PURPOSE) at fragment")), "{said}");
    }
}

#[tokio::test]
async fn a_stalled_session_is_closed_and_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 3))]).await;
    simulator.add_fault(fault(FaultKind::Stall { at_byte: 1000, duration_ms: 60_000 }, 1));
    let (fragments, others) = pull(&mut puller(&client(&simulator).await, "s", None, config()), 3).await;
    assert_eq!(indexes(&fragments), [0, 1, 2]);
    let stalled = |other: &Pulled| matches!(other, Pulled::Retrying { error, .. } if error.to_string().contains("no byte arrived for 1 s"));
    assert!(others.iter().any(stalled), "{others:?}");
}

#[tokio::test]
async fn a_chunk_that_never_gets_its_token_is_published_the_third_time() {
    let folder = tempfile::tempdir().unwrap();
    // A cluster of unknown size, so that the next chunk's header is recognized where it begins.
    let bytes = [chunk(0, 2, 10, true), chunk(1, 2, 10, false), chunk(2, 2, 10, false)].concat();
    let simulator = simulator(vec![source("s", &write(folder.path(), "odd.mkv", &bytes))]).await;
    simulator.add_fault(fault(FaultKind::ServeIncomplete {}, 3));
    let (fragments, others) = pull(&mut puller(&client(&simulator).await, "s", None, config()), 2).await;
    assert_eq!(indexes(&fragments), [0, 1]);
    assert!(fragments[0].complete && !fragments[1].complete);
    let odd = others.iter().filter(|other| matches!(other, Pulled::MissingToken { .. })).count();
    assert_eq!(odd, 2, "{others:?}");
}

#[tokio::test]
async fn an_incomplete_fragment_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [chunk(0, 2, 10, true), chunk(1, 2, 10, false)].concat();
    let simulator = simulator(vec![source("s", &write(folder.path(), "cut.mkv", &bytes))]).await;
    simulator.add_fault(fault(FaultKind::ServeIncomplete {}, 1));
    let mut puller = puller(&client(&simulator).await, "s", None, config());
    let (_, _) = pull(&mut puller, 1).await;
    let waited = loop {
        match puller.next().await.unwrap() {
            Pulled::Waiting { number: waited, .. } => break waited,
            Pulled::CaughtUp { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(waited.unwrap().as_str(), number(1));
    assert_eq!(puller.position().unwrap().fragment_number.as_str(), number(0));
}

#[tokio::test]
async fn repeated_files_keep_growing() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = source("s", &recording(folder.path(), 3));
    stream.repeat = Repeat::Times(4);
    let simulator = simulator(vec![stream]).await;
    let (fragments, _) = pull(&mut puller(&client(&simulator).await, "s", None, config()), 12).await;
    assert!(fragments.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert!(fragments.windows(2).all(|pair| pair[0].server_timestamp < pair[1].server_timestamp));
    // The first play is the recording itself, the others the same media with other tags.
    assert_eq!(&*fragments[0].payload, chunk(0, 5, 40, true).as_slice());
    let media = |index: usize| -> Vec<&[u8]> {
        fragments[index].frames.iter().map(|frame| fragments[index].frame_data(frame)).collect()
    };
    assert_eq!(media(3), media(0));
}

#[tokio::test]
async fn texts_of_errors_within_the_media_are_shown_short_and_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    let error_code = format!("\u{1b}[2J\u{202E}\r\n{}", "x".repeat(10_000));
    simulator.add_fault(fault(FaultKind::ErrorTag { after_fragments: 0, error_id: 5000, error_code }, 1));
    let (_, others) = pull(&mut puller(&client(&simulator).await, "s", None, config()), 1).await;
    let said = others.iter().find_map(|other| match other {
        Pulled::Retrying { error, .. } => Some(error.to_string()),
        _ => None,
    });
    let said = said.unwrap();
    assert!(said.len() < 1_000 && said.contains("xxx…"), "{said:.2000}");
    assert!(!said.contains(['\u{1b}', '\u{202E}', '\r', '\n']), "{said:?}");
}

/// Every error within the media, reported in the middle of a stream.
#[tokio::test]
async fn each_error_within_the_media_is_typed_counted_and_followed_by_the_fragment_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 4))]).await;
    let client = client(&simulator).await;
    for error_id in [3002, 4000, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 5000] {
        let kind = FaultKind::ErrorTag { after_fragments: 2, error_id, error_code: "ON_PURPOSE".to_owned() };
        simulator.add_fault(fault(kind, 1));
        let quick = with(config(), |it| it.slow_retry_delay = Duration::from_millis(20));
        let mut puller = puller(&client, "s", None, quick);
        // The fragments before it arrive, the one that the error names does not.
        let (before, _) = pull(&mut puller, 2).await;
        assert_eq!(indexes(&before), [0, 1], "{error_id}");
        let happened = loop {
            match puller.next().await {
                Ok(Pulled::Fragment(pulled)) => panic!("{error_id}: {}", pulled.fragment.number),
                Ok(Pulled::Retrying { error, .. }) => break ("retried", error),
                Ok(Pulled::PositionRefused { error }) => break ("refused", error),
                Ok(_) => {}
                Err(error) => break ("failed", error),
            }
        };
        let (expected, class) = match error_id {
            3002 | 4503 | 5000 => ("retried", ErrorClass::Retry),
            4500 | 4501 | 4505 => ("retried", ErrorClass::RetrySlowly),
            4000 => ("refused", ErrorClass::Position),
            _ => ("failed", ErrorClass::Fatal),
        };
        let (happened, error) = happened;
        assert_eq!((happened, error.class(), error.code()), (expected, class, &*error_id.to_string()));
        assert!(error.to_string().contains(&format!("at fragment {}", number(2))), "{error}");
        assert_eq!(error.to_string().contains("KMS"), (4500..=4506).contains(&error_id) && error_id != 4503, "{error}");
        if happened != "failed" {
            let (after, _) = pull(&mut puller, 2).await;
            assert_eq!(indexes(&after), [2, 3], "{error_id}");
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_within_a_chunk_or_between_two_loses_and_duplicates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = recording(folder.path(), 6);
    let size = std::fs::metadata(&file).unwrap().len() / 6;
    let simulator = simulator(vec![source("s", &file)]).await;
    let client = client(&simulator).await;
    for at_byte in [size * 2, size * 2 + size / 2, size * 3 - 1, size * 3 + 1] {
        for how in [kvs_simulator::CutHow::Clean, kvs_simulator::CutHow::Reset] {
            simulator.add_fault(fault(FaultKind::Cut { at_byte, how }, 1));
            let (fragments, _) = pull(&mut puller(&client, "s", None, config()), 6).await;
            assert_eq!(indexes(&fragments), [0, 1, 2, 3, 4, 5], "{at_byte} {how:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_reports_when_it_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    // An MKV file that is there from the start is behind by the rest of it.
    let document = [
        kvs_mkv::ChunkWriter::new("t").head(&[kvs_mkv::Track::new(1, kvs_mkv::TrackKind::Video, "V_MPEG4/ISO/AVC")]),
        (0..8_i64)
            .flat_map(|second| {
                let at = second * 4_000_000_000;
                let frame = |offset| kvs_mkv::FrameData { track: 1, timestamp_ns: at + offset, key: true, data: b"x" };
                kvs_mkv::ChunkWriter::new("t").cluster(at, &[frame(0), frame(3_999_000_000)])
            })
            .collect(),
    ]
    .concat();
    let simulator = simulator(vec![source("s", &write(folder.path(), "any.mkv", &document))]).await;
    let client = client(&simulator).await;
    let mut puller = puller(&client, "s", None, with(config(), |it| it.caught_up_ms = 10_000));
    let mut behind = Vec::new();
    let told = loop {
        match puller.next().await.unwrap() {
            Pulled::Fragment(pulled) => behind.push(pulled.fragment.millis_behind_now.unwrap()),
            Pulled::CaughtUp { caught_up, millis_behind_now } => break (caught_up, millis_behind_now),
            _ => {}
        }
    };
    assert!(behind.len() > 1 && behind.windows(2).all(|pair| pair[0] > pair[1]), "{behind:?}");
    assert!(told.0 && told.1 <= 10_000 && behind[..behind.len() - 1].iter().all(|&millis| millis > 10_000), "{told:?}");
}

#[tokio::test]
async fn a_session_that_falls_behind_at_the_services_rate_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    // Twice as much arrives as the service sends: the recorded delays grow.
    let bytes: Vec<u8> = (0..400).flat_map(|index| chunk_behind(index, index as i64 * 50)).collect();
    let rate = bytes.len() as u64 / 12;
    let limits =
        Limits { session_bytes_per_second: Some(rate), idle_timeout: Duration::from_millis(100), ..Limits::default() };
    let streams = vec![source("s", &write(folder.path(), "behind.mkv", &bytes))];
    let simulator = Simulator::start(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await.unwrap();
    let client = client(&simulator).await;
    let mut puller = puller(&client, "s", None, with(config(), |it| it.session_bytes_per_second = rate));
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Pulled::AtRateLimit { bytes_per_second, millis_behind_now, .. } = puller.next().await.unwrap() {
                return (bytes_per_second, millis_behind_now);
            }
        }
    });
    let (bytes_per_second, millis_behind_now) = told.await.expect("the limit is reported");
    assert!(bytes_per_second as f64 >= rate as f64 * 0.9 && millis_behind_now > 0);
}

#[tokio::test]
async fn silence_at_the_live_edge_is_no_failure_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { idle_timeout: Duration::from_secs(60), ..Limits::default() };
    let streams = vec![source("s", &write(folder.path(), "none.mkv", &chunk(0, 1, 1, false)))];
    let simulator = Simulator::start(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await.unwrap();
    let client = client(&simulator).await;
    for silence_fails in [false, true] {
        let idle = with(kvs_client::IdlePolicy::default(), |it| it.silence_fails = silence_fails);
        let mut puller = puller(
            &client,
            "s",
            None,
            with(config(), |it| {
                it.start = StartSelector::Now;
                it.idle = idle;
            }),
        );
        let mut happened = Vec::new();
        while happened.len() < 2 {
            happened.push(match puller.next().await.unwrap() {
                Pulled::Opened { selector, .. } => selector.to_owned(),
                Pulled::Retrying { error, .. } => error.reason().to_owned(),
                other => panic!("{other:?}"),
            });
        }
        let expected = if silence_fails { ["NOW", "silent"] } else { ["NOW", "SERVER_TIMESTAMP"] };
        assert_eq!(happened, expected);
    }
}

#[tokio::test]
async fn exhausted_attempts_end_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(vec![source("s", &recording(folder.path(), 1))]).await;
    simulator.add_fault(fault(refuse(500, "InternalFailure"), 100));
    let retry = with(config().retry, |it| it.attempts_max = 3);
    let mut puller = puller(&client(&simulator).await, "s", None, with(config(), |it| it.retry = retry));
    let mut retried = 0;
    let error = loop {
        match puller.next().await {
            Ok(Pulled::Retrying { .. }) => retried += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(retried, 2);
    assert!(error.to_string().contains("InternalFailure"), "{error}");
}
