//! The list of all kinds of outputs.

use super::fragments::Fragments;
use super::kind::OutputKind;
use super::notifications::Notifications;

/// All kinds of outputs. One that takes the payload out of a fragment stands behind those that look at it.
pub(super) const KINDS: &[&dyn OutputKind] = &[&Notifications, &Fragments];
