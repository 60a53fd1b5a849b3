//! `docs/diagnosis.md` has a row for every kind, and no other.

use outrigger_diagnosis::Kind;

#[test]
fn every_kind_has_its_row() {
    let documented: Vec<&str> = include_str!("../../../docs/diagnosis.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(word, _)| word))
        .collect();
    let mut kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let mut rows = documented.clone();
    kinds.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, kinds);
}
