//! What the connector has said of fragments that it did not publish: its notifications and its dead letters.

use kvs_client::FragmentNumber;
use rdkafka::Message;

use crate::audit::{Reason, Reasons};
use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::cli::topic_reader::TopicReader;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::readback::{Decoder, Kind, header_text};

/// Reads the reasons why fragments of a connector's streams are missing. Topics that do not exist say nothing.
pub(super) fn read(
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
    existing: &[String],
) -> Result<Reasons, Failure> {
    let mut reasons = Reasons::default();
    if existing.contains(&worker.notifications_topic) {
        notifications(worker, &connector.name, &mut reasons)?;
    }
    let letters = connector.dead_letters.as_ref().map(|letters| letters.topic.as_str());
    if let Some(topic) = letters.filter(|topic| existing.iter().any(|name| name == topic)) {
        dead_letters(worker, &connector.name, topic, &mut reasons)?;
    }
    Ok(reasons)
}

fn notifications(worker: &WorkerConfig, connector: &str, reasons: &mut Reasons) -> Result<(), Failure> {
    let decoder = Decoder::new().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
    let mut reader = TopicReader::open(worker, std::slice::from_ref(&worker.notifications_topic), None)?;
    while let Some((_, message)) = reader.next()? {
        let Ok(decoded) = decoder.decode(message.payload().unwrap_or_default()) else { continue };
        let fields = decoded.fields;
        if !matches!(decoded.kind, Kind::Notification) || fields["connector"] != connector {
            continue;
        }
        let number = |name: &str| fields[name].as_str().and_then(|text| text.parse::<FragmentNumber>().ok());
        let kind = fields["kind"].as_str().unwrap_or_default();
        let stream = fields["stream_name"].as_str().unwrap_or_default();
        let reason = || Reason { kind: kind.into(), text: fields["message"].as_str().unwrap_or_default().into() };
        match kind {
            "POSITION_LOST" => {
                let before = number("next_fragment_number");
                before
                    .into_iter()
                    .for_each(|before| reasons.note_between(stream, number("last_fragment_number"), before, reason()));
            }
            "FRAGMENTS_MISSING" | "FRAGMENT_PASSED_OVER" => {
                let named = fields["fragment_numbers"].as_array().into_iter().flatten();
                let named = named.filter_map(|text| text.as_str()?.parse().ok());
                named.for_each(|number| reasons.note(stream, number, reason()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn dead_letters(worker: &WorkerConfig, connector: &str, topic: &str, reasons: &mut Reasons) -> Result<(), Failure> {
    let mut reader = TopicReader::open(worker, &[topic.to_owned()], None)?;
    while let Some((_, message)) = reader.next()? {
        let text = |name: &str| header_text(&message, name);
        // A frame that could not be converted is no fragment that is missing.
        let stage = text("__connect.errors.stage").filter(|stage| *stage != "frames");
        let number = text("kvs.fragment.number").and_then(|number| number.parse::<FragmentNumber>().ok());
        let (Some(stage), Some(number), Some(stream)) = (stage, number, text("kvs.stream")) else { continue };
        if text("__connect.errors.connector.name") == Some(connector) {
            let why = text("__connect.errors.exception.message").unwrap_or_default();
            let reason = Reason { kind: "DEAD_LETTER".into(), text: format!("{stage}: {why}").into() };
            reasons.note(stream, number, reason);
            if let Some(server_ms) = text("kvs.server.timestamp").and_then(|time| time.parse().ok()) {
                reasons.note_time(stream, server_ms);
            }
        }
    }
    Ok(())
}
