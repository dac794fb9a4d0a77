//! One stream: its records against its archive.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kvs_mkv::FragmentNumber;

use super::finding::{Finding, FindingKind, Place};
use super::holes::Holes;
use super::media::MediaDigest;
use super::reasons::Reasons;

/// The most fragments that may be missing, and ranges of sequences, until the audit is given up. What comes late from another
/// partition is missing until then.
const MISSING_MAX: usize = 200_000;
/// The most records whose fragments the archive does not list that are remembered, in case it lists them late.
const UNLISTED_MAX: usize = 1_000;
/// The most fragments of the archive that are remembered from before the records that were read first: where a stream has several
/// partitions, their records may follow. Of more, the lowest precede all records.
const BEFORE_MAX: usize = 200_000;
/// The most findings of a stream that are kept with their details; all are counted.
const FINDINGS_MAX: usize = 1_000;

/// A record of the stream.
#[derive(Debug, Clone)]
pub struct Published {
    /// The fragment.
    pub number: FragmentNumber,
    /// The record's sequence; `None`: an earlier version wrote it.
    pub sequence: Option<i64>,
    /// When the service received the fragment, in milliseconds since 1970.
    pub server_ms: Option<i64>,
    /// Where the record is.
    pub place: Place,
    /// What its media are, if they are compared.
    pub media: Option<MediaDigest>,
    /// Whether tracks have been taken out of its media.
    pub some_tracks: bool,
    /// What is wrong with the record by itself.
    pub fault: Option<String>,
}

/// A fragment that the archive lists.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The fragment.
    pub number: FragmentNumber,
    /// When the service received it, in milliseconds since 1970.
    pub server_ms: i64,
    /// What its media are, if they are compared and could be fetched.
    pub media: Option<MediaDigest>,
}

/// More is missing than is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MISSING_MAX} fragments or sequences are missing so far: compare a shorter range with --from and --to"
)]
pub struct TooManyMissing;

/// How many records and fragments of a stream there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in Kafka.
    pub records: u64,
    /// Of those, the ones whose fragment the archive has as well.
    pub in_both: u64,
    /// Records whose fragment the archive does not have, or no longer has.
    pub only_in_kafka: u64,
    /// Records whose media were compared.
    pub compared: u64,
    /// Fragments of the archive that precede the first record.
    pub before_first: u64,
    /// Fragments of the archive that follow the last record.
    pub after_last: u64,
    /// Fragments that the archive has and Kafka does not.
    pub missing: u64,
    /// Of those, the ones whose reason is known.
    pub missing_explained: u64,
    /// Records of fragments that another record has already.
    pub duplicates: u64,
    /// Of those, the ones that were published again because the offsets were set back.
    pub duplicates_explained: u64,
    /// Records that come too late.
    pub out_of_order: u64,
    /// Records with other media than the archive, or than they say.
    pub altered: u64,
    /// Sequences that no record has.
    pub holes: u64,
    /// Of those, the ones whose records compaction has removed.
    pub holes_explained: u64,
}

impl Counts {
    /// Returns how many faults there are. With `allow_explained`, those whose reason is known are none.
    pub fn faults(&self, allow_explained: bool) -> u64 {
        let explained = match allow_explained {
            true => (self.missing_explained + self.duplicates_explained).saturating_add(self.holes_explained),
            false => 0,
        };
        // The sequences of fragments that were skipped are not used: a hole without a reason is always a fault.
        let others = self.missing + self.duplicates + self.out_of_order + self.altered;
        others.saturating_add(self.holes).saturating_sub(explained)
    }
}

/// What was found in a stream.
#[derive(Debug)]
pub struct StreamReport {
    /// How much of it there is.
    pub counts: Counts,
    /// The faults, by kind; of many, the first of each kind.
    pub findings: Vec<Finding>,
    /// The sequence of the first record, in the order of sequences.
    pub first_sequence: Option<i64>,
}

/// Compares a stream's records with its archive.
#[derive(Debug, Default)]
pub struct StreamAudit {
    counts: Counts,
    findings: Vec<Finding>,
    highest: Option<FragmentNumber>,
    lowest: Option<FragmentNumber>,
    /// Whether the topic has a record from before the range.
    has_begun: bool,
    /// What the archive has lower than the record that was read first, and Kafka does not so far.
    before: BTreeMap<FragmentNumber, Listed>,
    /// Those that the connector has said it did not publish.
    said: BTreeSet<FragmentNumber>,
    is_compacted: bool,
    committed: Option<FragmentNumber>,
    /// What the archive has of the record that is noted next.
    own: Option<Listed>,
    sequences: Option<(i64, i64)>,
    /// The first sequence of all, once counting has begun anew.
    first_sequence: Option<i64>,
    holes: Holes,
    /// Those of a connector's counts before the last.
    earlier_holes: Vec<(i64, i64)>,
    /// What the archive has lower than the highest number, and Kafka does not so far.
    missing: BTreeMap<FragmentNumber, Listed>,
    unlisted: BTreeSet<FragmentNumber>,
    /// The last record of each partition: sequence and number.
    last: HashMap<(std::sync::Arc<str>, i32), (Option<i64>, FragmentNumber)>,
}

impl StreamAudit {
    /// Sets the last fragment that the connector has published, by its committed offset: those up to it, and after the last record,
    /// are missing. Without it they may still come.
    pub fn set_committed(&mut self, committed: FragmentNumber) {
        self.committed = Some(committed);
    }

    /// Sets the fragments that the connector has said it did not publish: those are missing before the first record, too.
    pub fn set_said(&mut self, said: impl IntoIterator<Item = FragmentNumber>) {
        self.said = said.into_iter().collect();
    }

    /// Sets that the topic has a record of the stream from before the range: what the archive has before the first record of the range
    /// is missing, then, and not from before the connector's time.
    pub fn set_begun(&mut self) {
        self.has_begun = true;
    }

    /// Sets that the topic is compacted: of a fragment that was published again, the earlier record is removed.
    pub fn set_compacted(&mut self) {
        self.is_compacted = true;
    }

    /// Returns whether sequences are missing.
    pub fn has_holes(&self) -> bool {
        self.holes.len() + self.earlier_holes.len() > 0
    }

    /// Returns whether there is a record of the stream.
    pub fn has_records(&self) -> bool {
        self.highest.is_some()
    }

    /// Notes a fragment of the archive, in ascending order: those up to `next`, which is the record that is noted next, or all that
    /// follow the last record if there is none.
    pub fn listed(&mut self, fragment: Listed, next: Option<&FragmentNumber>) {
        let is_higher = self.highest.as_ref().is_none_or(|highest| fragment.number > *highest);
        match next {
            Some(next) if fragment.number == *next => self.own = Some(fragment),
            Some(next)
                if self.highest.is_none() && fragment.number < *next && !self.said.contains(&fragment.number) =>
            {
                self.precedes(fragment);
            }
            // The connector has committed a position behind it: its record was there.
            None if is_higher && self.committed.as_ref().is_some_and(|committed| fragment.number <= *committed) => {
                if self.missing.len() < MISSING_MAX {
                    self.missing.insert(fragment.number.clone(), fragment);
                } else {
                    self.counts.missing += 1;
                }
            }
            None if is_higher => self.counts.after_last += 1,
            _ if self.unlisted.remove(&fragment.number) => {
                self.counts.only_in_kafka = self.counts.only_in_kafka.saturating_sub(1);
                self.counts.in_both += 1;
            }
            _ => _ = self.missing.insert(fragment.number.clone(), fragment),
        }
    }

    /// Notes a fragment of the archive that is lower than all that were noted: a record has come that precedes them, from another
    /// partition.
    pub fn listed_before(&mut self, fragment: Listed) {
        if self.said.contains(&fragment.number) {
            self.missing.insert(fragment.number.clone(), fragment);
        } else {
            self.precedes(fragment);
        }
    }

    fn precedes(&mut self, fragment: Listed) {
        self.before.insert(fragment.number.clone(), fragment);
        if self.before.len() > BEFORE_MAX {
            self.before.pop_first();
            self.counts.before_first += 1;
        }
    }

    /// Notes the next record, after what the archive has up to its number.
    ///
    /// # Errors
    /// When too much is missing to be remembered.
    pub fn record(&mut self, record: &Published) -> Result<(), TooManyMissing> {
        if record.sequence.is_some_and(|sequence| sequence < 0) {
            let fault = Some("its sequence is negative".to_owned());
            return self.record(&Published { sequence: None, fault, ..record.clone() });
        }
        self.counts.records += 1;
        let own = self.own.take();
        let is_higher = self.highest.as_ref().is_none_or(|highest| record.number > *highest);
        let is_lower = self.lowest.as_ref().is_none_or(|lowest| record.number < *lowest);
        if is_higher && record.sequence == Some(0) && self.sequences.is_some() {
            self.restart();
        }
        let fills_hole = self.note_sequence(record.sequence);
        let mut remembered = || self.missing.remove(&record.number).or_else(|| self.before.remove(&record.number));
        let late = if is_higher { None } else { remembered() };
        let is_late = !is_higher && (late.is_some() || is_lower || fills_hole == Some(true));
        if is_lower {
            self.lowest = Some(record.number.clone());
        }
        if is_higher {
            self.highest = Some(record.number.clone());
        }
        match (is_higher, is_late) {
            (false, false) => self.duplicate(record, fills_hole.is_none() && record.sequence.is_some()),
            _ => {
                self.in_archive(record, own.or(late));
                self.in_order(record, fills_hole);
            }
        }
        if let Some(fault) = &record.fault {
            self.altered(record, fault);
        }
        if self.missing.len() > MISSING_MAX || self.holes.len() + self.earlier_holes.len() > MISSING_MAX {
            Err(TooManyMissing)
        } else {
            Ok(())
        }
    }

    /// Ends the audit, once everything has been noted.
    pub fn finish(mut self, stream: &str, reasons: &Reasons) -> StreamReport {
        self.settle_before();
        for (number, fragment) in std::mem::take(&mut self.missing) {
            let reason = reasons.of(stream, &number);
            self.counts.missing += 1;
            self.counts.missing_explained += u64::from(reason.is_some());
            let server_ms = Some(fragment.server_ms);
            self.keep(Finding {
                kind: FindingKind::Missing,
                number: Some(number),
                sequences: None,
                server_ms,
                place: None,
                reason,
            });
        }
        let holes = std::mem::take(&mut self.holes).into_ranges();
        // Whatever the archive has is there: nothing but the second record of a fragment can have taken the place of the first.
        let is_compacted = self.is_compacted && self.counts.missing == self.counts.missing_explained;
        let reason = is_compacted.then(|| super::Reason {
            kind: "COMPACTED".into(),
            text: "the topic is compacted, and the fragments were published again".into(),
        });
        for (first, last) in std::mem::take(&mut self.earlier_holes).into_iter().chain(holes) {
            let count = (last - first).unsigned_abs() + 1;
            self.counts.holes = self.counts.holes.saturating_add(count);
            let explained = if reason.is_some() { count } else { 0 };
            self.counts.holes_explained = self.counts.holes_explained.saturating_add(explained);
            self.keep(Finding {
                kind: FindingKind::Hole,
                number: None,
                sequences: Some((first, last)),
                server_ms: None,
                place: None,
                reason: reason.clone(),
            });
        }
        let Self { counts, mut findings, sequences, first_sequence, .. } = self;
        findings.sort_by_key(|finding| finding.kind);
        let first_sequence = first_sequence.or(sequences.map(|(first, _)| first));
        StreamReport { counts, findings, first_sequence }
    }

    /// Decides what is missing of that which the archive has before the record that was read first.
    fn settle_before(&mut self) {
        let mut before = std::mem::take(&mut self.before);
        if self.has_begun {
            self.counts.missing += std::mem::take(&mut self.counts.before_first);
        } else if let Some(lowest) = &self.lowest {
            let above = before.split_off(lowest);
            self.counts.before_first += before.len() as u64;
            before = above;
        }
        self.missing.append(&mut before);
    }

    /// Begins to count sequences anew, as a connector does that has been deleted with its offsets and created again.
    fn restart(&mut self) {
        self.first_sequence = self.first_sequence.or(self.sequences.map(|(first, _)| first));
        self.earlier_holes.extend(std::mem::take(&mut self.holes).into_ranges());
        self.sequences = None;
        self.last.clear();
    }

    /// Returns whether the sequence was missing; `None` if it is higher than all before, or unknown.
    fn note_sequence(&mut self, sequence: Option<i64>) -> Option<bool> {
        let sequence = sequence?;
        let Some((first, highest)) = self.sequences else {
            self.sequences = Some((sequence, sequence));
            return None;
        };
        if sequence > highest {
            if sequence > highest + 1 {
                self.holes.open(highest + 1, sequence - 1);
            }
            self.sequences = Some((first, sequence));
            return None;
        }
        if sequence < first {
            self.holes.open_below(sequence + 1, first - 1);
            self.sequences = Some((sequence, highest));
            return Some(true);
        }
        Some(self.holes.fill(sequence))
    }

    /// Compares a record with its fragment in the archive.
    fn in_archive(&mut self, record: &Published, own: Option<Listed>) {
        let Some(own) = own else {
            self.counts.only_in_kafka += 1;
            self.unlisted.insert(record.number.clone());
            if self.unlisted.len() > UNLISTED_MAX {
                self.unlisted.pop_first();
            }
            return;
        };
        self.counts.in_both += 1;
        let (Some(ours), Some(theirs)) = (&record.media, &own.media) else { return };
        self.counts.compared += 1;
        if !ours.agrees_with(theirs, record.some_tracks) {
            self.altered(record, "its media are not those of the archive");
        }
    }

    /// Compares a record with the one before it in its partition.
    fn in_order(&mut self, record: &Published, fills_hole: Option<bool>) {
        let partition = (std::sync::Arc::clone(&record.place.topic), record.place.partition);
        let now = (record.sequence, record.number.clone());
        let Some(before) = self.last.get(&partition) else {
            self.last.insert(partition, now);
            return;
        };
        let is_behind = record.number < before.1
            || record.sequence.zip(before.0).is_some_and(|(sequence, before)| sequence < before)
            || fills_hole == Some(false);
        if is_behind {
            self.counts.out_of_order += 1;
            self.find(FindingKind::OutOfOrder, record);
        } else {
            self.last.insert(partition, now);
        }
    }

    /// Notes a fragment that is there already. A copy has the sequence of the first one; one with a new sequence was published again,
    /// because the stream's offsets were set back.
    fn duplicate(&mut self, record: &Published, has_new_sequence: bool) {
        self.counts.duplicates += 1;
        self.counts.duplicates_explained += u64::from(has_new_sequence);
        let mut finding = Self::finding(FindingKind::Duplicate, record);
        if has_new_sequence {
            let text = "published again with a new sequence: the stream's offsets were set back";
            finding.reason = Some(super::Reason { kind: "OFFSETS_SET_BACK".into(), text: text.into() });
        }
        self.keep(finding);
    }

    fn altered(&mut self, record: &Published, why: &str) {
        self.counts.altered += 1;
        let reason = super::Reason { kind: "ALTERED".into(), text: why.into() };
        let mut finding = Self::finding(FindingKind::Altered, record);
        finding.reason = Some(reason);
        self.keep(finding);
    }

    fn find(&mut self, kind: FindingKind, record: &Published) {
        self.keep(Self::finding(kind, record));
    }

    fn finding(kind: FindingKind, record: &Published) -> Finding {
        Finding {
            kind,
            number: Some(record.number.clone()),
            sequences: record.sequence.map(|sequence| (sequence, sequence)),
            server_ms: record.server_ms,
            place: Some(record.place.clone()),
            reason: None,
        }
    }

    fn keep(&mut self, finding: Finding) {
        if self.findings.iter().filter(|kept| kept.kind == finding.kind).count() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
