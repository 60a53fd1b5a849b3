//! `docs/telemetry.md` has a row for every variable that is read, and no other.

use std::cell::RefCell;
use std::collections::BTreeSet;

use outrigger_contract::environment;
use outrigger_exporter::Settings;

/// Where one variable is read only because of another.
const SET: [(&str, &str); 2] =
    [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_METRICS_EXPORTER", "otlp,prometheus")];

/// Every variable that the settings ask for.
fn read() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let get = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        let endpoint = (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then_some("http://localhost:4318");
        let set = SET.iter().find(|(set, _)| *set == name).map(|(_, value)| *value);
        endpoint.or(set).map(str::to_owned)
    };
    Settings::read(None, get).unwrap();
    asked.into_inner()
}

/// The names in the first columns of the document's tables; `{A,B}` stands for either.
fn documented() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/telemetry.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let names =
        rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names
        .flat_map(|name| match name.split_once('{') {
            None => vec![name.to_owned()],
            Some((before, rest)) => {
                let (choices, after) = rest.split_once('}').unwrap();
                choices.split(',').map(|choice| format!("{before}{choice}{after}")).collect()
            }
        })
        .collect()
}

#[test]
fn every_variable_is_documented_and_no_other() {
    let mut read = read();
    // By the sidecar, before the exporter is there.
    read.extend([environment::PROPAGATORS, environment::IN_CLUSTER].map(str::to_owned));
    let documented = documented();
    let missing: Vec<_> = read.difference(&documented).collect();
    let unread: Vec<_> = documented.difference(&read).collect();
    assert!(missing.is_empty() && unread.is_empty(), "not documented: {missing:?}; not read: {unread:?}");
}
