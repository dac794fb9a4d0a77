//! Parts of fragments: the chosen tracks, or one track each.

use kvs_client::Fragment;
use kvs_mkv::Track;

use super::error::FragmentError;
use super::headers::track_label;
use super::payloads::Placed;
use crate::config::connector::routing::RoutingConfig;
use crate::model::VALUE_HEADROOM_BYTES;

/// The part of a fragment that one track, or several with one name, are in.
pub(super) struct Part {
    /// What stands for the track in names.
    pub(super) label: String,
    pub(super) fragment: Fragment,
    /// Where its payload is, once that is decided.
    pub(super) placed: Option<Placed>,
}

/// A fragment of which nothing is left.
#[derive(Debug, thiserror::Error)]
#[error("none of its tracks is chosen; it has {}", tracks.join(", "))]
struct NoTrackLeft {
    tracks: Vec<String>,
}

/// Returns a fragment without the tracks that are not published; `None`: it has no others.
///
/// # Errors
/// When no track is left, or the media cannot be taken apart.
pub(super) fn reduced(fragment: &Fragment, routing: &RoutingConfig) -> Result<Option<Fragment>, FragmentError> {
    if fragment.tracks.iter().all(|track| routing.publishes(track)) {
        return Ok(None);
    }
    if !fragment.tracks.iter().any(|track| routing.publishes(track)) {
        let shown = |track: &Track| format!("{} ({}, number {})", track_label(track), track.kind.name(), track.number);
        let tracks = fragment.tracks.iter().map(shown).collect();
        return Err(FragmentError::Tracks(Box::new(NoTrackLeft { tracks })));
    }
    part(fragment, |track| routing.publishes(track)).map(Some)
}

/// Returns what stands for the tracks of a fragment in names, each once.
pub(super) fn labels(fragment: &Fragment) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for track in &*fragment.tracks {
        let label = track_label(track);
        if !labels.iter().any(|known| *known == label) {
            labels.push(label.into_owned());
        }
    }
    labels
}

/// Returns the parts of a fragment by track.
///
/// # Errors
/// When the media cannot be taken apart.
pub(super) fn parts_by_track(fragment: &Fragment) -> Result<Vec<Part>, FragmentError> {
    let part = |label: String| {
        let fragment = part(fragment, |track| track_label(track) == label)?;
        Ok(Part { label, fragment, placed: None })
    };
    labels(fragment).into_iter().map(part).collect()
}

fn part(fragment: &Fragment, keep: impl Fn(&Track) -> bool) -> Result<Fragment, FragmentError> {
    let part = fragment.with_tracks(VALUE_HEADROOM_BYTES, keep);
    part.map_err(|error| FragmentError::Tracks(Box::new(error)))
}

#[cfg(test)]
#[path = "tracks_tests.rs"]
mod tests;
