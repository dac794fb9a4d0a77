//! Faults: what goes wrong on purpose.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A fault for calls of an operation. In JSON all of it is one flat object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// Only for this stream; every stream when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Operation, as the service names it, or `*` for all; default `GetMedia`.
    pub api: String,
    /// How many calls it strikes; default 1, 0 is without end.
    pub count: u64,
    /// How likely it strikes a call, 0 to 1; default 1.
    pub probability: f64,
    /// From so many milliseconds after the simulator's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Until so many milliseconds after the simulator's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// Which calls a fault strikes.
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

/// By hand, for serde cannot refuse unknown fields of what is flattened.
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
    /// A fault that strikes the next call of GetMedia.
    pub fn new(kind: FaultKind) -> Self {
        Self { stream: None, api: default_api(), count: 1, probability: 1.0, from_ms: None, until_ms: None, kind }
    }

    /// Whether it can ever strike.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.api != "*" && kvs_api::Operation::of_name(&self.api).is_none() {
            return Err(format!("api {:?} is no operation of the service, nor *", self.api));
        }
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!("probability {}: 0 to 1 was expected", self.probability));
        }
        Ok(())
    }

    /// Only for this stream.
    #[must_use]
    pub fn on(mut self, stream: &str) -> Self {
        self.stream = Some(stream.to_owned());
        self
    }

    /// For another operation.
    #[must_use]
    pub fn api(mut self, api: &str) -> Self {
        api.clone_into(&mut self.api);
        self
    }

    /// For so many calls; 0 is without end.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Strikes a call so likely.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The call is refused.
    Refuse {
        /// HTTP status.
        status: u16,
        /// `x-amzn-ErrorType`.
        error_type: String,
        /// Message in the body.
        #[serde(default)]
        message: String,
    },
    /// The call is answered with something else altogether.
    Respond {
        /// HTTP status.
        status: u16,
        /// Content type.
        content_type: String,
        /// Body.
        body: String,
    },
    /// The answer begins only after a while.
    Delay {
        /// After how long, in milliseconds.
        duration_ms: u64,
    },
    /// The body is ended at a byte.
    Cut {
        /// How many bytes are sent.
        at_byte: u64,
        /// Cleanly, or by a reset of the connection.
        how: CutHow,
    },
    /// The body pauses at a byte.
    Stall {
        /// How many bytes are sent before.
        at_byte: u64,
        /// For how long, in milliseconds.
        duration_ms: u64,
    },
    /// From a byte on the body drips.
    Drip {
        /// How many bytes are sent before.
        at_byte: u64,
        /// How many bytes a second come then.
        bytes_per_second: u64,
    },
    /// After some fragments the service reports an error about the next one and ends; for GetMedia and
    /// GetMediaForFragmentList, each with the tags it has.
    ErrorTag {
        /// How many fragments are sent before.
        after_fragments: u64,
        /// AWS_KINESISVIDEO_ERROR_ID, or _EXCEPTION_ERROR_CODE.
        error_id: u32,
        /// AWS_KINESISVIDEO_ERROR_CODE, or _EXCEPTION_MESSAGE.
        error_code: String,
    },
    /// GetMediaForFragmentList reports an error about some fragments, each in its place, although ListFragments lists
    /// them; for GetMedia see [`FaultKind::ErrorTag`].
    FragmentError {
        /// Numbers of the fragments.
        fragments: Vec<String>,
        /// What is the matter with them; that they are gone when left out.
        #[serde(default = "default_error_id")]
        error_id: u32,
        /// The same in words.
        #[serde(default = "default_error_code")]
        error_code: String,
        /// Which names the tags have.
        #[serde(default)]
        tag_names: ErrorTagNames,
        /// Whether what was asked for behind such a fragment still comes; the response ends with the error when not.
        #[serde(default)]
        goes_on: bool,
    },
    /// Other bytes come instead of a fragment's chunk, for GetMedia and GetMediaForFragmentList. The number and the
    /// token that the bytes hold become the fragment's own where they are as long.
    Replace {
        /// Number of the fragment.
        fragment: String,
        /// What comes; in JSON as base64.
        #[serde(with = "as_base64")]
        bytes: Vec<u8>,
    },
    /// The session ends cleanly after a time.
    EndSession {
        /// After how long, in milliseconds.
        after_ms: u64,
    },
    /// A chunk of the file that is not whole is served at its end.
    ServeIncomplete {},
    /// GetMediaForFragmentList leaves one out.
    LeaveOut {
        /// Which of those asked for, from 0.
        index: usize,
    },
    /// ListFragments does not know the newest fragments yet; GetMediaForFragmentList leaves out the last ones.
    Omit {
        /// How many.
        fragments: usize,
    },
}

/// How a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutHow {
    /// As if it were over.
    Clean,
    /// The connection is reset.
    Reset,
}

/// Names of the tags with which GetMediaForFragmentList reports an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorTagNames {
    /// AWS_KINESISVIDEO_ERROR_ID and _ERROR_CODE, which the service has been seen to send.
    #[default]
    Seen,
    /// AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE and _EXCEPTION_MESSAGE, as the API's reference has them.
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

/// FRAGMENT_NOT_FOUND.
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

/// The faults that are still to strike, in the order they came.
#[derive(Debug)]
pub(crate) struct Faults {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Vec<Fault>,
    random: StdRng,
}

impl Faults {
    /// With one seed, the same calls in the same order are struck.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { faults: Vec::new(), random: StdRng::seed_from_u64(seed) };
        Self { started: Instant::now(), state: Mutex::new(state) }
    }

    pub(crate) fn add(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn pending(&self) -> Vec<Fault> {
        self.lock().faults.clone()
    }

    /// The first fault that strikes this call, which is thereby used up once.
    pub(crate) fn take(&self, api: &str, stream: Option<&str>) -> Option<FaultKind> {
        let now = self.started.elapsed();
        let State { faults, random } = &mut *self.lock();
        let index = faults.iter().position(|fault| {
            (fault.api == api || fault.api == "*")
                && fault.stream.as_deref().is_none_or(|name| Some(name) == stream)
                && fault.from_ms.is_none_or(|from_ms| now >= Duration::from_millis(from_ms))
                && fault.until_ms.is_none_or(|until_ms| now < Duration::from_millis(until_ms))
                && (fault.probability >= 1.0 || random.random::<f64>() < fault.probability)
        })?;
        let fault = &mut faults[index];
        let kind = fault.kind.clone();
        match fault.count {
            0 => {}
            1 => _ = faults.remove(index),
            _ => fault.count -= 1,
        }
        Some(kind)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held, and a list of faults is never half changed.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
