//! Where each fragment goes in a file: one after another, with gaps where time has gaps.
//!
//! **Contract.** Within a session of the producer, frames keep the distances that its clock says. At a discontinuity the producer's
//! UTC says how much time passed, if it is known and does not run back; otherwise the next fragment follows at once.

use kvs_mkv::Fragment;

use super::source::Exported;

/// A pause that is longer than this is listed, in nanoseconds: intact streams have gaps of up to 45 ms.
const GAP_NS: i64 = 500_000_000;
/// The producer's UTC is in milliseconds, so two clocks that differ by less are the same one.
const SAME_CLOCK_NS: u64 = 100_000_000;

/// When a fragment is, by the clocks that it has. All in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Span {
    /// Its earliest frame, by the cluster's clock.
    pub(in crate::cli) start_ns: i64,
    /// The end of its latest frame, by the same clock.
    pub(in crate::cli) end_ns: i64,
    /// When its earliest frame was taken, since 1970.
    pub(in crate::cli) utc_ns: Option<i64>,
    /// Whether it does not continue the fragment before it.
    pub(in crate::cli) discontinuity: bool,
}

impl Span {
    /// Returns when a fragment is; `None` without frames.
    pub(in crate::cli) fn of_fragment(fragment: &Fragment, discontinuity: bool) -> Option<Self> {
        let (start_ns, last_ns) = fragment.start_ns().zip(fragment.last_ns())?;
        let end_ns = start_ns.saturating_add_unsigned(fragment.duration_ns()).max(last_ns);
        let utc_ns = fragment.producer_timestamp.map(|at| at.millis().saturating_mul(1_000_000));
        Some(Self { start_ns, end_ns, utc_ns, discontinuity })
    }

    /// Returns when a fragment that is exported is; `None` without frames.
    pub(in crate::cli) fn of(exported: &Exported) -> Option<Self> {
        Self::of_fragment(&exported.fragment, exported.discontinuity)
    }
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Gap {
    /// Where it begins in the file.
    pub(in crate::cli) at_ns: i64,
    /// How long it is.
    pub(in crate::cli) length_ns: i64,
}

/// The file's clock.
#[derive(Debug, Default)]
pub(in crate::cli) struct Timeline {
    /// What the cluster's clock lacks to the file's, and the UTC of the file's time 0.
    clock: Option<(i64, Option<i64>)>,
    /// Where the last fragment began and ended.
    last: (i64, i64),
}

impl Timeline {
    /// Places the next fragment. Returns what to add to its times to get the file's, and the gap before it, if there is one. All
    /// offsets are multiples of `unit_ns`.
    pub(in crate::cli) fn place(&mut self, span: Span, unit_ns: i64) -> (i64, Option<Gap>) {
        let whole = |at_ns: i64| at_ns.div_euclid(unit_ns.max(1)) * unit_ns.max(1);
        let Some((offset, zero_utc)) = self.clock else {
            let offset = -whole(span.start_ns);
            self.clock =
                Some((offset, span.utc_ns.map(|utc| utc.saturating_sub(span.start_ns.saturating_add(offset)))));
            self.end(span, offset);
            return (offset, None);
        };
        let by_clock = span.start_ns.saturating_add(offset);
        let by_utc = span.utc_ns.zip(zero_utc).map(|(utc, zero)| utc.saturating_sub(zero));
        let runs_back = by_clock < self.last.0;
        let offset = if span.discontinuity || runs_back {
            let at_ns = match by_utc {
                // The clock goes on.
                Some(utc) if !runs_back && utc.saturating_sub(by_clock).unsigned_abs() <= SAME_CLOCK_NS => by_clock,
                Some(utc) if utc >= self.last.1 => utc,
                _ => self.last.1,
            };
            whole(at_ns.saturating_sub(span.start_ns))
        } else {
            offset
        };
        self.clock = Some((
            offset,
            zero_utc.or(span.utc_ns.map(|utc| utc.saturating_sub(span.start_ns.saturating_add(offset)))),
        ));
        let at_ns = self.last.1;
        let length_ns = span.start_ns.saturating_add(offset).saturating_sub(at_ns);
        self.end(span, offset);
        (offset, (length_ns > GAP_NS).then_some(Gap { at_ns, length_ns }))
    }

    fn end(&mut self, span: Span, offset: i64) {
        let end = span.end_ns.max(span.start_ns).saturating_add(offset);
        self.last = (span.start_ns.saturating_add(offset), end.max(self.last.1));
    }

    /// Returns where the last fragment ends.
    pub(in crate::cli) fn end_ns(&self) -> i64 {
        self.last.1
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
