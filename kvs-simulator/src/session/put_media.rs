//! A session of PutMedia: receives a producer's document and sends acknowledgements, one line of JSON each.
//!
//! **Contract.** A fragment is checked as the service checks it (AWS API reference, PutMedia: error ids), stored, saved in
//! the data folder if there is one, and acknowledged: BUFFERING, RECEIVED and, if the stream has a retention period,
//! PERSISTED. Readers get it as soon as its cluster has ended. An error is acknowledged and ends the session.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{Stream as FutureStream, StreamExt, stream};
use kvs_mkv::{ErrorKind, LimitKind, Limits, ProducedFragment, ProducerSplitter};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::lingering::linger;
use crate::model::{Arrival, Stream};
use crate::signature::AwsChunked;
use crate::store::Store;

const FRAGMENT_MAX_BYTES: usize = 50 << 20;
const FRAGMENT_MAX_MILLIS: i64 = 10_000;
const TRACKS_MAX: usize = 3;
const TAGS_MAX: usize = 10;
const TAG_NAME_MAX_BYTES: usize = 128;
const TAG_VALUE_MAX_BYTES: usize = 256;

/// The epoch of a fragment's timecode.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TimecodeType {
    /// 1970.
    Absolute,
    /// The producer's start.
    Relative {
        /// The producer's start, in milliseconds since 1970.
        start_millis: i64,
    },
}

/// An error id with its code (ids from the AWS API reference, PutMedia; codes from AWS's SDK for Java).
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

/// A session of PutMedia.
pub(crate) struct PutMediaSession {
    store: Arc<Store>,
    stream: Arc<Stream>,
    timecodes: TimecodeType,
    chunked: Option<AwsChunked>,
    body: BodyDataStream,
    splitter: ProducerSplitter,
    acks: VecDeque<Bytes>,
    /// When the first byte of the current cluster arrived.
    begun_millis: Option<i64>,
    /// Timecode of the preceding cluster.
    latest_ns: Option<i64>,
    /// Whether no fragment has been received yet.
    first: bool,
    started: Instant,
    last_data: Instant,
    ended: bool,
    /// Whether the session ended because of an error.
    failed: bool,
}

impl PutMediaSession {
    pub(crate) fn new(
        store: Arc<Store>,
        stream: Arc<Stream>,
        timecodes: TimecodeType,
        chunked: Option<AwsChunked>,
        body: Body,
    ) -> Self {
        let limits = Limits::default().with_fragment_size_bytes(FRAGMENT_MAX_BYTES);
        Self {
            store,
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
            ended: false,
            failed: false,
        }
    }

    /// Returns the acknowledgements as a stream.
    pub(crate) fn into_body(self) -> impl FutureStream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut session| async move { session.next().await.map(|ack| (Ok(ack), session)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ack) = self.acks.pop_front() {
                return Some(ack);
            }
            if self.ended {
                if std::mem::take(&mut self.failed) {
                    linger(&mut self.body).await;
                }
                return None;
            }
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let interval = self.store.limits().put_idle_interval;
        let piece = tokio::select! {
            () = self.stream.deleted.cancelled() => return self.fail(DELETED, None),
            piece = tokio::time::timeout(interval, self.body.next()) => piece,
        };
        if self.started.elapsed() > self.store.limits().session_duration {
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
                self.ended = true;
            }
        }
    }

    fn idle(&mut self) {
        if self.last_data.elapsed() + Duration::from_millis(1) >= self.store.limits().put_idle_timeout {
            self.ended = true;
            return;
        }
        self.acks.push_back(ack(&json!({ "EventType": "IDLE" })));
    }

    /// Ingests the fragments that are complete.
    async fn drain(&mut self, at_end: bool) {
        while !self.ended {
            if self.splitter.in_cluster() && self.begun_millis.is_none() {
                self.begun_millis = Some(self.store.clock().now_millis());
            }
            let next = if at_end { self.splitter.finish() } else { self.splitter.next() };
            match next {
                Ok(Some(produced)) => self.ingest(produced).await,
                Ok(None) => return,
                Err(error) => {
                    let error = match error.kind() {
                        ErrorKind::TooLarge { what: LimitKind::FragmentBytes, .. } => TOO_LARGE,
                        _ => INVALID_MKV,
                    };
                    self.fail(error, None);
                }
            }
        }
    }

    async fn ingest(&mut self, produced: ProducedFragment) {
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
        // The service accepts any time that a producer's clock can show, and refuses others.
        let Some(producer_millis) = producer_millis.filter(|millis| (0..=253_402_300_799_999).contains(millis)) else {
            return self.fail(BAD_PRODUCER_TIME, Some(timecode));
        };
        let server_millis = self.begun_millis.take().unwrap_or_else(|| self.store.clock().now_millis());
        let arrival = Arrival { produced, server_millis, producer_millis, first: self.first };
        self.first = false;
        let Some(fragment) = self.stream.ingest(arrival) else { return self.fail(INTERNAL, Some(timecode)) };
        let numbered = |kind: &str| {
            let mut numbered = event(kind);
            numbered["FragmentNumber"] = fragment.number.as_str().into();
            ack(&numbered)
        };
        self.acks.push_back(numbered("RECEIVED"));
        if self.stream.settings().retention_hours > 0 {
            if self.store.save_fragment(&self.stream, &fragment).await.is_err() {
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
        (self.ended, self.failed) = (true, true);
    }
}

fn ack(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

/// Returns whether two frames are further apart than the longest fragment. Their times are arbitrary input.
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
    // Compares the timecodes of the clusters, as the error's text has it. The reference also forbids frames earlier than
    // the latest one of the preceding fragment, but muxers let tracks overlap a little at the border of clusters.
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
#[path = "put_media_tests.rs"]
mod tests;
