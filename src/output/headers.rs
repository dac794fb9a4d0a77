//! The headers of a fragment's records.
//!
//! **Contract.** What depends only on the fragment is made once per output and fragment; the rest, per record. Nothing is random:
//! a fragment that is published again has the same headers. CloudEvents' are those of its binary mode for Kafka (version
//! 1.0.2 of the binding), the trace context is W3C's, version 00.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use kvs_client::Fragment;
use kvs_mkv::{TagValue, Track};
use sha2::{Digest, Sha256};

use super::form::RecordForm;
use super::kind::Origin;
use crate::model::{Header, OutputId, Template, Variable};

/// Writes the headers of one output's records.
pub(super) struct HeaderWriter {
    form: RecordForm,
    output: OutputId,
    /// The name of the value's schema, which is CloudEvents' type.
    event_type: &'static str,
    /// The media type of values.
    value_type: &'static str,
}

/// The headers that all records of a fragment have in one output, and what the others are made of.
pub(super) struct FragmentHeaders<'a> {
    writer: &'a HeaderWriter,
    origin: &'a Origin<'a>,
    fragment: &'a Fragment,
    common: Vec<Header>,
    trace_id: Option<String>,
}

/// The frame that a record is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordFrame<'a> {
    /// Index in its fragment.
    pub(super) index: usize,
    /// Its track.
    pub(super) track: &'a Track,
    /// When it was taken, in microseconds since 1970.
    pub(super) utc_micros: Option<i64>,
}

/// Returns what stands for a track in names: its name, or its number if it has none.
pub(super) fn track_label(track: &Track) -> Cow<'_, str> {
    match track.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(track.number.to_string()),
    }
}

/// Returns the value of a fragment's tag: of several with the name, the one that is about no track counts, else the first.
pub(super) fn tag_value<'a>(fragment: &'a Fragment, name: &str) -> Option<Cow<'a, str>> {
    let mut found: Option<Cow<'a, str>> = None;
    for tag in fragment.tags().filter(|tag| tag.name == name) {
        let TagValue::Text(value) = tag.value else { continue };
        if tag.track_uid.is_none() {
            return Some(value);
        }
        found.get_or_insert(value);
    }
    found
}

impl HeaderWriter {
    /// Creates a writer for the records of an output.
    pub(super) fn new(form: RecordForm, output: OutputId, event_type: &'static str, value_type: &'static str) -> Self {
        Self { form, output, event_type, value_type }
    }

    /// Returns the headers of a fragment's records; `content_type` is the type of the fragment's media, where records say it.
    pub(super) fn of_fragment<'a>(
        &'a self,
        origin: &'a Origin<'a>,
        fragment: &'a Fragment,
        content_type: Option<&str>,
    ) -> FragmentHeaders<'a> {
        let (form, number) = (&self.form, fragment.number.as_str());
        let mut common =
            vec![Header::new("kvs.stream", origin.stream_name), Header::new("kvs.fragment.number", number)];
        if let Some(content_type) = content_type {
            common.push(Header::new("kvs.content.type", content_type));
        }
        common.push(Header::new("content-type", self.value_type));
        for (name, template) in form.headers.iter().filter(|(_, template)| !template.has_track()) {
            common.extend(configured(name, template, origin, fragment, None));
        }
        if form.cloudevents {
            let stream = origin.stream_name;
            let source = origin.stream_arn.map_or_else(|| format!("kinesisvideo:{stream}"), str::to_owned);
            common.push(Header::new("ce_specversion", "1.0"));
            common.push(Header::new("ce_source", source));
            common.push(Header::new("ce_type", self.event_type));
            common.push(Header::new("ce_subject", format!("{stream}/{number}")));
        }
        let trace_id = form.traceparent.then(|| {
            let of = [origin.key.connector.as_bytes(), origin.stream_name.as_bytes(), number.as_bytes()];
            identifier(&of, 16)
        });
        FragmentHeaders { writer: self, origin, fragment, common, trace_id }
    }
}

impl FragmentHeaders<'_> {
    /// Returns the headers of a record about this frame; `None`: about the fragment, or about its part of one track.
    pub(super) fn of_record(&self, frame: Option<RecordFrame<'_>>) -> Vec<Header> {
        let HeaderWriter { form, output, .. } = self.writer;
        let mut headers = self.common.clone();
        let track = frame.map(|frame| track_label(frame.track)).or(self.origin.track.map(Cow::Borrowed));
        for (name, template) in form.headers.iter().filter(|(_, template)| template.has_track()) {
            headers.extend(configured(name, template, self.origin, self.fragment, track.as_deref()));
        }
        if !form.cloudevents && self.trace_id.is_none() {
            return headers;
        }
        let number = self.fragment.number.as_str();
        // Unique within the source, and the same for the same record.
        let id = match (frame, &track) {
            (Some(frame), _) => format!("{number}/{}", frame.index),
            (None, Some(track)) => format!("{number}/{track}"),
            (None, None) => number.to_owned(),
        };
        if form.cloudevents {
            let of_fragment = || self.fragment.producer_timestamp.or(self.fragment.server_timestamp);
            let millis = match frame.and_then(|frame| frame.utc_micros) {
                Some(micros) => Some(micros.div_euclid(1_000)),
                None => of_fragment().map(kvs_client::Timestamp::millis),
            };
            headers.extend(millis.and_then(rfc_3339).map(|time| Header::new("ce_time", time)));
            headers.push(Header::new("ce_id", id.clone()));
            headers.extend(self.origin.placement.uri.as_deref().map(|uri| Header::new("ce_dataref", uri)));
        }
        if let Some(trace_id) = &self.trace_id {
            let span_id = identifier(&[trace_id.as_bytes(), output.0.as_bytes(), id.as_bytes()], 8);
            headers.push(Header::new("traceparent", format!("00-{trace_id}-{span_id}-01")));
        }
        headers
    }
}

fn configured(
    name: &str,
    template: &Template,
    origin: &Origin<'_>,
    fragment: &Fragment,
    track: Option<&str>,
) -> Option<Header> {
    let value = template.render(|variable| variable_value(variable, origin, fragment, track));
    value.ok().map(|value| Header::new(name.to_owned(), value))
}

/// Returns the value of a template's variable for a fragment, or for its part of one track.
pub(super) fn variable_value<'v>(
    variable: &Variable,
    origin: &Origin<'v>,
    fragment: &'v Fragment,
    track: Option<&'v str>,
) -> Option<Cow<'v, str>> {
    match variable {
        Variable::Connector => Some(Cow::Borrowed(origin.key.connector.as_str())),
        Variable::Stream => Some(Cow::Borrowed(origin.stream_name)),
        Variable::Track => track.map(Cow::Borrowed),
        Variable::Tag(name) => tag_value(fragment, name),
    }
}

/// Returns the first bytes of a hash, in hexadecimal digits. They are not all zero, which W3C's trace context forbids.
fn identifier(parts: &[&[u8]], size_bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut digits: String = digest.iter().take(size_bytes).map(|byte| format!("{byte:02x}")).collect();
    if digits.bytes().all(|digit| digit == b'0') {
        digits.pop();
        digits.push('1');
    }
    digits
}

/// Returns a time in RFC 3339; `None` if it is before 1970 or after the year 9999.
fn rfc_3339(millis: i64) -> Option<String> {
    const YEAR_10000_MS: u64 = 253_402_300_800_000;
    let millis = u64::try_from(millis).ok().filter(|millis| *millis < YEAR_10000_MS)?;
    Some(humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string())
}

#[cfg(test)]
#[path = "headers_tests.rs"]
pub(super) mod tests;
