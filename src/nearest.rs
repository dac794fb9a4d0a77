//! The name that was probably meant.

/// Returns the known name that is so near to this one that it was probably meant: one letter in five is otherwise, and one
/// at least may be.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &'a str| (strsim::damerau_levenshtein(name, known), known);
    let (distance, nearest) = known.into_iter().map(distance).min()?;
    (distance <= (name.chars().count() / 5).clamp(1, 4)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_is_near_was_meant_and_what_is_not_was_not() {
        let known = ["front-door", "back-door", "yard"];
        assert_eq!(nearest("frontdoor", known), Some("front-door"));
        assert_eq!(nearest("yrad", known), Some("yard"));
        assert_eq!(nearest("garage", known), None);
        assert_eq!(nearest("garage", []), None);
    }
}
