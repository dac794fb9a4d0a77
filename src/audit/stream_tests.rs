#![allow(clippy::unwrap_used)]

use super::super::Reason;
use super::*;

fn number(index: u32) -> FragmentNumber {
    (9_000 + index).to_string().parse().unwrap()
}

fn listed(index: u32) -> Listed {
    Listed { number: number(index), server_ms: i64::from(index) * 1_000, media: None }
}

fn published(index: u32, sequence: i64, offset: i64) -> Published {
    Published {
        number: number(index),
        sequence: Some(sequence),
        server_ms: Some(i64::from(index) * 1_000),
        place: Place { topic: "t".into(), partition: 0, offset },
        media: None,
        some_tracks: false,
        fault: None,
    }
}

/// Audits these records against an archive with these fragments.
fn audit(records: &[Published], archive: &[u32]) -> StreamReport {
    audited(records, archive, &Reasons::default())
}

fn audited(records: &[Published], archive: &[u32], reasons: &Reasons) -> StreamReport {
    let mut audit = StreamAudit::default();
    let mut archive = archive.iter().map(|index| listed(*index)).peekable();
    for record in records {
        while let Some(fragment) = archive.next_if(|fragment| fragment.number <= record.number) {
            audit.listed(fragment, Some(&record.number));
        }
        audit.record(record).unwrap();
    }
    archive.for_each(|fragment| audit.listed(fragment, None));
    audit.finish("s", reasons)
}

/// Records with these fragments and sequences, one after another.
fn topic(records: &[(u32, i64)]) -> Vec<Published> {
    records.iter().enumerate().map(|(offset, (index, sequence))| published(*index, *sequence, offset as i64)).collect()
}

fn kinds(report: &StreamReport) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn what_agrees_has_no_fault() {
    let report = audit(&topic(&[(1, 0), (2, 1), (3, 2)]), &[1, 2, 3]);
    let Counts { records, in_both, .. } = report.counts;
    assert_eq!((records, in_both, report.counts.faults(false), report.first_sequence), (3, 3, 0, Some(0)));
}

#[test]
fn what_is_before_after_or_expired_is_no_fault() {
    // The topic begins at 3 and ends at 5; the archive has lost 3 and 4.
    let report = audit(&topic(&[(3, 7), (4, 8), (5, 9)]), &[1, 2, 5, 6, 7, 8]);
    let Counts { before_first, after_last, only_in_kafka, in_both, .. } = report.counts;
    assert_eq!((before_first, after_last, only_in_kafka, in_both), (2, 3, 2, 1));
    assert_eq!((report.counts.faults(false), report.first_sequence), (0, Some(7)));
}

/// Of a stream with several partitions, records of one may be read before lower ones of another.
#[test]
fn the_record_that_is_read_first_need_not_be_the_first_one() {
    let mut audit = StreamAudit::default();
    let in_partition = |index: u32, partition: i32| {
        let mut record = published(index, i64::from(index) - 1, i64::from(index));
        record.place.partition = partition;
        record
    };
    // The archive is read from the first record on, and then from the second one, which precedes it.
    for (index, before) in [(5, vec![4]), (3, vec![]), (6, vec![])] {
        before.into_iter().for_each(|lower| audit.listed(listed(lower), Some(&number(index))));
        if index == 3 {
            (2..=3).for_each(|lower| audit.listed_before(listed(lower)));
        } else {
            audit.listed(listed(index), Some(&number(index)));
        }
        audit.record(&in_partition(index, i32::from(index == 3))).unwrap();
    }
    let report = audit.finish("s", &Reasons::default());
    let Counts { in_both, only_in_kafka, missing, before_first, duplicates, out_of_order, .. } = report.counts;
    assert_eq!((in_both, only_in_kafka, missing, before_first, duplicates, out_of_order), (3, 0, 1, 1, 0, 0));
    assert_eq!(report.findings[0].number, Some(number(4)));
    assert_eq!((report.first_sequence, report.counts.holes), (Some(2), 1));
}

/// A record of an earlier version has no sequence, and a lower one is not for that reason there twice.
#[test]
fn a_lower_record_without_a_sequence_is_no_second_one() {
    let without = |index: u32, partition: i32| {
        let mut record = published(index, 0, 0);
        (record.sequence, record.place.partition) = (None, partition);
        record
    };
    let report = audit(&[without(5, 0), without(3, 1)], &[]);
    assert_eq!((report.counts.duplicates, report.counts.only_in_kafka), (0, 2));
}

#[test]
fn media_of_a_record_that_was_read_late_are_compared() {
    let mut audit = StreamAudit::default();
    let digest = |byte: u8| {
        let mut digest = MediaDigest::default();
        digest.tracks.insert(1, [byte; 32]);
        Some(digest)
    };
    let with = |index: u32, partition: i32, byte: u8| {
        let mut record = published(index, i64::from(index), 0);
        (record.media, record.place.partition) = (digest(byte), partition);
        record
    };
    audit.listed(Listed { media: digest(5), ..listed(5) }, Some(&number(5)));
    audit.record(&with(5, 0, 5)).unwrap();
    audit.listed_before(Listed { media: digest(3), ..listed(3) });
    audit.record(&with(3, 1, 4)).unwrap();
    let report = audit.finish("s", &Reasons::default());
    assert_eq!((report.counts.compared, report.counts.altered), (2, 1));
}

/// A job that compares each hour by itself finds what is missing where an hour begins.
#[test]
fn what_is_before_the_first_record_of_a_range_is_missing_if_the_topic_has_an_earlier_one() {
    for (has_begun, expected) in [(false, (0, 2, 0)), (true, (2, 0, 2))] {
        let mut audit = StreamAudit::default();
        if has_begun {
            audit.set_begun();
        }
        (3..=5).for_each(|index| audit.listed(listed(index), Some(&number(5))));
        audit.record(&published(5, 9, 0)).unwrap();
        let report = audit.finish("s", &Reasons::default());
        assert_eq!((report.counts.missing, report.counts.before_first, report.counts.faults(false)), expected);
    }
}

#[test]
fn a_deleted_record_is_missing_and_leaves_a_hole() {
    let report = audit(&topic(&[(1, 0), (3, 2)]), &[1, 2, 3]);
    assert_eq!((report.counts.missing, report.counts.holes), (1, 1));
    assert_eq!(kinds(&report), [FindingKind::Missing, FindingKind::Hole]);
    assert_eq!(report.findings[0].number, Some(number(2)));
    assert_eq!(report.findings[1].sequences, Some((1, 1)));
}

#[test]
fn a_fragment_that_was_never_published_is_missing() {
    let report = audit(&topic(&[(1, 0), (3, 1)]), &[1, 2, 3]);
    assert_eq!((report.counts.missing, report.counts.holes, report.counts.faults(true)), (1, 0, 1));
}

#[test]
fn a_reason_is_found_for_what_is_missing() {
    let mut reasons = Reasons::default();
    let reason = |kind: &str| Reason { kind: kind.into(), text: "why".into() };
    reasons.note("s", number(2), reason("DEAD_LETTER"));
    reasons.note_between("s", Some(number(3)), number(6), reason("POSITION_LOST"));
    reasons.note("other", number(7), reason("DEAD_LETTER"));
    let report = audited(&topic(&[(1, 0), (3, 1), (6, 2), (8, 3)]), &[1, 2, 3, 4, 5, 6, 7, 8], &reasons);
    let said = report.findings.iter().map(|finding| finding.reason.as_ref().map(|reason| reason.kind.to_string()));
    let expected = ["DEAD_LETTER", "POSITION_LOST", "POSITION_LOST"].map(|kind| Some(kind.to_owned()));
    assert_eq!(said.collect::<Vec<_>>(), [&expected[..], &[None]].concat());
    assert_eq!((report.counts.missing, report.counts.missing_explained), (4, 3));
    assert_eq!((report.counts.faults(false), report.counts.faults(true)), (4, 1));
}

#[test]
fn a_second_record_is_a_duplicate() {
    for again in [(2, 1), (2, 3), (1, 0)] {
        let report = audit(&topic(&[(1, 0), (2, 1), again, (3, if again.1 == 3 { 4 } else { 2 })]), &[1, 2, 3]);
        let holes = u64::from(again.1 == 3);
        assert_eq!(
            (report.counts.duplicates, report.counts.missing, report.counts.out_of_order),
            (1, 0, 0),
            "{again:?}"
        );
        assert_eq!(report.counts.holes, holes, "{again:?}");
        assert_eq!(report.findings[0].place.as_ref().unwrap().offset, 2);
    }
}

#[test]
fn a_swapped_pair_is_out_of_order() {
    // With the archive, without it, and without sequences.
    for archive in [&[1, 2, 3, 4][..], &[]] {
        let report = audit(&topic(&[(1, 0), (3, 2), (2, 1), (4, 3)]), archive);
        assert_eq!((kinds(&report), report.counts.faults(false)), (vec![FindingKind::OutOfOrder], 1), "{archive:?}");
        assert_eq!(report.findings[0].number, Some(number(2)));
    }
    let mut records = topic(&[(1, 0), (3, 2), (2, 1), (4, 3)]);
    records.iter_mut().for_each(|record| record.sequence = None);
    assert_eq!(kinds(&audit(&records, &[1, 2, 3, 4])), [FindingKind::OutOfOrder]);
}

#[test]
fn what_comes_late_from_another_partition_is_no_fault() {
    let mut records = topic(&[(1, 0), (3, 2), (2, 1), (4, 3)]);
    records[2].place.partition = 1;
    let report = audit(&records, &[1, 2, 3, 4]);
    assert_eq!((report.counts.faults(false), report.counts.in_both), (0, 4));
}

#[test]
fn a_hole_is_filled_piece_by_piece() {
    let mut records = topic(&[(1, 0), (9, 8), (5, 4), (2, 1), (8, 7)]);
    records[2..].iter_mut().enumerate().for_each(|(index, record)| record.place.partition = 1 + index as i32);
    let report = audit(&records, &[1, 2, 5, 8, 9]);
    let holes: Vec<_> = report.findings.iter().map(|finding| finding.sequences.unwrap()).collect();
    assert_eq!((holes, report.counts.holes), (vec![(2, 3), (5, 6)], 4));
}

#[test]
fn the_archive_may_list_late() {
    // The archive lists 2 only after the record of 3.
    let mut audit = StreamAudit::default();
    let records = topic(&[(1, 0), (2, 1), (3, 2)]);
    audit.listed(listed(1), Some(&number(1)));
    audit.record(&records[0]).unwrap();
    audit.record(&records[1]).unwrap();
    audit.listed(listed(3), Some(&number(3)));
    audit.record(&records[2]).unwrap();
    audit.listed(listed(2), None);
    let report = audit.finish("s", &Reasons::default());
    let Counts { in_both, only_in_kafka, missing, .. } = report.counts;
    assert_eq!((in_both, only_in_kafka, missing), (3, 0, 0));
}

#[test]
fn there_are_bounds() {
    let mut audit = StreamAudit::default();
    audit.record(&published(0, 0, 0)).unwrap();
    let last = u32::try_from(MISSING_MAX).unwrap() + 2;
    (1..last).for_each(|index| audit.listed(listed(index), Some(&number(last))));
    assert_eq!(audit.record(&published(last, 1, 1)), Err(TooManyMissing));

    let records: Vec<_> = (0..3_000).map(|index| published(1, i64::from(index), i64::from(index))).collect();
    let report = self::audit(&records, &[1]);
    assert_eq!((report.counts.duplicates, report.findings.len()), (2_999, FINDINGS_MAX));
}

#[test]
fn what_agrees_is_not_remembered() {
    let mut audit = StreamAudit::default();
    for index in 0..50_000 {
        // Every tenth is no longer in the archive, and every thousandth comes late from another partition.
        let late = index % 1_000 == 999;
        if index % 10 != 0 {
            audit.listed(listed(index), Some(&number(index)));
        }
        let mut record = published(index, i64::from(index), i64::from(index));
        record.place.partition = i32::from(late);
        audit.record(&record).unwrap();
    }
    assert_eq!((audit.missing.len(), audit.holes.len(), audit.last.len(), audit.findings.len()), (0, 0, 2, 0));
    // Of those that the archive does not have, only the latest.
    assert!(audit.unlisted.len() <= UNLISTED_MAX);
    assert_eq!(audit.finish("s", &Reasons::default()).counts.only_in_kafka, 5_000);
}

#[test]
fn a_connector_that_was_created_again_counts_from_zero() {
    let report = audit(&topic(&[(1, 4), (2, 5), (4, 7), (5, 0), (6, 1), (7, 2)]), &[1, 2, 4, 5, 6, 7]);
    assert_eq!((kinds(&report), report.first_sequence), (vec![FindingKind::Hole], Some(4)));
    assert_eq!(report.findings[0].sequences, Some((6, 6)));
}

#[test]
fn what_is_behind_the_committed_position_was_there() {
    let audit_to = |records: &[Published], committed: Option<u32>| {
        let mut audit = StreamAudit::default();
        committed.into_iter().for_each(|index| audit.set_committed(number(index)));
        for record in records {
            audit.listed(listed(1), Some(&record.number));
            audit.record(record).unwrap();
        }
        (2..=5).for_each(|index| audit.listed(listed(index), None));
        audit.finish("s", &Reasons::default()).counts
    };
    let counts = audit_to(&topic(&[(1, 0)]), Some(3));
    assert_eq!((counts.missing, counts.after_last, counts.faults(true)), (2, 2, 2));
    let counts = audit_to(&topic(&[(1, 0)]), None);
    assert_eq!((counts.missing, counts.after_last, counts.faults(true)), (0, 4, 0));
    let counts = audit_to(&[], Some(5));
    assert_eq!((counts.missing, counts.after_last), (4, 0));
}

#[test]
fn what_is_published_again_after_the_offsets_were_set_back_has_new_sequences() {
    let report = audit(&topic(&[(1, 0), (2, 1), (3, 2), (1, 3), (2, 4), (3, 5), (4, 6)]), &[1, 2, 3, 4]);
    assert_eq!((report.counts.duplicates, report.counts.duplicates_explained), (3, 3));
    assert_eq!((report.counts.faults(false), report.counts.faults(true)), (3, 0));
    assert!(report.findings.iter().all(|finding| finding.reason.is_some()));
    // A copy has the sequence of the first one.
    let report = audit(&topic(&[(1, 0), (2, 1), (1, 0), (3, 2)]), &[1, 2, 3]);
    assert_eq!((report.counts.duplicates, report.counts.faults(true)), (1, 1));
}

#[test]
fn a_negative_sequence_is_a_fault_of_its_record_alone() {
    let report = audit(&topic(&[(1, 0), (2, -5), (3, 2), (4, i64::MAX)]), &[1, 2, 3, 4]);
    assert_eq!((report.counts.altered, report.counts.out_of_order), (1, 0));
    // Number 1, and what the last one skips.
    assert_eq!(report.counts.holes, 1 + (i64::MAX as u64 - 3));
    assert_eq!(report.findings[0].reason.as_ref().unwrap().text.as_ref(), "its sequence is negative");
}

#[test]
fn what_compaction_has_removed_has_a_reason_unless_something_is_missing() {
    // 4 to 6 were published again, and the records with the sequences 3 to 5 removed.
    let records = topic(&[(1, 0), (2, 1), (3, 2), (4, 6), (5, 7), (6, 8)]);
    let audited = |archive: &[u32]| {
        let mut audit = StreamAudit::default();
        audit.set_compacted();
        let mut archive = archive.iter().map(|index| listed(*index)).peekable();
        for record in &records {
            while let Some(fragment) = archive.next_if(|fragment| fragment.number <= record.number) {
                audit.listed(fragment, Some(&record.number));
            }
            audit.record(record).unwrap();
        }
        assert!(audit.has_holes());
        audit.finish("s", &Reasons::default()).counts
    };
    let counts = audited(&[1, 2, 3, 4, 5, 6]);
    assert_eq!((counts.holes, counts.holes_explained, counts.faults(false), counts.faults(true)), (3, 3, 3, 0));
    // Were nothing wrong, none of the archive would be missing.
    let records = topic(&[(1, 0), (2, 1), (4, 6)]);
    let mut audit = StreamAudit::default();
    audit.set_compacted();
    for record in &records {
        let missing = Listed { number: number(3), server_ms: 0, media: None };
        if record.number > number(3) {
            audit.listed(missing, Some(&record.number));
        }
        audit.record(record).unwrap();
    }
    let counts = audit.finish("s", &Reasons::default()).counts;
    assert_eq!((counts.missing, counts.holes, counts.holes_explained), (1, 4, 0));
}

#[test]
fn what_the_connector_has_said_of_the_first_fragments_is_missing_and_not_before() {
    let mut reasons = Reasons::default();
    reasons.note("s", number(2), Reason { kind: "DEAD_LETTER".into(), text: "why".into() });
    reasons.note_time("s", 2_000);
    reasons.note_time("s", 1_500);
    assert_eq!((reasons.earliest_ms("s"), reasons.earliest_ms("other")), (Some(1_500), None));
    let mut audit = StreamAudit::default();
    audit.set_said(reasons.fragments("s"));
    let record = published(3, 0, 0);
    [1, 2, 3].into_iter().for_each(|index| audit.listed(listed(index), Some(&record.number)));
    audit.record(&record).unwrap();
    let report = audit.finish("s", &reasons);
    let Counts { before_first, missing, missing_explained, in_both, .. } = report.counts;
    assert_eq!((before_first, missing, missing_explained, in_both), (1, 1, 1, 1));
}

#[test]
fn what_agrees_is_not_remembered_however_much_it_is() {
    let mut audit = StreamAudit::default();
    for index in 0..100_000 {
        let record = published(index, i64::from(index), i64::from(index));
        audit.listed(listed(index), Some(&record.number));
        audit.record(&record).unwrap();
    }
    let kept = [audit.missing.len(), audit.unlisted.len(), audit.holes.len(), audit.findings.len(), audit.last.len()];
    assert_eq!((kept, audit.counts.in_both), ([0, 0, 0, 0, 1], 100_000));
}
