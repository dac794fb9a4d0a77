//! Which sequences have not been seen.

/// Ranges of sequences, both ends included, in ascending order.
#[derive(Debug, Default)]
pub(super) struct Holes(Vec<(i64, i64)>);

impl Holes {
    /// Notes that these have not been seen; they are higher than all before.
    pub(super) fn open(&mut self, first: i64, last: i64) {
        self.0.push((first, last));
    }

    /// Notes that these have not been seen; they are lower than all before.
    pub(super) fn open_below(&mut self, first: i64, last: i64) {
        if first <= last {
            self.0.insert(0, (first, last));
        }
    }

    /// Notes that one has been seen. Returns whether it was missing.
    pub(super) fn fill(&mut self, sequence: i64) -> bool {
        let index = self.0.partition_point(|(_, last)| *last < sequence);
        let Some((first, last)) = self.0.get(index).copied().filter(|(first, _)| *first <= sequence) else {
            return false;
        };
        let rest = [(first, sequence - 1), (sequence + 1, last)];
        self.0.splice(index..=index, rest.into_iter().filter(|(first, last)| first <= last));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_ranges(self) -> Vec<(i64, i64)> {
        self.0
    }
}
