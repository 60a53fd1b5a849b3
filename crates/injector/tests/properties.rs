//! Whatever valid pod comes: its patch makes a valid pod, changes nothing of the user's, and is empty the second time.

use outrigger_injector::{Context, Mode, Options, Reason, Status, patch};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support::pods::{container, options, pod};
use crate::support::{applied, containers, fault, list, text};

/// Every member of the one stands in the other, lists in their order; what `may_differ` is not looked into.
fn survives(old: &Value, new: &Value, at: &str) -> Result<(), String> {
    match (old, new) {
        (Value::Null, _) => Ok(()),
        (Value::Object(old), Value::Object(_)) => old.iter().try_for_each(|(key, value)| {
            let owned = key.starts_with("outrigger.dev/");
            if owned { Ok(()) } else { survives(value, &new[key], &format!("{at}/{key}")) }
        }),
        (Value::Array(old), Value::Array(new)) => {
            let mut left = new.iter();
            old.iter().try_for_each(|one| {
                left.find(|other| survives(one, other, at).is_ok() || is_extended(one, other))
                    .map(|_| ())
                    .ok_or_else(|| format!("{at}: {one} is gone"))
            })
        }
        _ if old == new => Ok(()),
        _ => Err(format!("{at}: {old} became {new}")),
    }
}

/// A list that was appended to, or a reference that was kept under another name.
fn is_extended(old: &Value, new: &Value) -> bool {
    let name = text(old, "name");
    let lists = ["SSL_CERT_DIR", "JAVA_TOOL_OPTIONS", "NO_PROXY", "no_proxy"].contains(&name);
    let longer = text(new, "name") == name && text(new, "value").contains(text(old, "value"));
    let kept = text(new, "name") == format!("OUTRIGGER_ORIG_{name}") && new["valueFrom"] == old["valueFrom"];
    lists && (longer && old["valueFrom"].is_null() || kept)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_patch_makes_a_valid_pod_that_has_all_it_had(pod in pod(), options in options()) {
        let context = Context::default();
        let outcome = patch(&pod, &context, &options);
        let patched = applied(&pod, &outcome.patch);
        prop_assert_eq!(&patched, &outcome.pod);
        prop_assert_eq!(fault(&patched), None);
        prop_assert_eq!(survives(&pod, &patched, ""), Ok(()));
        prop_assert_eq!(&patch(&patched, &context, &options).patch, &Vec::<Value>::new());

        let has = containers(&patched).any(|(is_init, one)| is_init && one["restartPolicy"] == "Always" && text(one, "name") == "outrigger");
        prop_assert!(has || outcome.status != Status::Injected);
        if outcome.status == Status::Injected {
            for (_, one) in containers(&patched).filter(|(_, one)| text(one, "name") != "outrigger") {
                let private = ["outrigger-ca", "outrigger-spool", "outrigger-rules", "outrigger-credentials"];
                let seen = list(one, "volumeMounts").iter().find(|mount| private.contains(&text(mount, "name")));
                prop_assert!(seen.is_none(), "the sidecar's alone: {:?}", seen);
            }
        } else {
            prop_assert_eq!(&patched["spec"], &pod["spec"]);
        }
    }

    #[test]
    fn a_container_that_comes_later_is_led_too_and_nothing_else_moves(
        pod in pod(), later in container(), options in options()
    ) {
        let context = Context::default();
        let first = patch(&pod, &context, &options).pod;
        let mut grown = first.clone();
        grown["spec"]["containers"].as_array_mut().unwrap().push(later);
        prop_assume!(fault(&grown).is_none());
        let second = patch(&grown, &context, &options);
        prop_assert_eq!(fault(&second.pod), None);
        prop_assert_eq!(patch(&second.pod, &context, &options).patch, Vec::<Value>::new());
        if second.status == Status::Kept {
            let at = format!("/spec/containers/{}/", list(&grown["spec"], "containers").len() - 1);
            for operation in &second.patch {
                let path = text(operation, "path");
                let is_told = path == "/metadata/annotations/outrigger.dev~1reason";
                prop_assert!(path.starts_with(&at) || is_told, "{}", operation);
            }
        }
    }

    #[test]
    fn whatever_comes_is_answered(pod in anything()) {
        let outcome = patch(&pod, &Context::default(), &Options::default());
        prop_assert_eq!(applied(&pod, &outcome.patch), outcome.pod);
    }
}

#[test]
fn what_is_said_of_a_container_that_comes_later_is_written_back_too() {
    let of = |pod: &Value| patch(pod, &Context::default(), &Options::default());
    let annotations = json!({"outrigger.dev/mode": "porxy"});
    let first =
        of(&json!({"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "app"}]}}));
    let mut grown = first.pod.clone();
    let later = json!({"name": "later", "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]});
    grown["spec"]["containers"].as_array_mut().unwrap().push(later);
    let second = of(&grown);
    let [warning] = &second.warnings[..] else { panic!("{:?}", second.warnings) };
    assert!(warning.starts_with("container later: HTTPS_PROXY"), "{warning}");
    let told = format!("{}; {warning}", first.reason);
    assert_eq!(second.reason, told);
    assert_eq!(second.pod["metadata"]["annotations"]["outrigger.dev/reason"], told);
    let third = of(&second.pod);
    assert_eq!((third.patch, third.warnings, third.reason), (Vec::new(), Vec::new(), told));
}

#[test]
fn an_app_that_has_our_name_changes_no_mode() {
    let (context, app) =
        (Context::default(), json!({"name": "app", "env": [{"name": "NO_PROXY", "value": "x"}]}));
    for mode in Mode::ALL {
        let options = Options { mode, ..Options::default() };
        let mut grown = patch(&json!({"spec": {"containers": [app]}}), &context, &options).pod;
        grown["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "outrigger-redirect"}));
        let second = patch(&grown, &context, &options);
        let redirects =
            containers(&grown).any(|(is_init, one)| is_init && text(one, "name") == "outrigger-redirect");
        assert!(redirects || second.patch.is_empty(), "{mode:?}: {:?}", second.patch);
    }
}

#[test]
fn where_ours_cannot_be_nothing_is_broken() {
    let of = |pod: &Value| patch(pod, &Context::default(), &Options::default());
    let app = json!({"name": "app", "image": "app:1"});
    // A sidecar and a volume of our names that somebody else made.
    let sidecar = json!({"name": "outrigger", "image": "boat:1", "restartPolicy": "Always"});
    let theirs = of(&json!({"spec": {
        "initContainers": [sidecar], "containers": [app], "volumes": [{"name": "outrigger-ca", "emptyDir": {}}],
    }}));
    assert_eq!(theirs.status, Status::Skipped(Reason::NameConflict));

    let mut with_device = app.clone();
    with_device["volumeDevices"] = json!([{"name": "b", "devicePath": "/var/run/outrigger/trust"}]);
    let outcome = of(&json!({"spec": {
        "containers": [with_device], "volumes": [{"name": "b", "persistentVolumeClaim": {"claimName": "b"}}],
    }}));
    assert!(outcome.reason.contains("a device of its own"), "{}", outcome.reason);
    assert_eq!(fault(&outcome.pod), None);

    for (length, has_room) in [(262_000, false), (261_000, true)] {
        let pod =
            json!({"metadata": {"annotations": {"long": "x".repeat(length)}}, "spec": {"containers": [app]}});
        let outcome = of(&pod);
        assert_eq!((outcome.status, fault(&outcome.pod)), (Status::Injected, None));
        let written = &outcome.pod["metadata"]["annotations"]["outrigger.dev/status"];
        assert_eq!(written == "injected", has_room);
    }
}

/// JSON that looks like a pod here and there.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z$()]{0,4}".prop_map(Value::from)
    ];
    let keys = vec![
        "spec",
        "metadata",
        "containers",
        "initContainers",
        "volumes",
        "env",
        "name",
        "value",
        "valueFrom",
        "volumeMounts",
        "annotations",
        "labels",
        "resources",
        "securityContext",
        "envFrom",
        "limits",
    ];
    leaf.prop_recursive(6, 64, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((select(keys.clone()), inner), 0..5).prop_map(|all| all
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}
