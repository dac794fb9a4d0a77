//! A fragment whose media is not valid, however often it is pulled.

use kvs_mkv::{ErrorKind, FragmentNumber, Timestamp};

use crate::error::{Error, Subject};
use crate::resume::StreamPosition;

/// What comes like this so often running is not broken on its way.
const TIMES_MAX: u32 = 3;

/// A fragment that was passed over.
#[derive(Debug)]
pub struct PassedOver {
    /// The position behind it.
    pub position: StreamPosition,
    /// What is wrong with it, and at which of its bytes.
    pub reason: String,
    /// Id of the request it came with.
    pub request_id: Option<String>,
}

/// What is the same each time.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// The last whole fragment before.
    after: Option<FragmentNumber>,
    number: Option<FragmentNumber>,
    kind: ErrorKind,
    element_id: u32,
    byte: u64,
}

/// Counts how often running the media was not valid in the same way.
#[derive(Debug, Default)]
pub(crate) struct Unparsable {
    fault: Option<(Fault, u32)>,
}

/// What is to be done about media that is not valid.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may have been broken on its way.
    Again,
    /// The fragment is to be passed over.
    PassOver(PassedOver),
    /// It cannot be passed over, or is not to be.
    GiveUp(Error),
}

impl Unparsable {
    /// Judges an error of the media behind fragment `after`. `expected`: the fragment that was asked for, when it is one.
    pub(crate) fn judge(
        &mut self,
        error: &Error,
        after: Option<&FragmentNumber>,
        expected: Option<&FragmentNumber>,
        pass_over: bool,
    ) -> Option<Verdict> {
        let Error::Media { subject, error, broken, request_id } = error else { return None };
        let byte = error.offset().saturating_sub(broken.offset);
        let number = broken.number.as_ref().or(expected);
        let (kind, element_id) = (error.kind().clone(), error.element_id());
        let fault = Fault { after: after.cloned(), number: number.cloned(), kind, element_id, byte };
        let times = match self.fault.take() {
            Some((before, times)) if before == fault => times + 1,
            _ => 1,
        };
        if times < TIMES_MAX {
            self.fault = Some((fault, times));
            return Some(Verdict::Again);
        }
        let reason = format!("{} (id 0x{:X}) at byte {byte}: {}", error.element(), error.element_id(), error.kind());
        let request_id = request_id.clone();
        // The service counts a stream's fragments upwards: one that is not above the last cannot be the next one.
        let next = number.filter(|number| after.is_none_or(|after| *number > after));
        let Some(next) = next.filter(|_| pass_over) else {
            let fragment = fragment(number, after);
            let subject: Subject = subject.clone();
            return Some(Verdict::GiveUp(Error::Unparsable { subject, fragment, reason, times, request_id }));
        };
        let position = StreamPosition {
            fragment_number: next.clone(),
            // GetMedia goes on behind the number.
            continuation_token: None,
            server_timestamp: broken.server_timestamp,
            producer_timestamp: broken.producer_timestamp,
        };
        Some(Verdict::PassOver(PassedOver { position, reason, request_id }))
    }

    /// A fragment came whole.
    pub(crate) fn reset(&mut self) {
        self.fault = None;
    }
}

impl PassedOver {
    /// Fills in what the list of the archive says.
    pub(crate) fn with_times(mut self, server: Timestamp, producer: Timestamp) -> Self {
        self.position.server_timestamp.get_or_insert(server);
        self.position.producer_timestamp.get_or_insert(producer);
        self
    }
}

fn fragment(number: Option<&FragmentNumber>, after: Option<&FragmentNumber>) -> String {
    match (number, after) {
        (Some(number), _) => format!("fragment {number}"),
        (None, Some(after)) => format!("the fragment after {after}, whose number cannot be read,"),
        (None, None) => "the first fragment, whose number cannot be read,".to_owned(),
    }
}
