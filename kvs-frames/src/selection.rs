//! Which tracks are wanted.

use std::fmt;
use std::str::FromStr;

use kvs_mkv::{Track, TrackKind};

/// Chooses tracks by number, kind or name.
///
/// Its text is a number, `1`; a kind, `video`, `audio`, `subtitle` or `metadata`; or else a track's name as it is,
/// `AUDIO_FROM_CUSTOMER`. `name:video` is the track that is called `video`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackSelector {
    /// The track with this number.
    Number(u64),
    /// All tracks of this kind.
    Kind(TrackKind),
    /// All tracks with this name.
    Name(String),
}

/// The tracks that are wanted: those that one of the selectors chooses, or all if there is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackSelection(pub Vec<TrackSelector>);

/// The text chooses no tracks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a track is chosen by its number, its name, or its kind: video, audio, subtitle or metadata; the text is empty"
)]
pub struct BadSelector;

const NAME_PREFIX: &str = "name:";

const KINDS: [TrackKind; 4] = [TrackKind::Video, TrackKind::Audio, TrackKind::Subtitle, TrackKind::Metadata];

impl TrackSelector {
    /// Returns whether a track is chosen.
    pub fn contains(&self, track: &Track) -> bool {
        match self {
            Self::Number(number) => track.number == *number,
            Self::Kind(kind) => track.kind == *kind,
            Self::Name(name) => track.name.as_deref() == Some(name),
        }
    }
}

impl TrackSelection {
    /// Returns whether a track is wanted.
    pub fn contains(&self, track: &Track) -> bool {
        self.0.is_empty() || self.0.iter().any(|selector| selector.contains(track))
    }
}

/// Reads selectors with commas between them.
impl FromStr for TrackSelection {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for TrackSelector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix(NAME_PREFIX).filter(|name| !name.is_empty()) {
            return Ok(Self::Name(name.to_owned()));
        }
        if text.is_empty() || text == NAME_PREFIX {
            return Err(BadSelector);
        }
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let kind = KINDS.into_iter().find(|kind| kind.name() == text);
        Ok(kind.map_or_else(|| Self::Name(text.to_owned()), Self::Kind))
    }
}

impl fmt::Display for TrackSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Kind(kind) => formatter.write_str(kind.name()),
            // Written so that it is read as a name again.
            Self::Name(name) if matches!(name.parse(), Ok(Self::Name(same)) if same == *name) => {
                formatter.write_str(name)
            }
            Self::Name(name) => write!(formatter, "{NAME_PREFIX}{name}"),
        }
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
