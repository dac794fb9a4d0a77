#![allow(clippy::unwrap_used)]

use super::*;
use crate::supervision::{Part, catch};

#[test]
fn panics_count_in_a_row() {
    let panics = FindingPanics::default();
    let panic = || catch(Part::Statuses, || panic!("on purpose"));
    panics.note(panic());
    panics.note(panic());
    assert_eq!(panics.in_a_row(3), None);
    panics.note(Ok(()));
    panics.note(panic());
    panics.note(panic());
    assert_eq!(panics.in_a_row(3), None, "a change in between has not panicked");
    panics.note(panic());
    assert_eq!(panics.in_a_row(3).unwrap().message, "on purpose");
}
