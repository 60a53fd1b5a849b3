//! What is rendered, shown to a real API server, which makes nothing of it.

use outrigger_tests::node::Node;
use serde_json::json;
use yaml_rust2::{Yaml, YamlEmitter};

use super::{CASES, NAMESPACE, documents, rendered, word};

/// Kinds that other projects bring.
const FOREIGN: [&str; 2] = ["monitoring.coreos.com/v1", "cert-manager.io/v1"];

#[test]
fn an_api_server_takes_every_rendering() {
    let node = Node::start();
    let namespaces = [NAMESPACE, "shop", "billing"];
    node.apply(
        &namespaces.map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})),
    );
    for case in CASES {
        let all = documents(&rendered("helm3", case));
        let known: Vec<&Yaml> =
            all.iter().filter(|one| !FOREIGN.contains(&word(&one["apiVersion"]))).collect();
        let mut text = String::new();
        for one in &known {
            YamlEmitter::new(&mut text).dump(one).expect("YAML");
            text.push('\n');
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("rendered.yaml");
        std::fs::write(&path, text).expect("a temporary file");
        let path = path.to_string_lossy();
        let words = ["apply", "--dry-run=server", "--validate=strict", "--output=name", "--filename", &path];
        let taken = node.ask(&words).unwrap_or_else(|fault| panic!("{case}: {fault}"));
        assert_eq!(taken.lines().count(), known.len(), "{case}: {taken}");
    }
}
