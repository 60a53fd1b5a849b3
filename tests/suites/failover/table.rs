//! The README's table of scenarios: it has every row, with what the user saw, and no other.

use outrigger_tests::file;

/// A scenario, and what the user sees of an answer in one piece and of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) whole: String,
    pub(super) stream: String,
}

impl Row {
    /// Right either way.
    pub(super) fn right(name: &str) -> Row {
        Row { whole: "right answer".to_owned(), ..Row::of_stream(name, "right answer") }
    }

    /// Of streams alone.
    pub(super) fn of_stream(name: &str, stream: &str) -> Row {
        Row { name: name.to_owned(), whole: String::new(), stream: stream.to_owned() }
    }
}

fn written() -> Vec<Row> {
    let readme = std::fs::read_to_string(file("../README.md")).expect("the README");
    let table = readme.split("<!-- scenes -->").nth(1).expect("the README has the table");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        Row { name: cells[1].to_owned(), whole: cells[2].to_owned(), stream: cells[3].to_owned() }
    })
    .collect()
}

fn shown(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("| {} | {} | {} |\n", row.name, row.whole, row.stream)).collect()
}

#[test]
fn the_readme_has_every_scene_with_its_verdict() {
    let parts = [
        super::catalogue::rows,
        super::statuses::rows,
        super::sockets::rows,
        super::cuts::rows,
        super::continued::rows,
        super::formats::rows,
        super::outage::rows,
        super::reload::rows,
    ];
    let rows: Vec<Row> = parts.into_iter().flat_map(|rows| rows()).collect();
    assert_eq!(shown(&written()), shown(&rows));
}
