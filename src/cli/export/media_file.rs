//! Fragments one after another in one Matroska document, for a file or for a player.

use std::io::{self, BufWriter, Seek, Write};

use kvs_mkv::{FileJoiner, FileSegment, Fragment, JoinError, Limits, Samples, TrackKind};

use super::timeline::{Gap, Span, Timeline};

/// The document, which begins with the first fragment.
pub(in crate::cli) struct MediaFile<W: Write> {
    /// Where it will be written, until it begins.
    out: Option<W>,
    joiner: Option<FileJoiner<BufWriter<W>>>,
}

impl<W: Write> MediaFile<W> {
    /// Creates a document that has not begun.
    pub(in crate::cli) fn new(out: W) -> Self {
        Self { out: Some(out), joiner: None }
    }

    /// Returns whether a fragment has been appended.
    pub(in crate::cli) fn has_begun(&self) -> bool {
        self.joiner.is_some()
    }

    /// Takes back what nothing has been written to.
    pub(super) fn take_unused(&mut self) -> Option<W> {
        self.out.take()
    }

    /// Appends a fragment where the timeline places it. Returns the gap before it, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, has other tracks than those before, or cannot be written.
    pub(in crate::cli) fn add(
        &mut self,
        fragment: &Fragment,
        span: Span,
        timeline: &mut Timeline,
    ) -> Result<Option<Gap>, JoinError> {
        let mut before = None;
        for mut segment in FileSegment::read_all(&fragment.payload, Limits::default())? {
            // A player does not read the tag that says so.
            for track in fragment.tracks.iter() {
                let samples = fragment.media_type(track).and_then(|media_type| Samples::of_media_type(&media_type));
                if let Some(samples) = samples.filter(|_| track.kind == TrackKind::Audio) {
                    segment.declare_samples(track.number, samples)?;
                }
            }
            if let Some(out) = self.out.take() {
                self.joiner = Some(FileJoiner::new(BufWriter::new(out), &segment, span.utc_ns)?);
            }
            let Some(joiner) = &mut self.joiner else { break };
            if !joiner.accepts(&segment)? {
                return Err(JoinError::OtherTracks);
            }
            let (offset, gap) = timeline.place(span, i64::try_from(joiner.scale_ns()).unwrap_or(1));
            before = before.or(gap);
            for cluster in &segment.clusters {
                joiner.cluster(cluster, cluster.timestamp_ns.saturating_add(offset))?;
            }
        }
        Ok(before)
    }

    /// Has everything that was appended reach its reader.
    pub(in crate::cli) fn flush(&mut self) -> io::Result<()> {
        self.joiner.as_mut().map_or(Ok(()), FileJoiner::flush)
    }
}

impl<W: Write + Seek> MediaFile<W> {
    /// Writes what is known only at the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(self) -> Result<(), JoinError> {
        self.joiner.map_or(Ok(()), |joiner| joiner.finish().map(|_| ()))
    }
}
