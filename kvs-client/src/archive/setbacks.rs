//! What goes wrong while an archive is read: tried again, told as missing, passed over, or the end.

use kvs_api::Operation;
use kvs_mkv::FragmentNumber;

use super::{ABSENT_TIMES_MAX, ArchivePuller, Archived};
use crate::client::FragmentInfo;
use crate::error::{Error, ErrorClass};
use crate::puller::UNAUTHORIZED_TIMES_MAX;
use crate::puller::unparsable::{PassedOver, Verdict};

impl ArchivePuller {
    /// What was wrong is behind.
    pub(super) fn come_on(&mut self) {
        self.alone = false;
        self.unparsable.reset();
        self.failures.reset();
    }

    /// The fragment whose turn it is cannot be parsed: it is passed over.
    fn pass_over(&mut self, passed_over: PassedOver) -> Archived {
        self.come_on();
        self.last = Some(passed_over.position.fragment_number.clone());
        let passed_over = match self.wanted.pop_front() {
            Some(info) => {
                self.note_time(info.server_timestamp.millis());
                passed_over.with_times(info.server_timestamp, info.producer_timestamp)
            }
            None => passed_over,
        };
        Archived::PassedOver(Box::new(passed_over))
    }

    /// The archive says that it does not have a fragment that it has listed. Said as often as a fragment is asked for,
    /// that is believed, whatever the list says.
    pub(super) fn not_found(&mut self, number: Option<&FragmentNumber>) -> Option<Archived> {
        let front = self.wanted.front().map(|info| info.number.clone())?;
        if number.is_some_and(|number| *number != front) {
            // Those before it have not come yet.
            return None;
        }
        self.absent += 1;
        if self.absent < ABSENT_TIMES_MAX {
            return None;
        }
        self.absent = 0;
        self.come_on();
        self.wanted.pop_front();
        Some(Archived::Missing { numbers: vec![front] })
    }

    /// The fragment whose turn it is did not come: it is asked for again, and in the end looked for in the list.
    pub(super) async fn not_come(&mut self) -> Result<Option<Archived>, Error> {
        self.session = None;
        self.absent += 1;
        self.delay = Some(self.failures.next_delay());
        if self.absent < ABSENT_TIMES_MAX {
            return Ok(None);
        }
        let Some(window) = self.window else { return Ok(None) };
        let listed = match self.client.list_fragments(&self.stream, window.from, window.to).await {
            Ok(listed) => listed,
            Err(error) => return self.fail(error).await.map(Some),
        };
        let is_listed = |info: &FragmentInfo| listed.binary_search_by(|one| one.number.cmp(&info.number)).is_ok();
        self.absent = 0;
        if self.wanted.front().is_some_and(is_listed) {
            return Ok(None);
        }
        let (still, gone): (Vec<_>, Vec<_>) = self.wanted.drain(..).partition(is_listed);
        self.wanted = still.into();
        Ok(Some(Archived::Missing { numbers: gone.into_iter().map(|info| info.number).collect() }))
    }

    pub(super) async fn fail(&mut self, error: Error) -> Result<Archived, Error> {
        let mut class = error.class();
        self.session = None;
        self.client.refresh_after(&self.stream, class).await;
        if let Some(number) = error.missing_fragment()
            && let Some(missing) = self.not_found(number)
        {
            return Ok(missing);
        }
        let expected = self.wanted.front().map(|info| info.number.clone());
        // Of several it is not known which one it is.
        let asked = expected.as_ref().filter(|_| self.alone);
        match self.unparsable.judge(&error, self.last.as_ref(), asked, self.config.pass_over_unparsable) {
            Some(Verdict::PassOver(passed_over))
                if Some(&passed_over.position.fragment_number) == expected.as_ref() =>
            {
                return Ok(self.pass_over(passed_over));
            }
            Some(Verdict::GiveUp(given_up)) => return Err(given_up),
            Some(_) => {
                self.alone = true;
                if self.config.pass_over_unparsable {
                    class = ErrorClass::Retry;
                }
            }
            None => {}
        }
        // The service does not have the fragment: the list says whether it ought to.
        let about_a_fragment = class == ErrorClass::Position
            || (error.is_not_found() && error.operation() == Some(Operation::GetMediaForFragmentList));
        if about_a_fragment && let Some(missing) = Box::pin(self.not_come()).await? {
            return Ok(missing);
        }
        if class == ErrorClass::RefreshCredentials {
            self.unauthorized += 1;
        }
        let delay = self.delay.take().unwrap_or_else(|| self.failures.next_delay());
        if class == ErrorClass::Fatal || self.unauthorized > UNAUTHORIZED_TIMES_MAX || self.failures.exhausted() {
            return Err(error);
        }
        let delay = if class == ErrorClass::RetrySlowly { self.config.slow_retry_delay } else { delay };
        self.delay = Some(delay);
        Ok(Archived::Retrying { error, delay })
    }
}
