use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::inject::Status;
use crate::options::Mode;

fn options() -> Options {
    Options { mode: Mode::BaseUrl, ..Options::default() }
}

fn injected(text: &str) -> Manifests {
    manifests(text, None, &options()).unwrap()
}

const SERVICE: &str =
    "# the shop's door\napiVersion: v1\nkind: Service\nmetadata: {name:   shop} # odd, and kept\n";

#[test]
fn documents_without_pods_stay_byte_for_byte() {
    let crd =
        "---\nkind: Rollout\napiVersion: argoproj.io/v1\nspec: {template: {spec: {containers: []}}}\n... \n";
    let odd = "--- !custom\na: &x !tag 1\n<<: *x\n";
    for text in [
        SERVICE,
        "",
        "---\n",
        "# nothing\n",
        &format!("{SERVICE}---\n---\n{crd}{odd}"),
        "a: 1",
        "\u{feff}a: 1\r\n",
    ] {
        let done = injected(text);
        assert_eq!((done.text.as_str(), done.pods.len()), (text, 0));
    }
}

#[test]
fn every_kind_with_a_pod_gets_its_sidecar_and_says_whose_it_was() {
    let pod = "{spec: {containers: [{name: app, image: shop}]}}";
    for (kind, at, versions) in KINDS {
        let mut body = pod.to_owned();
        for part in at.rsplit('/').filter(|part| !part.is_empty()) {
            body = format!("{{{part}: {body}}}");
        }
        let version = if versions[0] == "v1" { "v1".to_owned() } else { format!("{}v1", versions[0]) };
        let body = body.strip_prefix('{').unwrap();
        let text = format!(
            "---\n# a head\n{{apiVersion: {version}, kind: {kind}, metadata: {{name: shop}}, {body}\n"
        );
        let done = injected(&text);
        assert_eq!(done.pods[0].of, format!("{kind} shop"), "{text}");
        assert_eq!(done.pods[0].outcome.status, Status::Injected, "{text}");
        assert!(done.text.starts_with("---\n# a head\napiVersion"), "{}", done.text);
        let read = injected(&done.text);
        assert_eq!(
            read.documents[0].pointer(&format!("{at}/spec")),
            done.pods[0].outcome.pod.pointer("/spec"),
            "{kind}"
        );
        // Once more is nothing more.
        assert_eq!((read.text, read.pods[0].outcome.status), (done.text, Status::Kept));
    }
}

#[test]
fn lists_and_documents_of_both_sorts_are_gone_through() {
    let list = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostNetwork: yes, containers: [{name: a}]}}\n\
                - {apiVersion: v1, kind: Pod, metadata: {generateName: b-}, spec: {containers: [{name: b}]}}\n";
    let text = format!("{SERVICE}{list}---\n{SERVICE}");
    let done = injected(&text);
    assert!(done.text.starts_with(SERVICE), "{}", done.text);
    let told: Vec<_> = done.pods.iter().map(|pod| (pod.of.as_str(), pod.outcome.reason.as_str())).collect();
    assert_eq!(told[1], ("Pod b-", ""));
    assert!(told[0].0 == "Pod a" && told[0].1.starts_with("host-network"), "{told:?}");
    assert!(done.text.ends_with(&format!("\n---\n{SERVICE}")), "{}", done.text);
    assert_eq!(done.documents.len(), 3);
}

#[test]
fn what_readers_disagree_on_is_written_as_it_was() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels: {a: \"yes\", b: '1e3', c: |\n    x\n    y\n    , d: !!str 12}\nspec:\n  volumes:\n  - name: c\n    secret: {secretName: c, defaultMode: 0644}\n  \
                containers:\n  - name: app\n    args:\n    - 'on'\n    - \"\\u2028\\t\\\"\"\n    - \"#!/bin/sh\\n  run\\n\"\n    - >-\n      folded\n      text\n    - {}\n    - []\n    - ~\n    -\n";
    let text = text.replace(", c: |\n    x\n    y\n    , d", ", d");
    let done = injected(&text);
    for part in [
        "defaultMode: 0644",
        "a: \"yes\"",
        "b: \"1e3\"",
        "d: \"12\"",
        "- \"on\"",
        "- \"\\u2028\\t\\\"\"",
        "- |\n      #!/bin/sh\n        run\n",
        "- \"folded text\"",
        "- {}",
        "- []",
        "- ~\n",
    ] {
        assert!(done.text.contains(part), "{part}: {}", done.text);
    }
    let (before, after) = (&injected(&text).documents[0], &injected(&done.text).documents[0]);
    assert_eq!(before["spec"]["containers"][0]["args"], after["spec"]["containers"][0]["args"]);
    assert_eq!(after["spec"]["volumes"][0]["secret"]["defaultMode"], 420);
}

#[test]
fn what_cannot_be_read_or_written_again_is_named_by_its_line() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: app\n";
    for (text, line, part) in [
        (format!("{SERVICE}---\na: [1\n"), 7, "no YAML"),
        (format!("{pod}  x: !odd 1\n"), 6, "tag"),
        (format!("{SERVICE}---\n{pod}  <<: {{a: 1}}\n"), 11, "merge"),
        (format!("{pod}  x: &x [*x]\n"), 6, "alias"),
        (format!("{pod}...\n{pod}"), 7, "`---`"),
    ] {
        let fault = manifests(&text, None, &options()).unwrap_err();
        assert!(fault.what.contains(part), "{fault} of {text}");
        assert_eq!(fault.line, line, "{fault} of {text}");
    }
    let bomb = (1..30)
        .fold("x0: &x0 [1, 1]\n".to_owned(), |text, n| format!("{text}x{n}: &x{n} [*x{0}, *x{0}]\n", n - 1));
    assert!(manifests(&bomb, None, &options()).unwrap_err().what.contains("aliases"));
    assert!(
        manifests(&("[".repeat(200) + &"]".repeat(200)), None, &options())
            .unwrap_err()
            .what
            .contains("levels")
    );
}

#[test]
fn a_marker_with_a_value_behind_it_still_parts_documents() {
    let text = "--- {apiVersion: v1, kind: Pod, spec: {containers: [{name: a}]}}\n".repeat(2);
    let done = injected(&text);
    assert_eq!((done.pods.len(), done.documents.len()), (2, 2));
    assert_eq!(injected(&done.text).text, done.text);
    assert_eq!(done.text.matches("---\n").count(), 2, "{}", done.text);
}

#[test]
fn aliases_are_written_out() {
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  x: &x [1, two]\n  y: *x\n  containers:\n  - name: app\n";
    let done = injected(text);
    assert!(done.text.contains("  y:\n  - 1\n  - two\n"), "{}", done.text);
}

/// The examples of this repository are manifests too, where there are any.
#[test]
fn the_examples_are_read() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for folder in std::fs::read_dir(examples).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert_eq!(injected(&text).text, text);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        ".*",
        "[a-z:# \\n\\t'\"|>&*!%@`{}\\[\\],?-]{0,12}",
        "(y|no|On|0x1|1e3|012|~|null|-|=|<<|1:20|2001-01-01)"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.clone().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(annotation in value()) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a"}], "future": annotation}});
        let text = serde_json::to_string(&pod).unwrap();
        let done = injected(&text);
        let read = injected(&done.text);
        prop_assert_eq!(&read.documents[0]["spec"]["future"], &annotation, "{}", done.text);
        prop_assert_eq!(read.pods[0].outcome.status, Status::Kept);
        // Another reader of YAML sees the same texts.
        let other = yaml_rust2::YamlLoader::load_from_str(&done.text).unwrap();
        prop_assert_eq!(other.len(), 1);
        prop_assert!(same_texts(&annotation, &other[0]["spec"]["future"]), "{}", done.text);
    }
}

fn same_texts(ours: &Value, theirs: &yaml_rust2::Yaml) -> bool {
    match ours {
        Value::String(text) => theirs.as_str() == Some(text),
        Value::Array(items) => theirs.as_vec().is_some_and(|all| {
            all.len() == items.len() && items.iter().zip(all).all(|(one, other)| same_texts(one, other))
        }),
        Value::Object(members) => members.iter().all(|(key, value)| same_texts(value, &theirs[key.as_str()])),
        _ => true,
    }
}
