//! Handles failures: retries, reports fragments as missing, skips them, or returns the error.

use kvs_api::Operation;
use kvs_mkv::FragmentNumber;

use super::{ABSENT_TIMES_MAX, ArchivePuller, Archived};
use crate::client::FragmentInfo;
use crate::error::{Error, ErrorClass, Subject};
use crate::pull::{PassedOver, Verdict};

impl ArchivePuller {
    /// Notes that the problem with a fragment has been resolved.
    pub(super) fn recover(&mut self) {
        self.alone = false;
        self.unparsable.reset();
        self.retries.succeeded();
    }

    /// Returns fragments that cannot be fetched as an event.
    pub(super) fn lacks(&mut self, numbers: Vec<FragmentNumber>) -> Archived {
        self.succession.miss(&numbers);
        Archived::Missing { numbers }
    }

    /// Skips the next fragment, which cannot be parsed.
    fn pass_over(&mut self, passed_over: PassedOver) -> Archived {
        self.recover();
        self.last = Some(passed_over.position.fragment_number.clone());
        let passed_over = match self.wanted.pop_front() {
            Some(info) => {
                self.note_time(info.server_timestamp.millis());
                passed_over.with_times(info.server_timestamp, info.producer_timestamp)
            }
            None => passed_over,
        };
        self.succession.pass_over(&passed_over.position);
        Archived::PassedOver(Box::new(passed_over))
    }

    /// Notes that the archive reported a fragment that it has listed as not found. Returns the fragment as missing once
    /// the archive has reported this for all attempts, whatever the list says.
    pub(super) fn not_found(&mut self, number: Option<&FragmentNumber>) -> Option<Archived> {
        let front = self.wanted.front().map(|info| info.number.clone())?;
        if number.is_some_and(|number| *number != front) {
            // Fragments before it have not arrived yet.
            return None;
        }
        self.absent_times += 1;
        if self.absent_times < ABSENT_TIMES_MAX {
            return None;
        }
        self.absent_times = 0;
        self.recover();
        self.wanted.pop_front();
        Some(self.lacks(vec![front]))
    }

    /// Requests the next fragment again, which did not arrive. After several attempts the list is read again: fragments that it
    /// no longer has are returned as missing, and one that it still has is reported as an attempt that failed, for
    /// otherwise the puller would stand still without a word.
    pub(super) async fn not_come(&mut self) -> Result<Option<Archived>, Error> {
        self.session = None;
        self.absent_times += 1;
        self.delay = Some(self.retries.back_off());
        if self.absent_times < ABSENT_TIMES_MAX {
            return Ok(None);
        }
        let Some(window) = self.window else { return Ok(None) };
        let listed = match self.source.client.list_fragments(&self.source.stream, window.from, window.to).await {
            Ok(listed) => listed,
            Err(error) => return self.fail(error).await.map(Some),
        };
        let is_listed = |info: &FragmentInfo| listed.binary_search_by(|one| one.number.cmp(&info.number)).is_ok();
        self.absent_times = 0;
        if let Some(front) = self.wanted.front().filter(|info| is_listed(info)) {
            let subject = Subject::new(Operation::GetMediaForFragmentList, Some(&self.source.stream));
            let error = Error::NotSent { subject, number: front.number.clone() };
            let delay = self.delay.take().unwrap_or_default();
            let Some(delay) = self.retries.judge(ErrorClass::Retry, delay) else { return Err(error) };
            self.delay = Some(delay);
            return Ok(Some(Archived::Retrying { error, delay }));
        }
        let (still, gone): (Vec<_>, Vec<_>) = self.wanted.drain(..).partition(is_listed);
        self.wanted = still.into();
        Ok(Some(self.lacks(gone.into_iter().map(|info| info.number).collect())))
    }

    /// Handles an error by its class.
    pub(super) async fn fail(&mut self, mut error: Error) -> Result<Archived, Error> {
        let mut class = error.class();
        self.session = None;
        self.source.refresh_after(class).await;
        if let Some(number) = error.missing_fragment()
            && let Some(missing) = self.not_found(number)
        {
            return Ok(missing);
        }
        let expected = self.wanted.front().map(|info| info.number.clone());
        // Of several fragments it is not known which one is broken.
        let asked = expected.as_ref().filter(|_| self.alone);
        let pass_over = self.source.config.pass_over_unparsable;
        match self.unparsable.judge(&mut error, self.last.as_ref(), asked, pass_over) {
            Some(Verdict::PassOver(passed_over))
                if Some(&passed_over.position.fragment_number) == expected.as_ref() =>
            {
                return Ok(self.pass_over(passed_over));
            }
            Some(Verdict::GiveUp(given_up)) => return Err(given_up),
            Some(_) => {
                self.alone = true;
                if pass_over {
                    class = ErrorClass::Retry;
                }
            }
            None => {}
        }
        // The service says that it does not have the fragment: the list shows whether it should.
        let about_a_fragment = class == ErrorClass::Position
            || (error.is_not_found() && error.operation() == Some(Operation::GetMediaForFragmentList));
        if about_a_fragment && let Some(missing) = Box::pin(self.not_come()).await? {
            return Ok(missing);
        }
        // `not_come` may have counted the attempt.
        let delay = self.delay.take().unwrap_or_else(|| self.retries.back_off());
        let Some(delay) = self.retries.judge(class, delay) else { return Err(error) };
        self.delay = Some(delay);
        Ok(Archived::Retrying { error, delay })
    }
}
