//! One fragment of the archive, by its number.

use kvs_api::Operation;
use kvs_mkv::{End, Event, FragmentNumber};

use crate::error::{Error, ErrorClass};
use crate::pull::{PulledFragment, StreamSource};
use crate::session::{Step, Wanted};

/// The errors within the media by which the archive reports that it does not have a fragment.
const NOT_FOUND_IDS: [u32; 2] = [3000, 4000];

/// Fetches a fragment. Returns `None` if it did not arrive; a very recent one may arrive later. `is_last_attempt` says whether the
/// fragment is skipped if it is broken as before.
pub(crate) async fn fetch(
    source: &StreamSource,
    number: &FragmentNumber,
    is_last_attempt: bool,
) -> Result<Option<PulledFragment>, Error> {
    let mut readmit_bytes = 0;
    let fetched = loop {
        match read(source, number, readmit_bytes, is_last_attempt).await {
            // The fetch waits for memory and starts over.
            Ok(Read::Evicted { held_bytes }) => readmit_bytes = held_bytes,
            Ok(Read::Fragment(fragment)) => break Ok(Some(*fragment)),
            Ok(Read::Nothing) => break Ok(None),
            Err(error) => break Err(error),
        }
    };
    match fetched {
        Err(error) if is_not_there(&error) => {
            // A stale data endpoint does not know the fragment either.
            source.refresh_after(error.class()).await;
            Ok(None)
        }
        fetched => fetched,
    }
}

/// The result of one session.
enum Read {
    Fragment(Box<PulledFragment>),
    Nothing,
    /// Other streams needed the fragment's memory.
    Evicted {
        held_bytes: usize,
    },
}

async fn read(
    source: &StreamSource,
    number: &FragmentNumber,
    readmit_bytes: usize,
    is_last_attempt: bool,
) -> Result<Read, Error> {
    let wanted = Wanted::Fragments(std::slice::from_ref(number));
    let mut session = source.open(wanted, readmit_bytes, is_last_attempt).await?;
    loop {
        match session.next().await? {
            Step::Event(Event::Fragment(fragment), permit) if fragment.number == *number => {
                return Ok(Read::Fragment(Box::new(PulledFragment::new(fragment, permit, &session))));
            }
            Step::End(End::Event(Event::Fragment(fragment))) if fragment.number == *number => {
                let permit = session.take_permit();
                return Ok(Read::Fragment(Box::new(PulledFragment::new(fragment, permit, &session))));
            }
            Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report))) => {
                return Err(session.in_stream(report));
            }
            Step::Event(..) => {}
            // The body ended, within the fragment or without it.
            Step::End(_) => return Ok(Read::Nothing),
            Step::Evicted { held_bytes, .. } => return Ok(Read::Evicted { held_bytes }),
        }
    }
}

/// Returns whether an error reports that the archive does not have the fragment.
fn is_not_there(error: &Error) -> bool {
    let by_id = match error {
        Error::InStream { report, .. } => report.error_id.is_some_and(|id| NOT_FOUND_IDS.contains(&id)),
        _ => false,
    };
    by_id
        || error.class() == ErrorClass::Position
        || (error.is_not_found() && error.operation() == Some(Operation::GetMediaForFragmentList))
}
