//! Where streams start, and ranges of the archive.

use kvs_client::{ArchiveBounds, FragmentNumber, StartSelector, Timestamp};

use super::reader::Reader;
use super::time::Moment;

const POSITION: &str = "kvs.start.position";
const NUMBER: &str = "kvs.start.fragment.number";
const INCLUSIVE: &str = "kvs.start.fragment.inclusive";
const TIMESTAMP: &str = "kvs.start.timestamp";
const TOKEN: &str = "kvs.start.continuation.token";
const FROM: &str = "kvs.backfill.from";
const TO: &str = "kvs.backfill.to";
const FIRST: &str = "kvs.backfill.start.fragment.number";
const LAST: &str = "kvs.backfill.stop.fragment.number";

/// Where a stream starts that has no place yet.
pub(super) struct Start {
    pub(super) selector: StartSelector,
    /// Whether the fragment that the selector names comes first, not the one after it.
    pub(super) inclusive: bool,
}

impl Reader<'_> {
    /// `one`: the connector has exactly one stream.
    pub(super) fn start(&mut self, one: bool) -> Option<Start> {
        let inclusive = self.flag_or(INCLUSIVE, false);
        let selector = self.selector(one);
        if inclusive == Some(true) && self.get(POSITION) != Some("FRAGMENT_NUMBER") {
            self.problem(INCLUSIVE, format!("is for {POSITION}=FRAGMENT_NUMBER: it says how {NUMBER} is meant"));
            return None;
        }
        Some(Start { selector: selector?, inclusive: inclusive? })
    }

    fn selector(&mut self, one: bool) -> Option<StartSelector> {
        let kind = self.get(POSITION).unwrap_or("EARLIEST").to_owned();
        let companion = match kind.as_str() {
            "EARLIEST" | "NOW" => None,
            "FRAGMENT_NUMBER" => Some(NUMBER),
            "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" => Some(TIMESTAMP),
            "CONTINUATION_TOKEN" => Some(TOKEN),
            other => {
                self.problem(
                    POSITION,
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
                self.problem(key, format!("is not for {POSITION}={kind}"));
            }
        }
        let value = match companion {
            None => String::new(),
            Some(key) => self.required(key)?,
        };
        match kind.as_str() {
            "NOW" => Some(StartSelector::Now),
            "FRAGMENT_NUMBER" => {
                // Several streams may start after a number: one that knows it not says so itself, and connectors of earlier
                // versions do. Only what is fetched by it has to be the stream's own.
                let inclusive = self.text(INCLUSIVE).is_some_and(|text| text.trim() == "true");
                self.fragment_number(NUMBER, one || !inclusive)?.map(StartSelector::FragmentNumber)
            }
            "PRODUCER_TIMESTAMP" => {
                self.moment(TIMESTAMP, &value, Moment::PastOfProducer).map(StartSelector::ProducerTimestamp)
            }
            "SERVER_TIMESTAMP" => self.moment(TIMESTAMP, &value, Moment::Past).map(StartSelector::ServerTimestamp),
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

    /// A fragment's number; `None` inside: it is not given.
    fn fragment_number(&mut self, key: &str, one: bool) -> Option<Option<FragmentNumber>> {
        let Some(text) = self.text(key) else { return Some(None) };
        let number = text.parse().map_err(|error| format!("{text:?}: {error}"));
        if !one {
            self.problem(key, "a fragment's number is of one stream: kvs.streams has to name that one alone");
        }
        self.checked(key, number.map(Some))
    }

    /// `None` inside: the connector is no backfill. Every bound is read before one that is wrong ends it.
    pub(super) fn backfill(&mut self, one: bool) -> Option<Option<ArchiveBounds>> {
        let given: Vec<&str> = [FROM, TO, FIRST, LAST].into_iter().filter(|key| self.text(key).is_some()).collect();
        let Some(any) = given.first() else { return Some(None) };
        if self.text(POSITION).is_some() {
            self.problem(POSITION, format!("does not go together with {any}: a backfill starts there"));
        }
        let first = self.fragment_number(FIRST, one);
        let last = self.fragment_number(LAST, one);
        let from = self.optional_moment(FROM, Moment::Past);
        let to = self.optional_moment(TO, Moment::Any);
        let mut complete = true;
        for (either, or) in [(FROM, FIRST), (TO, LAST)] {
            if !given.contains(&either) && !given.contains(&or) {
                self.problem(either, format!("is required, or {or}: a backfill has a begin and an end"));
                complete = false;
            }
        }
        let bounds = ArchiveBounds { from: from?, to: to?, first: first?, last: last? };
        if let (Some(from), Some(to)) = (bounds.from, bounds.to)
            && from > to
        {
            self.problem(TO, format!("lies before {FROM}"));
            complete = false;
        }
        if let (Some(first), Some(last)) = (&bounds.first, &bounds.last)
            && first > last
        {
            self.problem(LAST, format!("lies before {FIRST}"));
            complete = false;
        }
        complete.then_some(Some(bounds))
    }

    fn optional_moment(&mut self, key: &str, which: Moment) -> Option<Option<Timestamp>> {
        match self.text(key) {
            None => Some(None),
            Some(text) => self.moment(key, &text, which).map(Some),
        }
    }
}
