//! One fragment of the archive, by its number.

use std::sync::Arc;

use kvs_api::Operation;
use kvs_mkv::{End, Event, FragmentNumber};

use crate::budget::{MemoryBudget, MemoryPermit, Waits};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::puller::{PulledFragment, PullerConfig};
use crate::session::{Memory, Session, Step, Wanted};
use crate::stream_ref::StreamRef;

/// In-stream errors by which the archive says that it has not got a fragment.
const NOT_FOUND_IDS: [u32; 2] = [3000, 4000];

/// Fetches a fragment. `None`: it did not come, which for one that is young need not be the last word.
pub(crate) async fn fetch(
    client: &Client,
    stream: &StreamRef,
    number: &FragmentNumber,
    config: &PullerConfig,
    budget: &MemoryBudget,
    waits: &Waits,
) -> Result<Option<PulledFragment>, Error> {
    let mut begins_with = MemoryPermit::default();
    let fetched = loop {
        let memory = Memory { budget, begins_with, waits: Arc::clone(waits) };
        match read(client, stream, number, config, memory).await {
            // It waits behind the others, and begins anew.
            Ok(Read::Evicted { held_bytes }) => begins_with = budget.readmit(held_bytes, waits).await,
            Ok(Read::Fragment(fragment)) => break Ok(Some(*fragment)),
            Ok(Read::Nothing) => break Ok(None),
            Err(error) => break Err(error),
        }
    };
    match fetched {
        Err(error) if is_not_there(&error) => {
            // A data endpoint that has become stale knows no fragment either.
            client.refresh_after(stream, error.class()).await;
            Ok(None)
        }
        fetched => fetched,
    }
}

/// What one session comes to.
enum Read {
    Fragment(Box<PulledFragment>),
    Nothing,
    /// Others needed its memory.
    Evicted {
        held_bytes: usize,
    },
}

async fn read(
    client: &Client,
    stream: &StreamRef,
    number: &FragmentNumber,
    config: &PullerConfig,
    memory: Memory<'_>,
) -> Result<Read, Error> {
    let wanted = Wanted::Fragments(std::slice::from_ref(number));
    let mut session = Session::open(client, stream, wanted, config.limits, config.headroom_bytes, memory).await?;
    let (fragment, permit): (_, MemoryPermit) = loop {
        match session.next().await? {
            Step::Event(Event::Fragment(fragment), permit) if fragment.number == *number => break (fragment, permit),
            Step::End(End::Event(Event::Fragment(fragment))) if fragment.number == *number => {
                let permit = session.take_permit();
                break (fragment, permit);
            }
            Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report))) => {
                return Err(session.in_stream(report));
            }
            Step::Event(..) => {}
            // Cut within the fragment, or over without it.
            Step::End(_) => return Ok(Read::Nothing),
            Step::Evicted { held_bytes, .. } => return Ok(Read::Evicted { held_bytes }),
        }
    };
    let (content_type, request_id) =
        (session.content_type().map(str::to_owned), session.request_id().map(str::to_owned));
    Ok(Read::Fragment(Box::new(PulledFragment { fragment, permit, content_type, request_id })))
}

fn is_not_there(error: &Error) -> bool {
    let by_id = match error {
        Error::InStream { report, .. } => report.error_id.is_some_and(|id| NOT_FOUND_IDS.contains(&id)),
        _ => false,
    };
    by_id
        || error.class() == ErrorClass::Position
        || (error.is_not_found() && error.operation() == Some(Operation::GetMediaForFragmentList))
}
