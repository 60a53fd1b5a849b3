//! The matrix as the README shows it: one row for the clients of a runtime that fare alike.

use std::fs;
use std::io::Write;

use outrigger_tests::file;

use super::cells::Cell;
use super::clients::Client;

/// What stands around the table in the README.
const MARKS: [&str; 2] =
    ["<!-- tests/run trust compares this table with what it measures -->\n", "<!-- end -->"];
/// Set to rewrite the README's table.
const REWRITE: &str = "OUTRIGGER_REWRITE_README";

fn word(cell: &Cell) -> String {
    match cell {
        Cell::Observed => "observed".to_owned(),
        Cell::Unobserved { failed: 0 } => "unobserved, no call fails".to_owned(),
        Cell::Unobserved { failed: 1 } => "unobserved after one failed call".to_owned(),
        Cell::Unobserved { failed } => format!("unobserved after {failed} failed calls"),
        Cell::Broken(_) => "BROKEN".to_owned(),
    }
}

/// The table in Markdown.
pub(crate) fn markdown(rows: &[(Client, [Cell; 2])]) -> String {
    let mut alike: Vec<(&str, Vec<&str>, [String; 2])> = Vec::new();
    for (client, cells) in rows {
        let words = [word(&cells[0]), word(&cells[1])];
        match alike.iter_mut().find(|(runtime, _, found)| *runtime == client.runtime && *found == words) {
            Some((_, libraries, _)) => libraries.push(client.library),
            None => alike.push((client.runtime, vec![client.library], words)),
        }
    }
    let mut text = "| runtime | client | by default | with proof |\n|---|---|---|---|\n".to_owned();
    for (runtime, libraries, [additive, proven]) in alike {
        text.push_str(&format!("| {runtime} | {} | {additive} | {proven} |\n", libraries.join(", ")));
    }
    text
}

/// Prints it past the test harness, which shows only what failed.
pub(crate) fn print(table: &str) {
    // Where nobody reads, nobody misses it.
    let _gone = writeln!(std::io::stdout(), "\n{table}");
}

/// Compares it with the README's, or writes it there when asked.
pub(crate) fn hold_against_the_readme(table: &str) {
    let path = file("../README.md");
    let text = fs::read_to_string(&path).expect("the README");
    let (before, rest) = text.split_once(MARKS[0]).expect("the README has a place for the table");
    let (shown, after) = rest.split_once(MARKS[1]).expect("the table in the README has an end");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, [before, MARKS[0], table, MARKS[1], after].concat())
            .expect("the README can be written");
    } else {
        assert_eq!(shown, table, "the README's table differs; {REWRITE}=1 tests/run trust writes this one");
    }
}
