//! Spans of the control plane are of the control plane: none where traffic is, and every one of them documented.

use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../../../docs/logs.md");

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn in_crate(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    sources(&folder).into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The names of the spans that a source makes.
fn names(text: &str) -> Vec<String> {
    let made = ["control_span!(\"", "target: CONTROL, \"", "target: CONTROL, parent: None, \""];
    let rests = made.iter().flat_map(|beginning| text.split(beginning).skip(1));
    rests.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn connections_calls_and_frames_have_no_span() {
    for folder in ["src/exchange", "src/downstream", "src/upstream"] {
        let files = in_crate(folder);
        assert!(files.len() > 4, "{folder}");
        for (path, text) in files {
            for word in ["span!", "instrument", "CONTROL", "in_scope", "crate::control"] {
                assert!(!text.contains(word), "{} speaks of `{word}`", path.display());
            }
        }
    }
}

#[test]
fn every_span_stands_in_the_document() {
    let mut made: Vec<String> = in_crate("src").iter().flat_map(|(_, text)| names(text)).collect();
    made.extend(in_crate("../exporter/src").iter().flat_map(|(_, text)| names(text)));
    made.sort();
    made.dedup();
    for name in &made {
        assert!(DOCUMENT.contains(&format!("| `{name}` |")), "{name} is not documented");
    }
    for known in ["admin", "authority", "drain", "export", "publishing", "reload", "settings", "start"] {
        assert!(made.iter().any(|name| name == known), "{known} is missing in {made:?}");
    }
}
