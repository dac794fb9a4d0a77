//! Catches panics of a worker's parts, counts them, and logs them with their source location.
//!
//! **Contract.** The end of every thread and every task is noticed. Each runs inside [`catch`] or [`catch_async`], and
//! the code that started it decides what a panic means: the part is restarted in the one way there is to recover, or
//! the worker exits with code 70, so that the process's supervisor restarts it. Blocking work runs only through
//! [`catch_blocking`] or [`blocking`]. [`install`] makes every panic be logged where it happens.

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

/// The panic of a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} panicked at {location}: {message}; this is a defect of kvs-connect, please report it", part.name())]
pub struct Panicked {
    /// The part that panicked.
    pub part: Part,
    /// The source location: file, line and column.
    pub location: String,
    /// The panic's message.
    pub message: String,
}

impl Panicked {
    /// Resumes the panic in the code that waits for the part.
    pub fn go_on(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }
}

thread_local! {
    /// The source location of this thread's last panic, which a caught payload does not contain.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that logs panics, with their source location, instead of printing them. Called once, at
/// startup.
pub fn install() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let location = info.location().map_or_else(|| "an unknown location".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(place = location, thread = thread.name(), message = message(info.payload()), "a panic");
        LOCATION.with(|last| *last.borrow_mut() = Some(location));
    }));
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Runs a part. State that it shares with others must be consistent whenever it may panic.
///
/// # Errors
/// When it panics.
pub fn catch<T>(part: Part, run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| caught(part, &*payload))
}

/// Runs a part that is a future, like [`catch`].
///
/// # Errors
/// When it panics.
pub async fn catch_async<T>(part: Part, run: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(run).catch_unwind().await.map_err(|payload| caught(part, &*payload))
}

/// Runs a part that blocks, on a thread where that is allowed, like [`catch`].
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
        // The runtime is shutting down, and the waiting task with it.
        Err(_) => std::future::pending().await,
    }
}

/// Runs blocking work on a thread where that is allowed, and returns its result. A panic is counted for the part and
/// resumed in the caller, so it never becomes a result. It is counted even if the caller is gone.
pub async fn blocking<T: Send + 'static>(part: Part, run: impl FnOnce() -> T + Send + 'static) -> T {
    catch_blocking(part, run).await.unwrap_or_else(|panicked| panicked.go_on())
}

/// Runs a callback of Kafka's client. A panic must not unwind through C, where it would abort the process: it is
/// counted, and `None` is returned.
pub(crate) fn catch_callback<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch(Part::Callback, run).ok()
}

/// Counts a panic that was caught elsewhere, and returns it. Must be called on the thread that panicked. A panic that
/// was caught before and resumed ([`Panicked::go_on`]) is not counted again.
pub(crate) fn caught(part: Part, payload: &(dyn Any + Send)) -> Panicked {
    if let Some(panicked) = payload.downcast_ref::<Panicked>() {
        return panicked.clone();
    }
    let location = LOCATION.with(|last| last.borrow_mut().take());
    let location = location.unwrap_or_else(|| "an unknown location".to_owned());
    telemetry::panicked(part.name());
    Panicked { part, location, message: message(payload).to_owned() }
}

/// Panics when a test requests it ([`fault`]). Does nothing in release builds.
#[inline]
pub(crate) fn fault_point(part: Part) {
    fault_point_in(part.name());
}

/// Does the same at a fault point with its own name within a part.
#[inline]
pub(crate) fn fault_point_in(point: &'static str) {
    #[cfg(debug_assertions)]
    fault::point(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

#[cfg(test)]
#[path = "supervision_tests.rs"]
mod tests;
