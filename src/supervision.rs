//! Panics: caught by whoever started the part that panics, counted, and logged with their place.
//!
//! **Contract.** Every thread and every task has somebody who notices its end. It runs inside [`catch`] or [`catch_async`],
//! and whoever started it decides what a panic means: the part is started again by the one way to recover, or the worker
//! ends with exit code 70, so that whoever supervises the process starts it again. Work on a thread where waiting is allowed
//! is given to [`catch_blocking`] or [`blocking`], and to nothing else. [`install`] has each panic logged where it happens.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use futures::FutureExt;

use crate::telemetry;

pub use part::Part;

#[cfg(debug_assertions)]
mod fault;
mod part;

/// A part has panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} panicked at {place}: {message}; this is a defect of kvs-connect, please report it", part.name())]
pub struct Panicked {
    /// Which part.
    pub part: Part,
    /// File and line.
    pub place: String,
    /// What the panic says.
    pub message: String,
}

impl Panicked {
    /// Lets the panic go on where the part is waited for, to whoever has started all of it.
    pub fn go_on(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }
}

thread_local! {
    /// Where this thread has last panicked: the payload that is caught does not say it.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics logged, with their place, instead of printed. Once, when the program starts.
pub fn install() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name(), message = message(info.payload()), "a panic");
        PLACE.with(|last| *last.borrow_mut() = Some(place));
    }));
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Runs a part; `Err`: it has panicked. What it shares with others must be in order whenever it may panic.
///
/// # Errors
/// When it panics.
pub fn catch<T>(part: Part, run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| caught(part, &*payload))
}

/// The same of a future.
///
/// # Errors
/// When it panics.
pub async fn catch_async<T>(part: Part, run: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(run).catch_unwind().await.map_err(|payload| caught(part, &*payload))
}

/// The same of work on a thread where waiting is allowed.
///
/// # Errors
/// When it panics.
pub async fn catch_blocking<T: Send + 'static>(
    part: Part,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    #[expect(clippy::disallowed_methods, reason = "a panic is caught inside of it")]
    match tokio::task::spawn_blocking(move || catch(part, run)).await {
        Ok(done) => done,
        // The runtime ends, and whoever waits here with it.
        Err(_) => std::future::pending().await,
    }
}

/// Runs work on a thread where waiting is allowed, for whoever waits for what it returns. A panic is counted there for the
/// part, and goes on where it is waited for: it never becomes an answer. It is counted also when nobody waits any more.
pub async fn blocking<T: Send + 'static>(part: Part, run: impl FnOnce() -> T + Send + 'static) -> T {
    catch_blocking(part, run).await.unwrap_or_else(|panicked| panicked.go_on())
}

/// Runs what Kafka's client calls: a panic must not go through C, where it would end the process. It is counted, and
/// `None`.
pub(crate) fn catch_callback<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch(Part::Callback, run).ok()
}

/// Counts a panic that somebody else has caught, and returns what is known of it. On the thread that panicked. One that was
/// caught before and goes on ([`Panicked::go_on`]) is not counted again.
pub(crate) fn caught(part: Part, payload: &(dyn Any + Send)) -> Panicked {
    if let Some(panicked) = payload.downcast_ref::<Panicked>() {
        return panicked.clone();
    }
    let place = PLACE.with(|last| last.borrow_mut().take());
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    telemetry::panicked(part.name());
    Panicked { part, place, message: message(payload).to_owned() }
}

/// Panics here when a test wants it ([`fault`]); nothing in a release.
#[inline]
pub(crate) fn fault_point(part: Part) {
    fault_point_in(part.name());
}

/// The same at a place within a part that has a name of its own there.
#[inline]
pub(crate) fn fault_point_in(place: &'static str) {
    #[cfg(debug_assertions)]
    fault::point(place);
    #[cfg(not(debug_assertions))]
    let _ = place;
}

#[cfg(test)]
#[path = "supervision_tests.rs"]
mod tests;
