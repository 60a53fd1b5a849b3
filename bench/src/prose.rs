//! Text as people and models write it: what reads it does other work over words than over one letter again and again.

const PASSAGE: &str = concat!(
    "The harbour master looked at the glass, which had fallen since noon, and asked when the ferry of 16:40 would be in. ",
    r#"\"With this wind? Not before five,\" said the pilot; the buoys off the point had not been seen for an hour.\n"#,
    "They wrote it down: gusts of 31 knots, sea state 6, visibility under 2 miles. ",
);

/// So many bytes of it, as they stand in a JSON text.
pub(crate) fn prose(length: usize) -> String {
    let mut text: String = PASSAGE.chars().cycle().take(length).collect();
    // A cut through an escape would leave half of one.
    if text.ends_with('\\') {
        text.replace_range(length - 1.., ".");
    }
    text
}
