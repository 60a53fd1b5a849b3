//! One rich request of every format, as every other one is asked it: `golden/translation/FROM/request.json` and beside it what is sent
//! (`TO.json`). After a change that is meant, write them anew with
//! `OUTRIGGER_WRITE_GOLDENS=1 cargo test -p outrigger-providers --test integration translation_golden::`, and read the difference.

use std::path::Path;

use serde_json::{Value, json};

use crate::talks::{SIDES, translated};

#[test]
fn every_format_asks_every_other_as_it_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/translation");
    let mut stale = Vec::new();
    for from in SIDES {
        let folder = folder.join(from.dialect);
        let body: Value =
            serde_json::from_slice(&std::fs::read(folder.join("request.json")).unwrap()).unwrap();
        for to in SIDES.into_iter().filter(|to| to.dialect != from.dialect) {
            let outgoing = translated(from, to, &body, true).unwrap();
            let headers: Vec<String> = outgoing
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            let losses: Vec<String> = outgoing.losses.iter().map(ToString::to_string).collect();
            let sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
            let told = json!({"path": outgoing.path, "headers": headers, "losses": losses, "names": outgoing.names, "body": sent});
            let told = format!("{}\n", serde_json::to_string_pretty(&told).unwrap());
            let golden = folder.join(format!("{}.json", to.dialect));
            if std::env::var_os("OUTRIGGER_WRITE_GOLDENS").is_some() {
                std::fs::write(&golden, &told).unwrap();
            }
            if std::fs::read_to_string(&golden).unwrap_or_default() != told {
                stale.push(golden);
            }
        }
    }
    assert!(stale.is_empty(), "{stale:?} differ; the first lines of this file say how to write them anew");
}
