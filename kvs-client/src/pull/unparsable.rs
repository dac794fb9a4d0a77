//! Detects fragments whose media is broken in the same way each time they are pulled, or that exceed a limit.

use kvs_mkv::{Continuity, ErrorKind, FragmentNumber, LimitKind};

use crate::error::{Error, describe_media_error};
use crate::raw::RawChunk;
use crate::resume::StreamPosition;

/// A fragment that arrives broken in the same way this many consecutive times was not broken in transit.
const TIMES_MAX: u32 = 3;

/// A fragment that was skipped because it cannot be parsed, or exceeds a limit.
#[derive(Debug)]
pub struct PassedOver {
    /// The position after the fragment.
    pub position: StreamPosition,
    /// What is wrong with the fragment, and at which byte of it. If it is too large, how many bytes it has at least, and how
    /// many are allowed.
    pub reason: String,
    /// The id of the last request that returned it.
    pub request_id: Option<String>,
    /// The fragment's bytes, as many as [`PullerConfig::raw_max_bytes`](super::PullerConfig::raw_max_bytes) asks for.
    pub raw: RawChunk,
    /// Which limit the fragment exceeds, if that is the reason.
    pub exceeds: Option<LimitKind>,
}

/// The identity of a fault: equal values are the same fault.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// The last complete fragment before it.
    after: Option<FragmentNumber>,
    number: Option<FragmentNumber>,
    kind: ErrorKind,
    element_id: u32,
    /// Where in the fragment.
    byte: u64,
}

/// Counts how many consecutive times the media was broken in the same way.
#[derive(Debug, Default)]
pub(crate) struct Unparsable {
    fault: Option<(Fault, u32)>,
}

/// What to do about media that cannot be parsed.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Pull the fragment again: it may have been broken in transit.
    Again,
    /// Skip the fragment.
    PassOver(PassedOver),
    /// Fail: the fragment cannot be skipped, or must not be.
    GiveUp(Error),
}

impl Unparsable {
    /// Returns whether a fragment is skipped if it is broken like the last one.
    pub(crate) fn is_last_attempt(&self) -> bool {
        self.fault.as_ref().is_some_and(|(_, times)| times + 1 >= TIMES_MAX)
    }

    /// Judges an error of the media after the fragment `after`; returns `None` for an error of another kind. `expected`
    /// is the requested fragment, if there is one. Takes the fragment's bytes out of the error.
    pub(crate) fn judge(
        &mut self,
        error: &mut Error,
        after: Option<&FragmentNumber>,
        expected: Option<&FragmentNumber>,
        pass_over: bool,
    ) -> Option<Verdict> {
        let Error::Media { subject, error, broken, raw, request_id } = error else { return None };
        let raw = std::mem::take(&mut **raw);
        let byte = error.offset().saturating_sub(broken.offset);
        let number = broken.number.as_ref().or(expected);
        let (kind, element_id) = (error.kind().clone(), error.element_id());
        let exceeds = match kind {
            ErrorKind::TooLarge { what, .. } => Some(what),
            _ => None,
        };
        // A stream's fragment numbers rise: one that is not above the last cannot be the next.
        let next = number.filter(|number| pass_over && after.is_none_or(|after| *number > after)).cloned();
        let fault = Fault { after: after.cloned(), number: number.cloned(), kind, element_id, byte };
        let times = match self.fault.take() {
            Some((before, times)) if before == fault => times + 1,
            _ => 1,
        };
        // What exceeds a limit does so each time, if it is the fragment: without its number, it may be anything.
        let is_certain = exceeds.is_some() && next.is_some() && broken.number.is_some();
        if times < TIMES_MAX && !is_certain {
            self.fault = Some((fault, times));
            return Some(Verdict::Again);
        }
        let request_id = request_id.clone();
        let Some(next) = next else {
            return Some(Verdict::GiveUp(Error::Unparsable {
                subject: Box::new(subject.clone()),
                number: number.cloned(),
                after: after.cloned(),
                error: error.clone(),
                byte,
                times,
                request_id,
            }));
        };
        let position = StreamPosition {
            fragment_number: next,
            // GetMedia continues after the number.
            continuation_token: None,
            server_timestamp: broken.server_timestamp,
            producer_timestamp: broken.producer_timestamp,
            continuity: Continuity { interrupted: true, ..Continuity::default() },
        };
        let again = if is_certain { String::new() } else { format!("; it arrived like that {times} times in a row") };
        let reason = format!("{}{again}", describe_media_error(error, byte));
        Some(Verdict::PassOver(PassedOver { position, reason, request_id, raw, exceeds }))
    }

    /// Notes that a complete fragment arrived.
    pub(crate) fn reset(&mut self) {
        self.fault = None;
    }
}

#[cfg(feature = "archive")]
impl PassedOver {
    /// Adds the times from the archive's list if the fragment itself could not be read.
    pub(crate) fn with_times(mut self, server: kvs_mkv::Timestamp, producer: kvs_mkv::Timestamp) -> Self {
        self.position.server_timestamp.get_or_insert(server);
        self.position.producer_timestamp.get_or_insert(producer);
        self
    }
}
