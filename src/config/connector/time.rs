//! Settings that are points in time: RFC 3339, seconds since 1970, or milliseconds since 1970.
//!
//! Amazon Connect reports its timestamps in milliseconds. Seconds have ten digits until the year 2286, and milliseconds
//! have had thirteen since 2001, so thirteen digits can only be milliseconds. A note says how the number was read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate, NaiveTime};
use kvs_client::Timestamp;

use crate::config::error::ValueError;
use crate::config::reader::Reader;
use crate::config::table::Optional;

/// How far another machine's clock may be ahead of this machine's.
const CLOCK_SLACK_MS: i64 = 300_000;
/// How far a producer's clock may be ahead: cameras' clocks are often wrong.
const PRODUCER_SLACK_MS: i64 = 86_400_000;
/// The first second with eleven digits, in the year 2286.
const SECONDS_END: i64 = 10_000_000_000;
/// The first millisecond with thirteen digits, in September 2001.
const MILLIS_BEGIN: i64 = 1_000_000_000_000;

/// Which points in time a setting accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Any.
    Any,
    /// One that is past by this machine's clock.
    Past,
    /// One that is past by a producer's clock.
    PastOfProducer,
}

impl Reader<'_> {
    /// Returns a setting's point in time, or notes what is wrong with it.
    pub(super) fn moment(&mut self, key: &Optional<String>, text: &str, which: Moment) -> Option<Timestamp> {
        let (timestamp, is_millis) = self.checked(key, parse(text))?;
        if is_millis {
            self.notes.push(format!("{}: {text} is read as milliseconds: {}", key.name(), shown(timestamp)));
        }
        let slack_ms = match which {
            Moment::Any => return Some(timestamp),
            Moment::Past => CLOCK_SLACK_MS,
            Moment::PastOfProducer => PRODUCER_SLACK_MS,
        };
        let now = Timestamp::from_system_time(SystemTime::now());
        if timestamp.millis() > now.millis().saturating_add(slack_ms) {
            let reason = format!("{text:?} is in the future: it is {}, and now is {}", shown(timestamp), shown(now));
            self.problem(key, reason);
            return None;
        }
        Some(timestamp)
    }
}

/// Parses a point in time, as settings and the command line have it.
///
/// # Errors
/// What was expected.
pub fn parse_moment(text: &str) -> Result<Timestamp, ValueError> {
    parse(text).map(|(timestamp, _)| timestamp)
}

/// Parses a point in time. Also returns whether it was written in milliseconds.
fn parse(text: &str) -> Result<(Timestamp, bool), ValueError> {
    let expected = || ValueError::NotTime { found: text.to_owned(), after_2286: false };
    if let Some(millis) = rfc3339_ms(text) {
        return if millis < 0 { Err(expected()) } else { Ok((Timestamp::from_millis(millis), false)) };
    }
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| is_decimal).ok_or_else(expected)?;
    if seconds < SECONDS_END as f64 {
        return Ok((Timestamp::from_millis((seconds * 1000.0).round() as i64), false));
    }
    match text.parse::<i64>() {
        Ok(millis) if (MILLIS_BEGIN..MILLIS_BEGIN * 10).contains(&millis) => Ok((Timestamp::from_millis(millis), true)),
        _ => Err(ValueError::NotTime { found: text.to_owned(), after_2286: true }),
    }
}

/// Reads RFC 3339, in any zone, in milliseconds since 1970. A date alone, and a time without a zone, are in UTC.
fn rfc3339_ms(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let date: NaiveDate = date.parse().ok().filter(|_| date.len() == "2026-11-28".len())?;
    let time: NaiveTime = time.parse().ok()?;
    Some(date.and_time(time).and_utc().timestamp_millis())
}

/// Formats a point in time for people.
pub(crate) fn shown(timestamp: Timestamp) -> String {
    let since_1970 = Duration::from_millis(u64::try_from(timestamp.millis()).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since_1970.min(Duration::from_secs(253_402_300_799))).to_string()
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
