//! A session of PutMedia: a producer's document in, one JSON acknowledgement a line out.
//!
//! **Contract.** A fragment is checked as the service does (AWS API reference, PutMedia: error ids), held, kept on
//! disk where there is one, and acknowledged: BUFFERING, RECEIVED, and PERSISTED when the stream has a retention.
//! Readers hear of it as soon as its cluster is over. An error is acknowledged and ends the session.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{Stream as FutureStream, StreamExt, stream};
use kvs_mkv::{ErrorKind, Limits, ProducedFragment, ProducerSplitter};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::hear_out;
use crate::server::Shared;
use crate::signature::AwsChunked;
use crate::stream::{Arrival, Stream};

const FRAGMENT_MAX_BYTES: usize = 50 << 20;
const FRAGMENT_MAX_MILLIS: i64 = 10_000;
const TRACKS_MAX: usize = 3;
const TAGS_MAX: usize = 10;
const TAG_NAME_MAX_BYTES: usize = 128;
const TAG_VALUE_MAX_BYTES: usize = 256;

/// What a fragment's timecode counts from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TimecodeType {
    /// From 1970.
    Absolute,
    /// From the producer's start.
    Relative {
        /// That start, in milliseconds since 1970.
        start_millis: i64,
    },
}

/// An error id with its code (AWS API reference, PutMedia; codes as AWS's SDK for Java knows them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AckError(u32, &'static str);

const READ_ERROR: AckError = AckError(4000, "STREAM_READ_ERROR");
const TOO_LARGE: AckError = AckError(4001, "MAX_FRAGMENT_SIZE_REACHED");
const TOO_LONG: AckError = AckError(4002, "MAX_FRAGMENT_DURATION_REACHED");
const CONNECTION_TOO_OLD: AckError = AckError(4003, "MAX_CONNECTION_DURATION_REACHED");
const TIMECODE_WENT_BACK: AckError = AckError(4004, "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS");
const INVALID_MKV: AckError = AckError(4006, "INVALID_MKV_DATA");
const BAD_PRODUCER_TIME: AckError = AckError(4007, "INVALID_PRODUCER_TIMESTAMP");
const DELETED: AckError = AckError(4008, "STREAM_DELETED");
const METADATA_LIMIT: AckError = AckError(4009, "FRAGMENT_METADATA_LIMIT_REACHED");
const UNKNOWN_TRACK: AckError = AckError(4010, "TRACK_NUMBER_MISMATCH");
const TRACK_WITHOUT_FRAME: AckError = AckError(4011, "FRAMES_MISSING_FOR_TRACK");
const TOO_MANY_TRACKS: AckError = AckError(4012, "MORE_THAN_ALLOWED_TRACKS_FOUND");
const INTERNAL: AckError = AckError(5000, "INTERNAL_ERROR");
const NOT_PERSISTED: AckError = AckError(5001, "ARCHIVAL_ERROR");

pub(crate) struct Ingest {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    timecodes: TimecodeType,
    chunked: Option<AwsChunked>,
    body: BodyDataStream,
    splitter: ProducerSplitter,
    acks: VecDeque<Bytes>,
    /// When the first byte of the cluster at hand came.
    begun_millis: Option<i64>,
    /// Timecode of the cluster before.
    latest_ns: Option<i64>,
    first: bool,
    started: Instant,
    last_data: Instant,
    over: bool,
    /// It is over because of an error.
    failed: bool,
}

impl Ingest {
    pub(crate) fn new(
        shared: Arc<Shared>,
        stream: Arc<Stream>,
        timecodes: TimecodeType,
        chunked: Option<AwsChunked>,
        body: Body,
    ) -> Self {
        let limits = Limits { fragment_size_bytes: FRAGMENT_MAX_BYTES, ..Limits::default() };
        Self {
            shared,
            stream,
            timecodes,
            chunked,
            body: body.into_data_stream(),
            splitter: ProducerSplitter::new(limits),
            acks: VecDeque::new(),
            begun_millis: None,
            latest_ns: None,
            first: true,
            started: Instant::now(),
            last_data: Instant::now(),
            over: false,
            failed: false,
        }
    }

    /// The acknowledgements, as they come.
    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut ingest| async move { ingest.next().await.map(|ack| (Ok(ack), ingest)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ack) = self.acks.pop_front() {
                return Some(ack);
            }
            if self.over {
                if std::mem::take(&mut self.failed) {
                    hear_out(&mut self.body).await;
                }
                return None;
            }
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let interval = self.shared.limits.put_idle_interval;
        let piece = tokio::select! {
            () = self.stream.deleted.cancelled() => return self.fail(DELETED, None),
            piece = tokio::time::timeout(interval, self.body.next()) => piece,
        };
        if self.started.elapsed() > self.shared.limits.session_duration {
            return self.fail(CONNECTION_TOO_OLD, None);
        }
        match piece {
            Err(_) => self.idle(),
            Ok(Some(Ok(piece))) => {
                self.last_data = Instant::now();
                let decoded = match &mut self.chunked {
                    Some(chunked) => match chunked.decode(&piece) {
                        Ok(decoded) => Bytes::from(decoded),
                        Err(_) => return self.fail(READ_ERROR, None),
                    },
                    None => piece,
                };
                self.splitter.push(&decoded);
                self.drain(false).await;
            }
            Ok(Some(Err(_))) => self.fail(READ_ERROR, None),
            Ok(None) => {
                self.drain(true).await;
                self.over = true;
            }
        }
    }

    fn idle(&mut self) {
        if self.last_data.elapsed() + Duration::from_millis(1) >= self.shared.limits.put_idle_timeout {
            self.over = true;
            return;
        }
        self.acks.push_back(ack(&json!({ "EventType": "IDLE" })));
    }

    /// Takes what is whole.
    async fn drain(&mut self, at_end: bool) {
        while !self.over {
            if self.splitter.in_cluster() && self.begun_millis.is_none() {
                self.begun_millis = Some(self.shared.clock.now_millis());
            }
            let next = if at_end { self.splitter.finish() } else { self.splitter.next() };
            match next {
                Ok(Some(produced)) => self.take(produced).await,
                Ok(None) => return,
                Err(error) => {
                    let error = match error.kind() {
                        ErrorKind::TooLarge { what: "fragment bytes", .. } => TOO_LARGE,
                        _ => INVALID_MKV,
                    };
                    self.fail(error, None);
                }
            }
        }
    }

    async fn take(&mut self, produced: ProducedFragment) {
        let cluster_ns = produced.document.clusters.first().map_or(0, |cluster| cluster.timestamp_ns);
        let timecode = cluster_ns / 1_000_000;
        let event = |kind: &str| json!({ "EventType": kind, "FragmentTimecode": timecode });
        self.acks.push_back(ack(&event("BUFFERING")));
        if let Err(error) = check(&produced, cluster_ns, self.latest_ns) {
            return self.fail(error, Some(timecode));
        }
        self.latest_ns = Some(cluster_ns);
        let producer_millis = match self.timecodes {
            TimecodeType::Absolute => Some(timecode),
            TimecodeType::Relative { start_millis } => start_millis.checked_add(timecode),
        };
        // The service takes what a clock of a producer may say; what no clock says is refused.
        let Some(producer_millis) = producer_millis.filter(|millis| (0..=253_402_300_799_999).contains(millis)) else {
            return self.fail(BAD_PRODUCER_TIME, Some(timecode));
        };
        let server_millis = self.begun_millis.take().unwrap_or_else(|| self.shared.clock.now_millis());
        let arrival = Arrival { produced, server_millis, producer_millis, first: self.first };
        self.first = false;
        let Some(held) = self.stream.take(arrival) else { return self.fail(INTERNAL, Some(timecode)) };
        let numbered = |kind: &str| {
            let mut numbered = event(kind);
            numbered["FragmentNumber"] = held.number.as_str().into();
            ack(&numbered)
        };
        self.acks.push_back(numbered("RECEIVED"));
        if self.stream.settings().retention_hours > 0 {
            if self.shared.keep_fragment(&self.stream, &held).await.is_err() {
                return self.fail(NOT_PERSISTED, Some(timecode));
            }
            self.acks.push_back(numbered("PERSISTED"));
        }
    }

    fn fail(&mut self, AckError(id, code): AckError, timecode: Option<i64>) {
        let mut error = json!({ "EventType": "ERROR", "ErrorId": id, "ErrorCode": code });
        if let Some(timecode) = timecode {
            error["FragmentTimecode"] = timecode.into();
        }
        self.acks.push_back(ack(&error));
        (self.over, self.failed) = (true, true);
    }
}

fn ack(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

/// Returns whether frames lie further apart than a fragment may be long; their times are whatever the producer sent.
fn is_too_long(earliest_ns: i64, latest_ns: i64) -> bool {
    latest_ns.saturating_sub(earliest_ns) / 1_000_000 > FRAGMENT_MAX_MILLIS
}

/// Checks a fragment as the service does.
fn check(produced: &ProducedFragment, cluster_ns: i64, latest_ns: Option<i64>) -> Result<(), AckError> {
    let document = &produced.document;
    if produced.head.len() + produced.tags.len() + produced.cluster.len() > FRAGMENT_MAX_BYTES {
        return Err(TOO_LARGE);
    }
    if document.tracks.len() > TRACKS_MAX {
        return Err(TOO_MANY_TRACKS);
    }
    if document.frames.iter().any(|frame| document.tracks.iter().all(|track| track.number != frame.track)) {
        return Err(UNKNOWN_TRACK);
    }
    if document.tracks.iter().any(|track| document.frames.iter().all(|frame| track.number != frame.track)) {
        return Err(TRACK_WITHOUT_FRAME);
    }
    let times = || document.frames.iter().map(|frame| frame.timestamp_ns);
    let (Some(earliest), Some(latest)) = (times().min(), times().max()) else { return Err(INVALID_MKV) };
    if is_too_long(earliest, latest) {
        return Err(TOO_LONG);
    }
    // By the clusters' own timecodes, as the error's text has it: muxers put a little of one track behind the next
    // cluster's begin, which the reference's other sentence (no frame before the latest of the fragment before) forbids.
    if latest_ns.is_some_and(|before| cluster_ns <= before) {
        return Err(TIMECODE_WENT_BACK);
    }
    let mut tags = 0;
    for tag in document.tags() {
        tags += 1;
        let value_bytes = match &tag.value {
            kvs_mkv::TagValue::Text(text) => text.len(),
            kvs_mkv::TagValue::Binary(bytes) => bytes.len(),
        };
        if tags > TAGS_MAX || tag.name.len() > TAG_NAME_MAX_BYTES || value_bytes > TAG_VALUE_MAX_BYTES {
            return Err(METADATA_LIMIT);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
