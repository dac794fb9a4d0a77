use std::time::Instant;

use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;

use super::*;

/// Streams come and go for as long as a worker runs; the rendered metrics must not grow with them.
#[test]
fn series_of_streams_that_are_gone_go_and_those_of_quiet_ones_stay() {
    let timeout = Duration::from_millis(100);
    let mask = MetricKindMask::COUNTER | MetricKindMask::GAUGE;
    let inner = PrometheusBuilder::new().idle_timeout(mask, Some(timeout)).build_recorder();
    let handle = inner.handle();
    let series = Series::default();
    let recorder = KeepingRecorder { inner, series: series.clone() };
    let note = |stream: String, outcome: &str| {
        counter!("calls", "connector" => "c", "stream" => stream.clone(), "outcome" => outcome.to_owned()).increment(7);
        gauge!("lag", "connector" => "c", "stream" => stream).set(3.0);
    };
    metrics::with_local_recorder(&recorder, || {
        counter!("lost", "reason" => "fenced").increment(2);
        note("quiet".to_owned(), "ok");
        (0..3_000).for_each(|index| note(format!("cam-{index}"), "ok"));
    });
    assert!(handle.render().lines().count() > 6_000);
    let began = Instant::now();
    // "cam-7" is held at first, and then by another worker.
    let mut here = vec!["quiet", "cam-7"];
    loop {
        series.keep(|connector, stream| connector == "c" && here.contains(&stream));
        let rendered = handle.render();
        let has = |line: &str| rendered.lines().any(|found| found == line);
        assert!(has(r#"calls{connector="c",stream="quiet",outcome="ok"} 7"#), "{rendered}");
        assert!(has(r#"lag{connector="c",stream="quiet"} 3"#) && has(r#"lost{reason="fenced"} 2"#), "{rendered}");
        let lines = rendered.lines().filter(|line| line.contains("stream=")).count();
        match here.len() {
            2 if lines == 4 => {
                here.pop();
            }
            1 if lines == 2 => break,
            _ => {}
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{lines} lines are left");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(series.lock().len(), 2);
    // The series of a stream that comes back starts from zero.
    metrics::with_local_recorder(&recorder, || note("cam-7".to_owned(), "ok"));
    assert!(handle.render().contains(r#"calls{connector="c",stream="cam-7",outcome="ok"} 7"#));
}
