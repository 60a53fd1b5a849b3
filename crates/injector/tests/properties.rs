//! Whatever valid pod comes: its patch makes a valid pod, changes nothing of the user's, and is empty the second time.

use outrigger_injector::{Context, Mode, Options, Status, patch};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

mod support;
use support::{applied, containers, fault, list, text};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z][a-z0-9]{0,5}",
        1 => select(vec!["istio-proxy", "linkerd-init", "outrigger", "outrigger-redirect", "daprd"]).prop_map(str::to_owned),
    ]
}

fn variable() -> impl Strategy<Value = Value> {
    let names = vec![
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "DENO_CERT",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "NO_PROXY",
        "no_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "AZURE_OPENAI_API_KEY",
        "OPENAI_API_KEY",
        "NODE_USE_ENV_PROXY",
        "OTHER",
    ];
    let values = vec![
        json!({"value": ""}),
        json!({}),
        json!({"value": "/some/where"}),
        json!({"value": "-Xmx1g $(OTHER)"}),
        json!({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        json!({"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}}),
        json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
    ];
    (select(names), select(values)).prop_map(|(name, mut value)| {
        value["name"] = json!(name);
        value
    })
}

fn container() -> impl Strategy<Value = Value> {
    let mounts = vec![
        "/data",
        "/var/run",
        "/run",
        "/",
        "/var/run/outrigger/trust",
        "/var/run/outrigger/trust/x",
        "/etc",
    ];
    let resources = vec![
        Value::Null,
        json!({}),
        json!({"limits": {"cpu": 1, "memory": "1Gi"}}),
        json!({"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}),
    ];
    let env = prop::option::of(prop::collection::vec(variable(), 0..5));
    let mounts = prop::option::of(subsequence(mounts, 0..3));
    (name(), env, mounts, any::<bool>(), select(resources), prop::option::of(any::<bool>()), any::<u8>())
        .prop_map(|(name, env, mounts, read_only, resources, from, future)| {
            let mounts = mounts.map(|paths| {
                let mount = |path| json!({"name": "v", "mountPath": path, "readOnly": read_only});
                paths.into_iter().map(mount).collect::<Vec<_>>()
            });
            let from = from.map(
                |prefix| json!([{"prefix": if prefix { "X_" } else { "" }, "secretRef": {"name": "s"}}]),
            );
            json!({"name": name, "env": env, "volumeMounts": mounts, "resources": resources, "envFrom": from,
                   "future": {"field": future}})
        })
}

fn pod() -> impl Strategy<Value = Value> {
    let annotations = vec![
        ("outrigger.dev/mode", "proxy"),
        ("outrigger.dev/mode", "base-url"),
        ("outrigger.dev/mode", "?"),
        ("outrigger.dev/trust-java", "true"),
        ("outrigger.dev/ignore-env-from", "true"),
        ("outrigger.dev/resources", "cpu=1"),
        ("outrigger.dev/status", "old"),
        ("outrigger.dev/reason", "old"),
        ("team", "x"),
    ];
    let sources = vec![
        json!({"emptyDir": {}}),
        json!({"configMap": {"name": "c"}}),
        json!({"hostPath": {"path": "/run"}}),
    ];
    let flags = vec!["hostNetwork", "shareProcessNamespace", "automountServiceAccountToken", "future"];
    (
        prop::option::of(prop::collection::vec((container(), any::<bool>()), 0..3)),
        prop::collection::vec(container(), 1..4),
        prop::option::of(subsequence(annotations, 0..5)),
        select(sources),
        subsequence(flags, 0..3),
        any::<bool>(),
    )
        .prop_map(|(init, apps, annotations, mut volume, flags, has_metadata)| {
            volume["name"] = json!("v");
            let init = init.map(|init| {
                let with_policy = |(mut one, stays): (Value, bool)| {
                    if stays {
                        one["restartPolicy"] = json!("Always");
                    }
                    one
                };
                init.into_iter().map(with_policy).collect::<Vec<_>>()
            });
            let mut spec = json!({"initContainers": init, "containers": apps, "volumes": [volume]});
            for flag in flags {
                spec[flag] = json!(flag != "automountServiceAccountToken");
            }
            let annotations: Option<Map<String, Value>> = annotations
                .map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect());
            if has_metadata {
                json!({"metadata": {"annotations": annotations, "future": 1}, "spec": spec})
            } else {
                json!({"spec": spec})
            }
        })
        .prop_filter("a pod that the API server takes", |pod| fault(pod).is_none())
}

fn options() -> impl Strategy<Value = Options> {
    select(Mode::ALL.to_vec()).prop_map(|mode| Options { mode, ..Options::default() })
}

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
                prop_assert!(text(operation, "path").starts_with(&at), "{}", operation);
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
