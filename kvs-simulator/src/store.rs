//! The streams of all accounts.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::ServiceError;
use crate::stream::Stream;

/// By account and name.
#[derive(Debug, Default)]
pub(crate) struct Store(RwLock<BTreeMap<(String, String), Arc<Stream>>>);

impl Store {
    /// Adds a stream; `None`: the account has one of that name.
    pub(crate) fn add(&self, stream: Stream) -> Option<Arc<Stream>> {
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (stream.identity.account.clone(), stream.identity.name.clone());
        if streams.contains_key(&key) {
            return None;
        }
        let stream = Arc::new(stream);
        streams.insert(key, Arc::clone(&stream));
        Some(stream)
    }

    pub(crate) fn remove(&self, stream: &Stream) {
        let key = (stream.identity.account.clone(), stream.identity.name.clone());
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        stream.deleted.cancel();
    }

    /// The streams of an account, by name.
    pub(crate) fn of_account(&self, account: &str) -> Vec<Arc<Stream>> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let from = (account.to_owned(), String::new());
        streams.range(from..).take_while(|((of, _), _)| of == account).map(|(_, stream)| Arc::clone(stream)).collect()
    }

    pub(crate) fn get(&self, account: &str, name: &str) -> Option<Arc<Stream>> {
        let key = (account.to_owned(), name.to_owned());
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// The stream a request of an account means by name or by ARN.
    pub(crate) fn find(
        &self,
        account: &str,
        name: Option<&str>,
        arn: Option<&str>,
    ) -> Result<Arc<Stream>, ServiceError> {
        let found = match (name, arn) {
            (None, None) => {
                return Err(ServiceError::invalid_argument("Either StreamName or StreamARN must be specified."));
            }
            (_, Some(arn)) => {
                if account_of(arn).is_some_and(|other| other != account) {
                    return Err(ServiceError::not_authorized(arn));
                }
                let named = name_of(arn).and_then(|name| self.get(account, name));
                named.filter(|stream| stream.identity.arn == arn && name.is_none_or(|name| name == stream.name()))
            }
            (Some(name), None) => self.get(account, name),
        };
        found.ok_or_else(|| ServiceError::not_found(arn.or(name).unwrap_or_default()))
    }
}

/// `arn:aws:kinesisvideo:REGION:ACCOUNT:stream/NAME/CREATED`.
fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// The name in an ARN; also what a fault goes by.
pub(crate) fn name_of(arn: &str) -> Option<&str> {
    arn.split('/').nth(1)
}

/// The partition of a region, as in ARNs.
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

pub(crate) fn arn(region: &str, account: &str, name: &str, created_millis: i64) -> String {
    format!("arn:{}:kinesisvideo:{region}:{account}:stream/{name}/{created_millis}", partition(region))
}
