//! Where streams start, what becomes of a lost place, and ranges of the archive.

use kvs_client::{ArchiveRange, StartSelector, Timestamp};

use super::reader::Reader;

impl Reader<'_> {
    /// `one`: the connector has exactly one stream.
    pub(super) fn start(&mut self, one: bool) -> Option<StartSelector> {
        const KEY: &str = "kvs.start.position";
        const NUMBER: &str = "kvs.start.fragment.number";
        const TIMESTAMP: &str = "kvs.start.timestamp";
        const TOKEN: &str = "kvs.start.continuation.token";
        let kind = self.get(KEY).unwrap_or("EARLIEST").to_owned();
        let companion = match kind.as_str() {
            "EARLIEST" | "NOW" => None,
            "FRAGMENT_NUMBER" => Some(NUMBER),
            "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" => Some(TIMESTAMP),
            "CONTINUATION_TOKEN" => Some(TOKEN),
            other => {
                self.problem(
                    KEY,
                    format!(
                        "{other:?}: one of EARLIEST, NOW, FRAGMENT_NUMBER, PRODUCER_TIMESTAMP, SERVER_TIMESTAMP, \
                     CONTINUATION_TOKEN was expected"
                    ),
                );
                return None;
            }
        };
        for key in [NUMBER, TIMESTAMP, TOKEN] {
            if Some(key) != companion && self.get(key).is_some() {
                self.problem(key, format!("is not for {KEY}={kind}"));
            }
        }
        let value = match companion {
            None => String::new(),
            Some(key) => self.required(key)?,
        };
        match kind.as_str() {
            "NOW" => Some(StartSelector::Now),
            "FRAGMENT_NUMBER" => match value.parse() {
                Ok(number) => Some(StartSelector::FragmentNumber(number)),
                Err(error) => {
                    self.problem(NUMBER, format!("{value:?}: {error}"));
                    None
                }
            },
            "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" => {
                let Some(timestamp) = parse_timestamp(&value) else {
                    self.problem(TIMESTAMP, format!("{value:?}: RFC 3339 or seconds since 1970 was expected"));
                    return None;
                };
                Some(if kind == "SERVER_TIMESTAMP" {
                    StartSelector::ServerTimestamp(timestamp)
                } else {
                    StartSelector::ProducerTimestamp(timestamp)
                })
            }
            "CONTINUATION_TOKEN" => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
                if value.len() > 128 || !value.bytes().all(allowed) {
                    self.problem(TOKEN, "1 to 128 characters of [a-zA-Z0-9_.-] were expected");
                    return None;
                }
                if !one {
                    self.problem(TOKEN, "a token is of one stream: kvs.streams has to name that one alone");
                }
                Some(StartSelector::ContinuationToken(value))
            }
            _ => Some(StartSelector::Earliest),
        }
    }

    /// `None` inside: the connector is no backfill.
    pub(super) fn backfill(&mut self) -> Option<Option<ArchiveRange>> {
        const FROM: &str = "kvs.backfill.from";
        const TO: &str = "kvs.backfill.to";
        let (from, to) = match (self.text(FROM), self.text(TO)) {
            (None, None) => return Some(None),
            (Some(from), Some(to)) => (from, to),
            (from, _) => {
                let missing = if from.is_none() { FROM } else { TO };
                self.problem(missing, format!("is required: {FROM} and {TO} belong together"));
                return None;
            }
        };
        if self.text("kvs.start.position").is_some() {
            self.problem("kvs.start.position", format!("does not go together with {FROM}: a backfill starts there"));
        }
        let mut read = |key: &str, text: &str| {
            let reason = || format!("{text:?}: RFC 3339 or seconds since 1970 was expected");
            self.checked(key, parse_timestamp(text).ok_or_else(reason))
        };
        let (from, to) = (read(FROM, &from), read(TO, &to));
        let range = ArchiveRange { from: from?, to: to? };
        if range.from > range.to {
            self.problem(TO, format!("lies before {FROM}"));
            return None;
        }
        Some(Some(range))
    }
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        let since_1970 = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        return i64::try_from(since_1970.as_millis()).ok().map(Timestamp::from_millis);
    }
    let seconds: f64 = text.parse().ok()?;
    let millis = seconds * 1000.0;
    (seconds >= 0.0 && millis < 9e15).then(|| Timestamp::from_millis(millis.round() as i64))
}
