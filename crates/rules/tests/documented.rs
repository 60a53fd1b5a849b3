//! What is generated of the code is up to date: `docs/rules.schema.json` and the reference part of `docs/rules.md`. Write them anew
//! with `OUTRIGGER_WRITE_GOLDENS=1 cargo test -p outrigger-rules --test integration documented::`.

use std::path::{Path, PathBuf};

use outrigger_rules::reference;

const BEGIN: &str = "<!-- generated: every key -->\n\n";
const END: &str = "<!-- end -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn compare(path: &Path, expected: &str) {
    if std::env::var_os("OUTRIGGER_WRITE_GOLDENS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is stale; the first line of this file says how to write it anew",
        path.display()
    );
}

#[test]
fn the_schemas_are_those_of_the_code() {
    for (name, schema) in [
        ("rules.schema.json", reference::schema()),
        ("rules-examples.schema.json", reference::examples_schema()),
    ] {
        compare(&docs(name), &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
    }
}

#[test]
fn the_reference_is_that_of_the_code() {
    let path = docs("rules.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    compare(&path, &format!("{before}{BEGIN}{}{END}{after}", reference::markdown()));
}
