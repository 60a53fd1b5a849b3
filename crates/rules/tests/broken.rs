//! Documents that are wrong: each is refused with every fault of it, at its line and column, with its path and its mend.
//!
//! What is said of `NAME.yaml` stands in `NAME.faults`. After a change that is meant, write it anew with
//! `OUTRIGGER_WRITE_GOLDENS=1 cargo test -p outrigger-rules --test integration broken::`, and read the difference.

use std::fmt::Write as _;
use std::path::Path;

use outrigger_pricing::PriceBook;
use outrigger_rules::{Policy, Site, Translation};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

#[test]
fn every_broken_document_is_refused_for_what_is_wrong_with_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let book = PriceBook::builtin();
    let site = Site { book, now: NOW, allowed_providers: None, in_cluster: false, gate: &Translation };
    let mut count = 0;
    let mut stale = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let refused = Policy::read(&std::fs::read(&path).unwrap(), &site).unwrap_err();
        assert!(refused.faults.iter().any(outrigger_rules::Fault::is_error), "{path:?}");
        let told = format!("{refused}\n");
        let golden = path.with_extension("faults");
        if std::env::var_os("OUTRIGGER_WRITE_GOLDENS").is_some() {
            std::fs::write(&golden, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if told != expected {
            writeln!(stale, "{}\n is {told} not {expected}", path.display()).unwrap();
        }
    }
    assert!(stale.is_empty(), "{stale}");
    assert!(count >= 50, "{count}");
}
