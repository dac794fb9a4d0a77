//! Faults, which make calls go wrong on purpose.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A fault that strikes calls of an operation. In JSON it is one flat object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The stream whose calls are struck; calls about any stream if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The operation as the service names it, or `*` for all; default `GetMedia`.
    pub api: String,
    /// The number of calls to strike; default 1, 0 for all.
    pub count: u64,
    /// The probability that a call is struck, 0 to 1; default 1.
    pub probability: f64,
    /// Start of the window in which calls are struck, in milliseconds since the simulator's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// End of that window, in milliseconds since the simulator's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What happens to a struck call.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// Why a fault can never strike.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The operation does not exist.
    #[error("api {api:?} is neither an operation of the service nor *")]
    UnknownApi {
        /// The name given.
        api: String,
    },
    /// The probability is not a number from 0 to 1.
    #[error("probability {probability}: 0 to 1 was expected")]
    Probability {
        /// The number given.
        probability: f64,
    },
}

/// The members of a fault that determine which calls it strikes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strikes {
    stream: Option<String>,
    #[serde(default = "default_api")]
    api: String,
    #[serde(default = "default_count")]
    count: u64,
    #[serde(default = "default_probability")]
    probability: f64,
    from_ms: Option<u64>,
    until_ms: Option<u64>,
}

/// Implemented by hand, because serde cannot refuse unknown members of a flattened struct.
impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const STRIKES: [&str; 6] = ["stream", "api", "count", "probability", "from_ms", "until_ms"];
        let all = Map::<String, Value>::deserialize(deserializer)?;
        let (strikes, kind): (Map<_, _>, Map<_, _>) =
            all.into_iter().partition(|(name, _)| STRIKES.contains(&name.as_str()));
        let Strikes { stream, api, count, probability, from_ms, until_ms } =
            Strikes::deserialize(Value::Object(strikes)).map_err(D::Error::custom)?;
        let kind = FaultKind::deserialize(Value::Object(kind)).map_err(D::Error::custom)?;
        Ok(Self { stream, api, count, probability, from_ms, until_ms, kind })
    }
}

impl Fault {
    /// Creates a fault that strikes the next call of GetMedia.
    pub fn new(kind: FaultKind) -> Self {
        Self { stream: None, api: default_api(), count: 1, probability: 1.0, from_ms: None, until_ms: None, kind }
    }

    /// Checks that the fault can strike at all.
    ///
    /// # Errors
    /// Returns an error if the operation does not exist, or if the probability is not from 0 to 1.
    pub fn check(&self) -> Result<(), FaultError> {
        if self.api != "*" && kvs_api::Operation::of_name(&self.api).is_none() {
            return Err(FaultError::UnknownApi { api: self.api.clone() });
        }
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(FaultError::Probability { probability: self.probability });
        }
        Ok(())
    }

    /// Limits the fault to calls about this stream.
    #[must_use]
    pub fn on(mut self, stream: &str) -> Self {
        self.stream = Some(stream.to_owned());
        self
    }

    /// Makes the fault strike calls of another operation, or of all (`*`).
    #[must_use]
    pub fn api(mut self, api: &str) -> Self {
        api.clone_into(&mut self.api);
        self
    }

    /// Sets the number of calls to strike; 0 for all.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Sets the probability that a call is struck, 0 to 1.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// What happens to a call that a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The call is refused with an error of the service.
    Refuse {
        /// HTTP status.
        status: u16,
        /// `x-amzn-ErrorType`.
        error_type: String,
        /// Error message in the body.
        #[serde(default)]
        message: String,
    },
    /// The call gets an unrelated response.
    Respond {
        /// HTTP status.
        status: u16,
        /// Content type of the response.
        content_type: String,
        /// Body of the response.
        body: String,
    },
    /// The response is delayed.
    Delay {
        /// The delay, in milliseconds.
        duration_ms: u64,
    },
    /// The body ends early.
    Cut {
        /// Number of bytes sent before the end.
        at_byte: u64,
        /// How the body ends.
        how: CutHow,
    },
    /// The body pauses once.
    Stall {
        /// Number of bytes sent before the pause.
        at_byte: u64,
        /// Duration of the pause, in milliseconds.
        duration_ms: u64,
    },
    /// The body slows down to a trickle.
    Drip {
        /// Number of bytes sent at full speed.
        at_byte: u64,
        /// Bytes per second after that.
        bytes_per_second: u64,
    },
    /// The service reports an error about a fragment within the media and ends the session. GetMedia and
    /// GetMediaForFragmentList use different tags.
    ErrorTag {
        /// Number of fragments sent before the error.
        after_fragments: u64,
        /// Value of AWS_KINESISVIDEO_ERROR_ID or _EXCEPTION_ERROR_CODE.
        error_id: u32,
        /// Value of AWS_KINESISVIDEO_ERROR_CODE or _EXCEPTION_MESSAGE.
        error_code: String,
    },
    /// GetMediaForFragmentList reports errors in place of fragments that ListFragments lists; for GetMedia see
    /// [`FaultKind::ErrorTag`].
    FragmentError {
        /// Numbers of the fragments.
        fragments: Vec<String>,
        /// The error's id; FRAGMENT_NOT_FOUND if left out.
        #[serde(default = "default_error_id")]
        error_id: u32,
        /// The error's code.
        #[serde(default = "default_error_code")]
        error_code: String,
        /// Names of the tags that report the error.
        #[serde(default)]
        tag_names: ErrorTagNames,
        /// Whether the fragments requested after such a fragment are still sent; otherwise the response ends with the error.
        #[serde(default)]
        goes_on: bool,
    },
    /// GetMedia and GetMediaForFragmentList send other bytes in place of a fragment's chunk. A number and a token in the
    /// bytes are replaced with the fragment's own if they have the same length.
    Replace {
        /// Number of the fragment to replace.
        fragment: String,
        /// The bytes sent; in JSON as base64.
        #[serde(with = "as_base64")]
        bytes: Vec<u8>,
    },
    /// The session ends cleanly after a time.
    EndSession {
        /// The time, in milliseconds.
        after_ms: u64,
    },
    /// The unterminated chunks of the file are served after its last fragment.
    ServeIncomplete {},
    /// GetMediaForFragmentList leaves out one fragment.
    LeaveOut {
        /// Index of the fragment among those requested, from 0.
        index: usize,
    },
    /// ListFragments does not list the newest fragments yet; GetMediaForFragmentList leaves out the last ones.
    Omit {
        /// Number of fragments to omit.
        fragments: usize,
    },
}

/// How a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutHow {
    /// The body ends as if it were complete.
    Clean,
    /// The connection is reset.
    Reset,
}

/// The tags with which GetMediaForFragmentList reports an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorTagNames {
    /// AWS_KINESISVIDEO_ERROR_ID and _ERROR_CODE, which the service has been observed to send.
    #[default]
    Seen,
    /// AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE and _EXCEPTION_MESSAGE, which the API reference documents.
    Documented,
}

/// Bytes as base64, as the service's own API writes them.
mod as_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Returns the id of FRAGMENT_NOT_FOUND.
fn default_error_id() -> u32 {
    3000
}

fn default_error_code() -> String {
    "FRAGMENT_NOT_FOUND".to_owned()
}

fn default_api() -> String {
    "GetMedia".to_owned()
}

fn default_count() -> u64 {
    1
}

fn default_probability() -> f64 {
    1.0
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
