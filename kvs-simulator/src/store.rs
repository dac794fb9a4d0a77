//! The streams of the account.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::ServiceError;
use crate::stream::Stream;

/// The account every stream here belongs to.
const ACCOUNT: &str = "123456789012";

#[derive(Debug, Default)]
pub(crate) struct Store(RwLock<BTreeMap<String, Arc<Stream>>>);

impl Store {
    /// Adds a stream; `false`: there is one of that name.
    pub(crate) fn add(&self, stream: Stream) -> bool {
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if streams.contains_key(&stream.name) {
            return false;
        }
        streams.insert(stream.name.clone(), Arc::new(stream));
        true
    }

    pub(crate) fn all(&self) -> Vec<Arc<Stream>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Stream>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The stream a request means by name or by ARN.
    pub(crate) fn find(&self, name: Option<&str>, arn: Option<&str>) -> Result<Arc<Stream>, ServiceError> {
        let found = match (name, arn) {
            (None, None) => {
                return Err(ServiceError::invalid_argument("Either StreamName or StreamARN must be specified."));
            }
            (_, Some(arn)) => self.all().into_iter().find(|stream| stream.arn == arn),
            (Some(name), None) => self.get(name),
        };
        found.ok_or_else(|| ServiceError::not_found(arn.or(name).unwrap_or_default()))
    }
}

pub(crate) fn arn(region: &str, name: &str, created_millis: i64) -> String {
    format!("arn:aws:kinesisvideo:{region}:{ACCOUNT}:stream/{name}/{created_millis}")
}

/// Whether a name is one the service takes: 1 to 256 of `[a-zA-Z0-9_.-]`.
pub(crate) fn valid_name(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
