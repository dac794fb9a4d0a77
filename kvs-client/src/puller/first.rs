//! Fetches the fragment that a stream should start with from the archive, because GetMedia only starts after a
//! fragment.

use kvs_mkv::FragmentNumber;

use super::state::{Request, State};
use super::{Pulled, Puller};
use crate::archive::single;
use crate::error::Error;

/// How many times a fragment is requested before it counts as missing.
const ABSENT_TIMES_MAX: u32 = 3;

impl Puller {
    /// Idle (first fragment) → Idle (session), or Waiting if the fragment did not arrive.
    pub(super) async fn fetch_first(&mut self, number: FragmentNumber) -> Result<Option<Pulled>, Error> {
        match single::fetch(&self.source, &number, self.unparsable.is_last_attempt()).await {
            Ok(Some(mut pulled)) => {
                self.state = State::default();
                self.retries.succeeded();
                self.retries.credentials_accepted();
                self.succession.follow(&mut pulled);
                self.resume.advance(pulled.position());
                Ok(Some(Pulled::Fragment(Box::new(pulled))))
            }
            Ok(None) => {
                if let State::Idle(Request::First { absent_times, .. }) = &mut self.state {
                    *absent_times += 1;
                    if *absent_times >= ABSENT_TIMES_MAX {
                        return Err(Error::StartFragmentMissing { stream: self.source.stream.clone(), number });
                    }
                }
                self.state.wait(self.retries.back_off());
                Ok(None)
            }
            Err(error) => self.fail(error).await.map(Some),
        }
    }
}
