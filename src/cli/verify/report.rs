//! Prints what an audit has found: a table and the faults, or a JSON object for each stream.

use serde_json::{Value, json};

use crate::audit::{Finding, FindingKind, Place, StreamReport};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::remote::print_table;
use crate::cli::time_text::time_text;

/// How many faults of a stream are printed for people; JSON has up to 1,000 of each kind.
const SHOWN_MAX: usize = 20;
/// The longest text of a reason, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// Prints the streams for people.
pub(super) fn table(streams: &[(String, StreamReport)], deep: bool) -> Result<(), Failure> {
    let titles = [
        "STREAM",
        "RECORDS",
        "IN BOTH",
        "ONLY KAFKA",
        "MISSING",
        "TWICE",
        "DISORDER",
        "ALTERED",
        "HOLES",
        "BEFORE",
        "NOT YET",
    ];
    let rows = streams.iter().map(|(stream, report)| {
        let counts = report.counts;
        let altered = match (deep, counts.compared) {
            (false, _) if counts.altered == 0 => "-".to_owned(),
            _ => counts.altered.to_string(),
        };
        let explained = |count: u64, explained: u64| match explained {
            0 => count.to_string(),
            explained => format!("{count} ({explained} explained)"),
        };
        let number = |count: u64| count.to_string();
        vec![
            stream.clone(),
            number(counts.records),
            number(counts.in_both),
            number(counts.only_in_kafka),
            explained(counts.missing, counts.missing_explained),
            explained(counts.duplicates, counts.duplicates_explained),
            number(counts.out_of_order),
            altered,
            explained(counts.holes, counts.holes_explained),
            number(counts.before_first),
            number(counts.after_last),
        ]
    });
    print_table(&titles, &rows.collect::<Vec<_>>())?;
    for (stream, report) in streams {
        for finding in report.findings.iter().take(SHOWN_MAX) {
            output::print(line(stream, finding))?;
        }
        if let Some(more) = report.findings.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            output::print(format_args!("{}: and {more} more; --json has them", output::plain(stream, 256)))?;
        }
        let not_compared = report.counts.in_both.saturating_sub(report.counts.compared);
        if deep && not_compared > 0 {
            output::print(format_args!(
                "{}: the media of {not_compared} records were not compared: they are not published, or the archive did not send them",
                output::plain(stream, 256)
            ))?;
        }
        if report.counts.before_first > 0 {
            output::print(format_args!("{}: {}", output::plain(stream, 256), before(report)))?;
        }
    }
    Ok(())
}

/// Says why the topic begins later than the archive.
fn before(report: &StreamReport) -> String {
    let count = report.counts.before_first;
    match report.first_sequence {
        Some(0) => format!("{count} fragments of the archive precede the connector's first record: it began there"),
        Some(first) => {
            format!(
                "{count} fragments of the archive precede the topic's first record, which has sequence {first}: the records before it are deleted, by retention for example"
            )
        }
        None => format!("{count} fragments of the archive precede the first record"),
    }
}

fn line(stream: &str, finding: &Finding) -> String {
    let what = match (finding.kind, finding.sequences) {
        (FindingKind::Hole, Some((first, last))) if first == last => format!("no record has sequence {first}"),
        (FindingKind::Hole, Some((first, last))) => format!("no records have sequences {first} to {last}"),
        (kind, _) => {
            let number = finding.number.as_ref().map_or("-", |number| number.as_str());
            let what = match kind {
                FindingKind::Missing => "is in the archive and not in Kafka",
                FindingKind::Duplicate => "is in Kafka a second time",
                FindingKind::OutOfOrder => "comes too late",
                FindingKind::Altered | FindingKind::Hole => "is altered",
            };
            format!("fragment {number} {what}")
        }
    };
    let time = finding
        .server_ms
        .filter(|time| *time > 0)
        .map_or(String::new(), |time| format!(", received {}", time_text(time)));
    let place = finding.place.as_ref().map_or(String::new(), |place| {
        let Place { topic, partition, offset } = place;
        format!(", {topic} partition {partition} offset {offset}")
    });
    let reason = finding.reason.as_ref().map_or(String::new(), |reason| format!(": {}", reason.text));
    let stream = output::plain(stream, 256);
    format!("{stream}: {what}{time}{place}{}", output::plain(&reason, TEXT_CHARS_MAX))
}

/// Returns a stream's report for programs.
pub(super) fn json(connector: &str, stream: &str, report: &StreamReport, faults: u64) -> Value {
    let counts = report.counts;
    let findings: Vec<Value> = report.findings.iter().map(finding_json).collect();
    json!({
        "connector": connector,
        "stream": stream,
        "faults": faults,
        "records": counts.records,
        "in_both": counts.in_both,
        "only_in_kafka": counts.only_in_kafka,
        "compared": counts.compared,
        "missing": counts.missing,
        "missing_explained": counts.missing_explained,
        "duplicates": counts.duplicates,
        "duplicates_explained": counts.duplicates_explained,
        "out_of_order": counts.out_of_order,
        "altered": counts.altered,
        "holes": counts.holes,
        "holes_explained": counts.holes_explained,
        "before_first": counts.before_first,
        "after_last": counts.after_last,
        "first_sequence": report.first_sequence,
        "findings": findings,
    })
}

fn finding_json(finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    json!({
        "kind": finding.kind.name(),
        "fragment_number": finding.number.as_ref().map(|number| number.as_str()),
        "first_sequence": finding.sequences.map(|(first, _)| first),
        "last_sequence": finding.sequences.map(|(_, last)| last),
        "server_timestamp_ms": finding.server_ms.filter(|time| *time > 0),
        "topic": place.map(|place| &*place.topic),
        "partition": place.map(|place| place.partition),
        "offset": place.map(|place| place.offset),
        "reason": finding.reason.as_ref().map(|reason| &*reason.kind),
        "text": finding.reason.as_ref().map(|reason| &*reason.text),
    })
}
