//! What is rendered, shown to a real API server, which makes nothing of it. Kinds of other projects are known by their own definitions.

use outrigger_tests::node::Node;
use outrigger_tests::setting;
use serde_json::json;
use yaml_rust2::{Yaml, YamlEmitter};

use super::{CASES, NAMESPACE, documents, rendered, word};
use crate::shore::shore;

/// What the API server says of documents, or why it takes one not.
fn show(node: &Node, documents: &[Yaml]) -> Result<String, String> {
    let mut text = String::new();
    for one in documents {
        YamlEmitter::new(&mut text).dump(one).expect("YAML");
        text.push('\n');
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("rendered.yaml");
    std::fs::write(&path, text).expect("a temporary file");
    let path = path.to_string_lossy();
    node.ask(&["apply", "--dry-run=server", "--validate=strict", "--output=name", "--filename", &path])
}

#[test]
fn an_api_server_takes_every_rendering() {
    let node = shore();
    let definitions = setting("OUTRIGGER_TEST_DEFINITIONS");
    node.kubectl(&["apply", "--server-side", "--filename", &definitions]);
    node.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "--filename", &definitions]);
    let namespaces = [NAMESPACE, "shop", "billing"];
    node.apply(
        &namespaces.map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})),
    );
    for case in CASES {
        let all = documents(&rendered("helm3", case));
        let taken = show(&node, &all).unwrap_or_else(|fault| panic!("{case}: {fault}"));
        assert_eq!(taken.lines().count(), all.len(), "{case}: {taken}");
        for monitor in all.into_iter().filter(|one| word(&one["kind"]).ends_with("Monitor")) {
            // What the operator would not know is not taken.
            let mut text = String::new();
            YamlEmitter::new(&mut text).dump(&monitor).expect("YAML");
            let wrong = documents(&text.replace("selector:", "selectors:"));
            let fault = show(&node, &wrong).expect_err("it has another key");
            assert!(fault.contains("spec.selectors"), "{fault}");
        }
    }
}
