//! A stream that starts with a fragment itself, where GetMedia only starts after one: the fragment comes from the archive.

use super::{Pulled, Puller};
use crate::archive::one;
use crate::error::Error;
use crate::resume::StreamPosition;

/// A fragment that does not come is asked for so often before it is said to be missing.
const ABSENT_TIMES_MAX: u32 = 3;

impl Puller {
    /// Fetches the fragment that the stream is to start with. `None`: it did not come, and is asked for again.
    ///
    /// Until its offset has been committed a stream has no place, so that one that is begun anew begins with it again.
    pub(super) async fn fetch_first(&mut self) -> Result<Option<Pulled>, Error> {
        let Some(number) = self.first.clone() else { return Ok(None) };
        match one::fetch(&self.client, &self.stream, &number, &self.config, &self.budget).await {
            Ok(Some(pulled)) => {
                self.first = None;
                self.failures.reset();
                self.unauthorized = 0;
                // GetMedia goes on after it.
                self.resume.advance(StreamPosition::after(&pulled.fragment));
                Ok(Some(Pulled::Fragment(Box::new(pulled))))
            }
            Ok(None) => {
                self.first_absent += 1;
                if self.first_absent >= ABSENT_TIMES_MAX {
                    let reason = format!(
                        "stream {}: the archive has not got fragment {number}, with which the stream is to start \
                         (kvs.start.fragment.inclusive): it is older than the stream's retention, or of another stream; \
                         start after it, or elsewhere",
                        self.stream
                    );
                    return Err(Error::Config { reason });
                }
                self.delay = Some(self.failures.next_delay());
                Ok(None)
            }
            Err(error) => self.fail(error).await.map(Some),
        }
    }
}
