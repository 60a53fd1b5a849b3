//! The corpora as tests: what was found once is held for good.

use std::collections::HashSet;
use std::path::PathBuf;

use super::targets;

#[test]
fn every_target_has_a_corpus_and_holds_for_all_of_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut folders: HashSet<String> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for target in targets() {
        assert!(folders.remove(&target.name), "{} has no corpus", target.name);
        let mut files = 0;
        for entry in std::fs::read_dir(root.join(&target.name)).unwrap() {
            (target.run)(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "{} has an empty corpus", target.name);
    }
    assert!(folders.is_empty(), "no target is named {folders:?}");
}
