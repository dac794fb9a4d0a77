//! Which part of a range is listed with one call.
//!
//! **Contract.** A window is listed only when its time is over and has settled, because ListFragments returns a
//! fragment only about a second after it was received. A range that ends in the future is followed a minute at a time.

/// The length of the first window. Windows grow while they have few fragments, and shrink when they have too many.
const WINDOW_MS: i64 = 3_600_000;
/// The shortest window, which is read whatever its number of fragments.
const WINDOW_MIN_MS: i64 = 60_000;
/// The number of fragments up to which the next window is longer.
const WINDOW_FEW: usize = 500;
/// The maximum number of fragments in a longer window: some 3 MB.
const WINDOW_MOST: usize = 20_000;
/// The time after which a window has settled: "typically available in less than one second" (ListFragments).
pub(super) const SETTLED_MS: i64 = 3_000;

/// The windows of a range, one after another. Times are server time, in milliseconds.
#[derive(Debug)]
pub(super) struct Windows {
    /// Where the next window begins.
    next_ms: i64,
    /// How long the next window is.
    length_ms: i64,
}

impl Windows {
    /// Returns windows from `next_ms` on.
    pub(super) fn new(next_ms: i64) -> Self {
        Self { next_ms, length_ms: WINDOW_MS }
    }

    /// Returns where the next window begins.
    pub(super) fn next_ms(&self) -> i64 {
        self.next_ms
    }

    /// Has the next window begin at `next_ms`.
    pub(super) fn begin_at(&mut self, next_ms: i64) {
        self.next_ms = next_ms;
    }

    /// Returns what can be listed next, in a range that ends at `end_ms`, if everything before `settled_ms` is known.
    pub(super) fn next(&self, end_ms: i64, settled_ms: i64) -> Window {
        window(self.next_ms, end_ms, self.length_ms, settled_ms)
    }

    /// Returns how many fragments the next window may have.
    pub(super) fn fragments_max(&self) -> usize {
        if self.length_ms > WINDOW_MIN_MS { WINDOW_MOST } else { usize::MAX }
    }

    /// Shortens the next window, which has too many fragments.
    pub(super) fn shorten(&mut self) {
        self.length_ms = (self.length_ms / 4).max(WINDOW_MIN_MS);
    }

    /// Continues after a window that ends at `to_ms` and has this many fragments.
    pub(super) fn pass(&mut self, to_ms: i64, fragments: usize) {
        let factor = match fragments {
            // Nothing for years, perhaps.
            0 => 8,
            few if few <= WINDOW_FEW => 2,
            _ => 1,
        };
        self.length_ms = self.length_ms.saturating_mul(factor);
        self.next_ms = to_ms.saturating_add(1);
    }
}

/// What can be listed next, and when.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// A window up to this time.
    Settled { to_ms: i64 },
    /// Nothing yet: the next window settles after this time.
    Unsettled { wait_ms: i64 },
}

/// Returns what can be listed from `next_ms` on, in a range that ends at `end_ms`, if everything before `settled_ms` is
/// known. A window of less than a minute is listed only at the end of the range.
fn window(next_ms: i64, end_ms: i64, window_ms: i64, settled_ms: i64) -> Window {
    let to_ms = |length_ms: i64| end_ms.min(next_ms.saturating_add(length_ms - 1));
    let least_ms = to_ms(WINDOW_MIN_MS);
    if least_ms > settled_ms {
        return Window::Unsettled { wait_ms: least_ms.saturating_sub(settled_ms) };
    }
    Window::Settled { to_ms: to_ms(window_ms).min(settled_ms) }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
