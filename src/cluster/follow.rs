//! Following a topic of one partition, on a thread of its own, for as long as a worker runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::model::log::OffsetRecord;
use crate::model::{LogError, LogErrorKind, OffsetReader, ShardId};
use crate::supervision::{Panicked, Part, catch, fault_point};

/// The topics that are followed have one partition.
pub(super) const PARTITION: ShardId = ShardId(0);
/// A reader that fails is made anew after so long.
const READER_PAUSE: Duration = Duration::from_secs(1);

/// A follower that panics this often at one place of its log is given up.
const PANICS_MAX: u32 = 5;

/// Hears that a follower has been given up.
pub type FollowerEnded = Arc<dyn Fn(Panicked) + Send + Sync>;

/// Hears what is read.
pub(super) trait Listener: Send + 'static {
    /// Where to go on: everything before is known.
    fn position(&self) -> i64;
    /// A record, if one came; and the position behind it and any markers behind it. Called again and again.
    fn read(&mut self, record: Option<OffsetRecord>, position: i64);
}

/// A thread that follows.
pub(super) struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Begins.
    pub(super) fn start(
        part: Part,
        open: impl Fn() -> Result<Box<dyn OffsetReader>, LogError> + Send + 'static,
        mut listener: impl Listener,
        ended: &FollowerEnded,
    ) -> Result<Self, LogError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (name, ended) = (part.name(), Arc::clone(ended));
        let run = move || {
            let (mut panics, mut at) = (0, 0);
            while !stopped.load(Ordering::Acquire) {
                match catch(part, || follow(part, &open, &mut listener, &stopped)) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, log = name, "the topic of a log cannot be read; trying again");
                        std::thread::sleep(READER_PAUSE);
                    }
                    Err(panicked) => {
                        // A record is taken in again from the same offset: one that always panics is not got past.
                        panics = if listener.position() > at { 1 } else { panics + 1 };
                        at = listener.position();
                        if panics >= PANICS_MAX {
                            return ended(panicked);
                        }
                        tracing::error!(%panicked, log = name, "the thread that follows a log panicked; it reads on");
                        std::thread::sleep(READER_PAUSE);
                    }
                }
            }
        };
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let failed = |error: std::io::Error| LogError {
            kind: LogErrorKind::Other,
            doing: "starting a thread",
            text: error.to_string(),
        };
        Ok(Self { stop, thread: Some(started.map_err(failed)?) })
    }

    /// Ends. Blocks for as long as a reader takes to be closed.
    pub(super) fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread that follows a topic panicked");
        }
    }
}

/// A log that ends before what has been read of it is another one.
pub(super) fn check_end(end: i64, position: i64) -> Result<(), LogError> {
    if end >= position {
        return Ok(());
    }
    let text = format!("it ends at {end} and was read up to {position}: it was truncated, or deleted and made anew");
    Err(LogError { kind: LogErrorKind::Other, doing: "looking for the end of a log", text })
}

fn follow(
    part: Part,
    open: &dyn Fn() -> Result<Box<dyn OffsetReader>, LogError>,
    listener: &mut impl Listener,
    stopped: &AtomicBool,
) -> Result<(), LogError> {
    let mut reader = open()?;
    let bounds = reader.bounds(PARTITION)?;
    let position = listener.position();
    check_end(bounds.end, position)?;
    reader.seek(PARTITION, position.max(bounds.start))?;
    while !stopped.load(Ordering::Acquire) {
        fault_point(part);
        let record = reader.poll()?;
        let position = reader.position()?;
        listener.read(record, position);
    }
    Ok(())
}
