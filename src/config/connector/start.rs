//! Where streams start, and ranges of the archive.

use kvs_client::{ArchiveBounds, FragmentNumber, StartSelector, Timestamp};

use super::time::Moment;
use crate::config::error::ValueError;
use crate::config::reader::Reader;
use crate::config::table::Optional;
use crate::config::table::connector::start::{
    CONTINUATION_TOKEN as TOKEN, FIRST, FRAGMENT_NUMBER as NUMBER, FROM, INCLUSIVE, LAST, START as POSITION,
    StartPosition, TIMESTAMP, TO,
};

/// Where a stream without a position starts.
pub(super) struct Start {
    pub(super) selector: StartSelector,
    /// Whether the first fragment is the one that the selector names, instead of the one after it.
    pub(super) inclusive: bool,
}

impl Reader<'_> {
    /// Reads where streams start. `one`: the connector has exactly one stream.
    pub(super) fn start(&mut self, one: bool) -> Option<Start> {
        let inclusive = self.read(&INCLUSIVE);
        let selector = self.selector(one);
        if inclusive == Some(true) && self.raw(POSITION.name()) != Some("FRAGMENT_NUMBER") {
            let (position, number) = (POSITION.name(), NUMBER.name());
            self.problem(
                &INCLUSIVE,
                format!("requires {position}=FRAGMENT_NUMBER: it decides whether {number} itself is included"),
            );
            return None;
        }
        Some(Start { selector: selector?, inclusive: inclusive? })
    }

    fn selector(&mut self, one: bool) -> Option<StartSelector> {
        let kind = self.read(&POSITION)?;
        let companion = match kind {
            StartPosition::Earliest | StartPosition::Now => None,
            StartPosition::FragmentNumber => Some(NUMBER),
            StartPosition::ProducerTimestamp | StartPosition::ServerTimestamp => Some(TIMESTAMP),
            StartPosition::ContinuationToken => Some(TOKEN),
        };
        for key in [NUMBER, TIMESTAMP, TOKEN] {
            let is_companion = companion.is_some_and(|companion| companion.name() == key.name());
            if !is_companion && self.raw(key.name()).is_some() {
                let position = POSITION.name();
                let given = self.raw(position).unwrap_or("EARLIEST");
                self.problem(&key, format!("is not used with {position}={given}"));
            }
        }
        let value = match companion {
            None => String::new(),
            Some(key) => match self.text(&key) {
                Some(value) => value,
                None => return self.checked(&key, Err(ValueError::Required)),
            },
        };
        match kind {
            StartPosition::Earliest => Some(StartSelector::Earliest),
            StartPosition::Now => Some(StartSelector::Now),
            StartPosition::FragmentNumber => {
                // Several streams may start after one number: a stream that does not have the fragment reports that
                // itself, and connectors of earlier versions are configured this way. Only a fragment that is fetched
                // must be the stream's own.
                let inclusive = self.raw(INCLUSIVE.name()) == Some("true");
                self.fragment_number(&NUMBER, one || !inclusive)?.map(StartSelector::FragmentNumber)
            }
            StartPosition::ProducerTimestamp => {
                self.moment(&TIMESTAMP, &value, Moment::PastOfProducer).map(StartSelector::ProducerTimestamp)
            }
            StartPosition::ServerTimestamp => {
                self.moment(&TIMESTAMP, &value, Moment::Past).map(StartSelector::ServerTimestamp)
            }
            StartPosition::ContinuationToken => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
                if value.len() > 128 || !value.bytes().all(allowed) {
                    self.problem(&TOKEN, "1 to 128 characters of [a-zA-Z0-9_.-] were expected");
                    return None;
                }
                if !one {
                    self.problem(&TOKEN, "a token belongs to one stream: kvs.streams must name only that stream");
                }
                Some(StartSelector::ContinuationToken(value))
            }
        }
    }

    /// Reads a fragment number; `None` inside: it is not set.
    fn fragment_number(&mut self, key: &Optional<String>, one: bool) -> Option<Option<FragmentNumber>> {
        let Some(text) = self.text(key) else { return Some(None) };
        let number = text
            .parse::<FragmentNumber>()
            .map_err(|error| ValueError::NotFragmentNumber { found: text.clone(), reason: error.to_string() });
        if !one {
            self.problem(key, "a fragment number belongs to one stream: kvs.streams must name only that stream");
        }
        self.checked(key, number.map(Some))
    }

    /// Reads a backfill's range; `None` inside: the connector is not a backfill. Reads all bounds before a wrong one
    /// ends the function.
    pub(super) fn backfill(&mut self, one: bool) -> Option<Option<ArchiveBounds>> {
        let given: Vec<&str> =
            [FROM, TO, FIRST, LAST].iter().filter(|key| self.is_given(key)).map(Optional::name).collect();
        let Some(any) = given.first() else { return Some(None) };
        if self.is_given(&POSITION) {
            self.problem(&POSITION, format!("cannot be combined with {any}, which sets where a backfill starts"));
        }
        let first = self.fragment_number(&FIRST, one);
        let last = self.fragment_number(&LAST, one);
        let from = self.optional_moment(&FROM, Moment::Past);
        let to = self.optional_moment(&TO, Moment::Any);
        let mut complete = true;
        for (either, or) in [(FROM, FIRST), (TO, LAST)] {
            if !given.contains(&either.name()) && !given.contains(&or.name()) {
                let or = or.name();
                self.problem(&either, format!("is required, or {or}: a backfill has a beginning and an end"));
                complete = false;
            }
        }
        let bounds = ArchiveBounds { from: from?, to: to?, first: first?, last: last? };
        if let (Some(from), Some(to)) = (bounds.from, bounds.to)
            && from > to
        {
            self.problem(&TO, format!("is before {}", FROM.name()));
            complete = false;
        }
        if let (Some(first), Some(last)) = (&bounds.first, &bounds.last)
            && first > last
        {
            self.problem(&LAST, format!("is before {}", FIRST.name()));
            complete = false;
        }
        complete.then_some(Some(bounds))
    }

    fn optional_moment(&mut self, key: &Optional<String>, which: Moment) -> Option<Option<Timestamp>> {
        match self.text(key) {
            None => Some(None),
            Some(text) => self.moment(key, &text, which).map(Some),
        }
    }
}
