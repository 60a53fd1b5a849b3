//! The README's table of what an app sees while its sidecar is dead, hung or restarting. Whoever has seen it says it here.

use outrigger_tests::file;

/// Compares what was seen with what is written.
pub(crate) fn says(mode: &str, the_sidecar_is: &str, new_calls: &str, calls_under_way: &str) {
    let readme = std::fs::read_to_string(file("../README.md")).expect("the README");
    let table = readme.split("<!-- lives -->").nth(1).expect("the README has the table");
    let row = |line: &&str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        cells.next() == Some(mode) && cells.next() == Some(the_sidecar_is)
    };
    let seen = format!("| {mode} | {the_sidecar_is} | {new_calls} | {calls_under_way} |");
    assert_eq!(table.lines().find(row), Some(seen.as_str()));
}
