//! A stream's archive, read as far as the records of its topic are.
//!
//! The service lists some 5,000 fragments a second of a stream. Each stream is therefore listed in a task of its own, a window ahead
//! of its records, so that many streams take no longer than one.

use std::collections::VecDeque;
use std::sync::Arc;

use kvs_client::{
    ArchiveLister, ArchivePuller, ArchiveRange, Archived, Client, Error, FragmentInfo, FragmentNumber, MemoryBudget,
    StreamRef, Timestamp,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::audit::{Listed, MediaDigest};
use crate::cli::{output, service};
use crate::config::service_errors::explain;

/// The archive is listed this far beyond a record, in milliseconds: lists and media may round times differently.
const AHEAD_MS: i64 = 2_000;

/// Where the archive's fragments come from.
enum Source {
    /// From the task that lists them, and the time up to which it has.
    List { windows: mpsc::Receiver<Listing>, listed_to_ms: i64 },
    /// With their media.
    Media(Box<ArchivePuller>),
}

/// Reasons why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CursorError {
    /// The service, or the way to it.
    #[error("{}", explain(.0))]
    Service(#[from] Error),
    /// A task has ended without saying why, which is a defect.
    #[error("the task that lists it has ended")]
    Ended,
}

/// The next fragments of a list and the time up to which it is complete then; `None` at its end.
type Listing = Result<Option<(Vec<FragmentInfo>, i64)>, Error>;

/// Lists a range until its end, an error, or until nobody wants to know.
async fn list(mut lister: ArchiveLister, windows: mpsc::Sender<Listing>) {
    loop {
        let next = lister.next().await.map(|listed| listed.map(|listed| (listed, lister.listed_to_ms())));
        let is_over = !matches!(next, Ok(Some(_)));
        if windows.send(next).await.is_err() || is_over {
            return;
        }
    }
}

/// Reads one stream's archive in order.
pub(super) struct Cursor {
    source: Source,
    stream: String,
    /// What has been read and not been passed on.
    ahead: VecDeque<Listed>,
    is_done: bool,
}

impl Cursor {
    /// Begins to read a range; with `media`, all of it is fetched.
    pub(super) fn new(
        client: &Arc<Client>,
        stream: &StreamRef,
        range: ArchiveRange,
        media: Option<&MemoryBudget>,
        runtime: &Handle,
    ) -> Self {
        let (client, name) = (Arc::clone(client), stream.name().to_owned());
        let source = match media {
            None => {
                let (sender, windows) = mpsc::channel(1);
                let lister = ArchiveLister::new(client, stream.clone(), range, service::retry());
                // Whoever reads the channel notices its end.
                runtime.spawn(list(lister, sender));
                Source::List { windows, listed_to_ms: i64::MIN }
            }
            Some(budget) => {
                let mut config = service::puller();
                config.pass_over_unparsable = true;
                let puller = ArchivePuller::new(client, stream.clone(), range, None, config, budget.clone());
                Source::Media(Box::new(puller))
            }
        };
        Self { source, stream: name, ahead: VecDeque::new(), is_done: false }
    }

    /// Passes on what the archive has up to a record's fragment, which the service received at `server_ms`.
    pub(super) async fn pass_to(
        &mut self,
        number: &FragmentNumber,
        server_ms: Option<i64>,
        mut pass: impl FnMut(Listed),
    ) -> Result<(), CursorError> {
        loop {
            while self.ahead.front().is_some_and(|first| first.number <= *number) {
                self.ahead.pop_front().into_iter().for_each(&mut pass);
            }
            if self.is_done || self.is_past(number, server_ms) {
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Passes on all that is left.
    pub(super) async fn pass_all(&mut self, mut pass: impl FnMut(Listed)) -> Result<(), CursorError> {
        loop {
            self.ahead.drain(..).for_each(&mut pass);
            if self.is_done {
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Returns whether nothing that is still to come can have this number or a lower one.
    fn is_past(&self, number: &FragmentNumber, server_ms: Option<i64>) -> bool {
        match (&self.source, server_ms) {
            (Source::List { listed_to_ms, .. }, Some(server_ms)) => *listed_to_ms >= server_ms.saturating_add(AHEAD_MS),
            _ => self.ahead.back().is_some_and(|last| last.number > *number),
        }
    }

    async fn read(&mut self) -> Result<(), CursorError> {
        match &mut self.source {
            Source::List { windows, listed_to_ms } => match service::patiently(&self.stream, windows.recv()).await {
                None => return Err(CursorError::Ended),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(None)) => self.is_done = true,
                Some(Ok(Some((listed, to_ms)))) => {
                    *listed_to_ms = to_ms;
                    let more = listed.into_iter().map(|info| Listed {
                        number: info.number,
                        server_ms: info.server_timestamp.millis(),
                        media: None,
                    });
                    self.ahead.extend(more);
                    self.in_order();
                }
            },
            Source::Media(puller) => match service::patiently(&self.stream, puller.next()).await? {
                Archived::Fragment(pulled) => {
                    let fragment = &pulled.fragment;
                    self.ahead.push_back(Listed {
                        number: fragment.number.clone(),
                        server_ms: fragment.server_timestamp.map_or(0, Timestamp::millis),
                        media: Some(MediaDigest::of(fragment)),
                    });
                }
                Archived::PassedOver(passed) => self.ahead.push_back(Listed {
                    number: passed.position.fragment_number.clone(),
                    server_ms: passed.position.server_timestamp.map_or(0, Timestamp::millis),
                    media: None,
                }),
                Archived::Missing { numbers } => {
                    let more = numbers.into_iter().map(|number| Listed { number, server_ms: 0, media: None });
                    self.ahead.extend(more);
                    self.in_order();
                }
                Archived::Retrying { error, delay } if delay >= service::SAID_FROM => {
                    let seconds = delay.as_secs();
                    output::say(format_args!(
                        "kvs-connect: the archive of stream {}: {error}; again in {seconds} s",
                        self.stream
                    ));
                }
                Archived::Done => self.is_done = true,
                _ => {}
            },
        }
        Ok(())
    }

    /// A fragment's time in a list may be later than that of a higher number.
    fn in_order(&mut self) {
        self.ahead.make_contiguous().sort_by(|one, other| one.number.cmp(&other.number));
    }
}
