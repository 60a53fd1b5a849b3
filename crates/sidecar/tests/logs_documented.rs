//! `docs/logs.md` names every field of a call's line, and every variable.

const DOCUMENT: &str = include_str!("../../../docs/logs.md");
const LINE: &str = include_str!("../src/call_log.rs");

#[test]
fn every_field_of_a_call_stands_in_the_table() {
    let body = LINE.split("tracing::$level!(").nth(1).and_then(|rest| rest.split("\"{}\"").next());
    let fields: Vec<&str> = body
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().split_once(" = ").map(|(name, _)| name))
        .collect();
    assert!(fields.len() > 8, "{fields:?}");
    for field in fields {
        assert!(DOCUMENT.contains(&format!("`{field}`")), "{field} is not documented");
    }
}
