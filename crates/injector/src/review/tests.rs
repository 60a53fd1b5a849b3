use serde_json::{Value, json};

use super::*;

fn pod_review() -> Value {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "operation": "CREATE", "namespace": "shop",
            "object": {"metadata": {"generateName": "shop-"}, "spec": {"containers": [{"name": "app"}]}},
        },
    })
}

fn rules_review(document: &str) -> Value {
    let mut review = pod_review();
    review["request"]["kind"]["kind"] = json!("ConfigMap");
    review["request"]["object"] =
        json!({"metadata": {"name": "outrigger-rules"}, "data": {"rules.yaml": document}});
    review
}

fn answered(review: &Value, asked: Asked) -> Answer {
    answer(review.to_string().as_bytes(), asked, &Options::default())
}

const PODS: Asked = Asked::Pods(Mode::BaseUrl);
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

fn patch_of(answer: &Answer) -> Vec<Value> {
    let encoded = answer.body["response"]["patch"].as_str().unwrap();
    serde_json::from_slice(&STANDARD.decode(encoded).unwrap()).unwrap()
}

#[test]
fn a_pod_is_admitted_with_the_patch_of_the_paths_mode() {
    for mode in [Mode::BaseUrl, Mode::Transparent] {
        let answer = answered(&pod_review(), Asked::Pods(mode));
        assert_eq!((answer.result, answer.of.as_str()), (Result::Injected, "shop/shop-"));
        let response = &answer.body["response"];
        assert_eq!(
            (&response["uid"], &response["allowed"], &response["patchType"]),
            (&json!(UID), &json!(true), &json!("JSONPatch"))
        );
        assert_eq!(answer.body["apiVersion"], "admission.k8s.io/v1");
        let patch = Value::from(patch_of(&answer)).to_string();
        assert_eq!(patch.contains("outrigger-redirect"), mode == Mode::Transparent);
    }
}

#[test]
fn warnings_are_shown_and_are_short() {
    let mut review = pod_review();
    review["request"]["object"]["metadata"]["annotations"] = json!({"outrigger.dev/mode": "x".repeat(999)});
    review["request"]["object"]["spec"]["containers"][0]["env"] =
        json!([{"name": "OPENAI_BASE_URL", "value": "https://gateway"}]);
    let answer = answered(&review, PODS);
    let warnings = answer.body["response"]["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[0].as_str().unwrap().starts_with("outrigger: annotation outrigger.dev/mode is"),
        "{warnings:?}"
    );
    assert!(warnings.iter().all(|warning| warning.as_str().unwrap().chars().count() <= 256));
}

#[test]
fn the_namespace_of_the_request_counts() {
    let mut review = pod_review();
    review["request"]["namespace"] = json!("kube-system");
    let answer = answered(&review, PODS);
    assert_eq!(answer.result, Result::Skipped(Reason::SystemNamespace));
    assert_eq!(answer.body["response"]["allowed"], true);
}

#[test]
fn what_is_not_understood_is_admitted_as_it_is() {
    let with = |path: &str, value: Value| {
        let mut review = pod_review();
        *review.pointer_mut(path).unwrap() = value;
        review.to_string()
    };
    for (body, result, uid) in [
        (String::new(), Result::NotAReview, ""),
        ("<html>".to_owned(), Result::NotAReview, ""),
        ("[]".to_owned(), Result::NotAReview, ""),
        (pod_review().to_string().replace("\"namespace\"", "namespace"), Result::NotAReview, UID),
        (with("/kind", json!("Pod")), Result::NotAReview, UID),
        (with("/request", json!(null)), Result::NotAReview, ""),
        (with("/apiVersion", json!("admission.k8s.io/v2")), Result::OtherVersion, UID),
        (with("/request/kind/kind", json!("Deployment")), Result::OtherKind, UID),
        (with("/request/kind/version", json!("v2")), Result::OtherKind, UID),
        (with("/request/operation", json!("UPDATE")), Result::OtherKind, UID),
        (with("/request/object", json!(null)), Result::OtherKind, UID),
        (with("/request/object/spec", json!([1])), Result::Skipped(Reason::Malformed), UID),
    ] {
        let answer = answer(body.as_bytes(), PODS, &Options::default());
        assert_eq!(answer.result, result, "{body}");
        let response = &answer.body["response"];
        assert_eq!(
            (&response["uid"], &response["allowed"], &response["patch"]),
            (&json!(uid), &json!(true), &Value::Null),
            "{body}"
        );
    }
    // It is answered in its own version.
    assert_eq!(
        answered(&serde_json::from_str(&with("/apiVersion", json!("admission.k8s.io/v2"))).unwrap(), PODS)
            .body["apiVersion"],
        "admission.k8s.io/v2"
    );
}

#[test]
fn a_panic_admits_the_pod() {
    let body = pod_review().to_string();
    let answer = guarded(body.as_bytes(), || panic!("a fault of ours"));
    assert_eq!(answer.result, Result::Panic);
    assert_eq!(answer.body["response"], json!({"uid": UID, "allowed": true}));
}

#[test]
fn bad_rules_are_refused_with_line_and_mend() {
    let answer = answered(&rules_review("version: 1\nmode: observ\n"), Asked::Rules);
    let response = &answer.body["response"];
    assert_eq!(
        (answer.result, &response["allowed"], &response["status"]["code"]),
        (Result::Refused, &json!(false), &json!(422))
    );
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("rules.yaml:2:7: mode: ") && message.contains("observe"), "{message}");

    let answer = answered(&rules_review("version: 1\nmode: observe\n"), Asked::Rules);
    assert_eq!((answer.result, &answer.body["response"]["allowed"]), (Result::Good, &json!(true)));
}

#[test]
fn the_ceiling_of_providers_and_the_cluster_count_for_rules() {
    let backup = |credential: &str| {
        format!(
            "version: 1\nmode: observe\nbackups:\n  b: {{provider: anthropic, credential: {{{credential}}}}}\n"
        )
    };
    let options = Options { allowed_providers: Some(vec!["bedrock".to_owned()]), ..Options::default() };
    let refused = |document: &str, options: &Options| {
        let review = rules_review(document).to_string();
        answer(review.as_bytes(), Asked::Rules, options).reason
    };
    assert!(refused(&backup("file: a"), &options).contains("rules.yaml:4:"));
    assert!(refused(&backup("env: A"), &Options::default()).contains("files only"));
    assert_eq!(refused(&backup("file: a"), &Options::default()), "");
}

#[test]
fn rules_that_are_not_changed_stop_nobody() {
    let mut review = rules_review("nonsense");
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["oldObject"] = review["request"]["object"].clone();
    let answer = answered(&review, Asked::Rules);
    assert_eq!((answer.result, &answer.body["response"]["allowed"]), (Result::Unchanged, &json!(true)));
    review["request"]["object"]["data"] = json!({"rules.yml": "version: 1"});
    let answer = answered(&review, Asked::Rules);
    assert_eq!(answer.result, Result::Unchanged);
    assert!(answer.body["response"]["warnings"][0].as_str().unwrap().contains("`rules.yaml`"));
}
