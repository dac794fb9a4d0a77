//! The list of all kinds of outputs.

use super::chunks::Chunks;
use super::dead_letters::DeadLetters;
use super::fragments::Fragments;
use super::frames::Frames;
use super::kind::OutputKind;
use super::metadata::Metadata;
use super::notifications::Notifications;

/// All kinds of outputs. A kind that moves the payload out of a fragment comes after those that read it.
pub(super) const KINDS: &[&dyn OutputKind] = &[&Notifications, &DeadLetters, &Metadata, &Frames, &Chunks, &Fragments];
