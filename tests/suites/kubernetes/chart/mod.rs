//! The chart, rendered by Helm 3 and Helm 4 over a matrix of values, and what it may never render.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use outrigger_contract::VERSION;
use outrigger_tests::chart::{self, Parameters};
use outrigger_tests::{file, setting};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

mod given;
mod notes;
mod refused;
mod taken;
mod tried;

/// The release's namespace.
const NAMESPACE: &str = "outrigger-system";
/// Files of values; without one the defaults.
const CASES: [&str; 5] = ["defaults", "everything", "least", "files", "cert-manager"];
const MAJORS: [&str; 2] = ["helm3", "helm4"];

fn helm(major: &str, words: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(PathBuf::from(setting("OUTRIGGER_TEST_HELM")).join(major));
    for variable in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
        command.env(variable, home.path());
    }
    command.args(words).output().expect("helm can be run")
}

pub(crate) fn template(major: &str, more: &[&str]) -> Result<String, String> {
    template_of(major, &folder(), more)
}

/// The same of a chart in another folder.
fn template_of(major: &str, chart: &str, more: &[&str]) -> Result<String, String> {
    let mut words = vec!["template", "outrigger", chart, "--namespace", NAMESPACE];
    words.extend(more);
    let output = helm(major, &words);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// What a case is rendered to.
fn rendered(major: &str, case: &str) -> String {
    let values = file(&format!("suites/kubernetes/values/{case}.yaml")).to_string_lossy().into_owned();
    let more = if case == "defaults" { vec![] } else { vec!["--values", &values] };
    template(major, &more).unwrap_or_else(|fault| panic!("{case}: {fault}"))
}

fn folder() -> String {
    file("../helm/outrigger").to_string_lossy().into_owned()
}

/// The documents, as every reader of YAML has them.
fn documents(text: &str) -> Vec<Yaml> {
    let all = YamlLoader::load_from_str(text).unwrap_or_else(|fault| panic!("no YAML: {fault}\n{text}"));
    all.into_iter().filter(|one| !one.is_null() && !one.is_badvalue()).collect()
}

fn of_kind(case: &str, kind: &str) -> Vec<Yaml> {
    documents(&rendered("helm3", case)).into_iter().filter(|one| word(&one["kind"]) == kind).collect()
}

/// By kind, namespace and name.
fn by_name(text: &str) -> BTreeMap<[String; 3], Yaml> {
    let name = |one: &Yaml| {
        [&one["kind"], &one["metadata"]["namespace"], &one["metadata"]["name"]]
            .map(|part| word(part).to_owned())
    };
    let all: BTreeMap<_, _> = documents(text).into_iter().map(|one| (name(&one), one)).collect();
    assert_eq!(all.len(), documents(text).len(), "a name is given twice");
    all
}

fn word(value: &Yaml) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(value: &Yaml) -> Vec<&str> {
    value.as_vec().into_iter().flatten().map(word).collect()
}

/// Every pod that the chart brings, by what makes it.
fn pods(case: &str) -> Vec<Yaml> {
    documents(&rendered("helm3", case))
        .into_iter()
        .filter_map(|one| match word(&one["kind"]) {
            "Deployment" => Some(one["spec"]["template"].clone()),
            "Pod" => Some(one),
            _ => None,
        })
        .collect()
}

#[test]
fn lint_finds_nothing() {
    for major in MAJORS {
        for case in CASES {
            let (chart, values) = (folder(), file(&format!("suites/kubernetes/values/{case}.yaml")));
            let values = values.to_string_lossy().into_owned();
            let mut words = vec!["lint", "--strict", "--quiet", &chart];
            if case != "defaults" {
                words.extend(["--values", &values]);
            }
            let output = helm(major, &words);
            assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn every_helm_renders_the_same_and_does_so_again() {
    for case in CASES {
        let first = rendered("helm3", case);
        assert_eq!(first, rendered("helm3", case), "{case}");
        // Each has an order of its own for kinds.
        let (one, other) = (by_name(&first), by_name(&rendered("helm4", case)));
        assert!(one.keys().eq(other.keys()), "{case}: {:?} {:?}", one.keys(), other.keys());
        for (name, document) in &one {
            assert!(other[name] == *document, "{case}: {name:?} differs");
        }
    }
    // What would differ from one rendering to the next, or between a cluster and a repository.
    for template in chart::list(&file("../helm/outrigger/templates"), "yaml") {
        let text = std::fs::read_to_string(&template).expect("a template");
        for word in
            ["lookup", "genCA", "genSelf", "genSigned", "genPrivateKey", "rand", "uuidv4", "now", "htpasswd"]
        {
            let calls = text.split(|one: char| !one.is_ascii_alphanumeric()).any(|one| one == word);
            let in_prose = text.lines().any(|line| line.trim_start().starts_with('#') && line.contains(word));
            assert!(!calls || in_prose, "{} calls {word}", template.display());
        }
    }
}

#[test]
fn what_is_rendered_is_what_was_looked_at() {
    for case in CASES {
        let text = rendered("helm3", case);
        // Alerts and dashboards are compared with their own files.
        let looked_at = text
            .split("\n---\n")
            .filter(|one| !one.contains("kind: PrometheusRule") && !one.contains("outrigger-dashboard-"))
            .collect::<Vec<_>>()
            .join("\n---\n");
        insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(case, looked_at.replace(VERSION, "VERSION"));
        });
    }
}

#[test]
fn the_injector_may_do_no_more_than_keep_its_own_certificate() {
    let mut rights = BTreeSet::new();
    for case in CASES {
        for kind in ["Role", "ClusterRole"] {
            for role in of_kind(case, kind) {
                for rule in role["rules"].as_vec().expect("rules") {
                    let (resources, names) = (words(&rule["resources"]), words(&rule["resourceNames"]));
                    let line = format!("{case} {kind} {resources:?} {names:?} {:?}", words(&rule["verbs"]));
                    rights.insert(line);
                }
            }
        }
        for kind in ["RoleBinding", "ClusterRoleBinding"] {
            for binding in of_kind(case, kind) {
                assert_eq!(words_of(&binding["subjects"], "name"), ["outrigger-injector"]);
                assert_eq!(words_of(&binding["subjects"], "namespace"), [NAMESPACE]);
            }
        }
    }
    // No pods, no namespaces, nothing of apps, nothing for all names but to make what is not there yet.
    let of_self = |case: &str| {
        [
            r#"ClusterRole ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] ["outrigger"] ["get", "patch"]"#,
            r#"Role ["deployments"] ["outrigger-injector"] ["get"]"#,
            r#"Role ["leases"] ["outrigger-injector"] ["get", "update"]"#,
            r#"Role ["leases"] [] ["create"]"#,
            r#"Role ["secrets"] ["outrigger-injector-certificate"] ["get", "update"]"#,
            r#"Role ["secrets"] [] ["create"]"#,
        ]
        .map(|right| format!("{case} {right}"))
    };
    let expected: BTreeSet<String> = of_self("defaults").into_iter().chain(of_self("least")).collect();
    assert_eq!(rights, expected);
    // Whose certificate comes from elsewhere has no token at all.
    for (case, has_token) in [("defaults", true), ("files", false), ("cert-manager", false)] {
        let [deployment] = &of_kind(case, "Deployment")[..] else { panic!("one Deployment") };
        let token = &deployment["spec"]["template"]["spec"]["automountServiceAccountToken"];
        assert_eq!(token.as_bool(), Some(has_token), "{case}");
    }
}

fn words_of<'a>(list: &'a Yaml, key: &str) -> Vec<&'a str> {
    list.as_vec().into_iter().flatten().map(|one| word(&one[key])).collect()
}

#[test]
fn pods_are_as_restricted_asks_and_write_nowhere() {
    for case in CASES {
        let pods = pods(case);
        assert_eq!(pods.len(), 3, "{case}");
        for pod in pods {
            let spec = &pod["spec"];
            assert_eq!(spec["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
            let lists = [&spec["initContainers"], &spec["containers"]];
            for container in lists.into_iter().filter_map(Yaml::as_vec).flatten() {
                let security = &container["securityContext"];
                let name = word(&container["name"]);
                assert_eq!(security["allowPrivilegeEscalation"].as_bool(), Some(false), "{case}: {name}");
                assert_eq!(security["readOnlyRootFilesystem"].as_bool(), Some(true), "{case}: {name}");
                assert_eq!(words(&security["capabilities"]["drop"]), ["ALL"], "{case}: {name}");
                assert!(security["capabilities"]["add"].is_badvalue(), "{case}: {name}");
                assert_eq!(word(&security["seccompProfile"]["type"]), "RuntimeDefault", "{case}: {name}");
                assert_eq!(word(&container["imagePullPolicy"]), "IfNotPresent", "{case}: {name}");
            }
            let volumes = spec["volumes"].as_vec().into_iter().flatten();
            let allowed =
                |volume: &Yaml| ["downwardAPI", "secret"].iter().any(|kind| !volume[*kind].is_badvalue());
            assert!(volumes.clone().all(allowed), "{case}");
        }
    }
}

#[test]
fn the_settings_are_good_for_the_injector() {
    let injector = PathBuf::from(setting("OUTRIGGER_SIDECAR_BIN")).with_file_name("outrigger-injector");
    for case in CASES {
        for pod in pods(case) {
            let settings =
                word(&pod["metadata"]["annotations"]["outrigger.dev/injector-settings"]).to_owned();
            if settings.is_empty() {
                assert_eq!(word(&pod["metadata"]["name"]), "outrigger-test-injection");
                continue;
            }
            let mut command = Command::new(&injector);
            command.args(["--config", "/dev/stdin", "--check", "--log", "text"]);
            command.stdin(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("the injector can be run");
            child.stdin.take().expect("a pipe").write_all(settings.as_bytes()).expect("it reads");
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{case}: {said}\n{settings}");
        }
    }
}

#[test]
fn a_digest_wins_and_the_image_that_pods_get_is_tried_before() {
    for (case, sidecar) in [
        ("defaults", format!("localhost/outrigger-sidecar:{VERSION}")),
        ("least", format!("outrigger-sidecar:{VERSION}")),
        ("everything", format!("registry.example/outrigger/outrigger-sidecar@sha256:{}", "1".repeat(64))),
    ] {
        let [deployment] = &of_kind(case, "Deployment")[..] else { panic!("one Deployment") };
        let template = &deployment["spec"]["template"];
        let settings = word(&template["metadata"]["annotations"]["outrigger.dev/injector-settings"]);
        assert!(settings.contains(&format!("image: {sidecar}\n")), "{settings}");
        let tried = words_of(&template["spec"]["initContainers"], "image");
        assert_eq!(tried, if case == "least" { vec![] } else { vec![sidecar.as_str()] });
        // So a new replica that cannot run it takes no old one away, which goes on with the image it knows.
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        let both = (rolling["maxUnavailable"].as_i64(), rolling["maxSurge"].as_i64());
        // On the nodes' network two have no room on one node.
        let is_on_host = template["spec"]["hostNetwork"].as_bool() == Some(true);
        assert_eq!(both, if is_on_host { (Some(1), Some(0)) } else { (Some(0), Some(1)) });
        assert_eq!(is_on_host, case == "everything");
    }
}

/// Whether labels are what a selector selects.
fn selects(selector: &Yaml, labels: &BTreeMap<&str, &str>) -> bool {
    selector["matchExpressions"].as_vec().into_iter().flatten().all(|one| {
        let (value, values) = (labels.get(word(&one["key"])), words(&one["values"]));
        let is_in = value.is_some_and(|value| values.contains(value));
        match word(&one["operator"]) {
            "In" => is_in,
            "NotIn" => !is_in,
            other => panic!("{other} is not known here"),
        }
    })
}

#[test]
fn every_pod_goes_one_way_at_most() {
    let name = "kubernetes.io/metadata.name";
    let (inject, security) = ("outrigger.dev/inject", "pod-security.kubernetes.io/enforce");
    // The namespace's name, its label and its Pod Security; the pod's label; where the pod goes where the cluster's default is privileged.
    for (namespace, label, level, pod, way) in [
        ("shop", "enabled", "", "", "/pods/transparent"),
        ("shop", "enabled", "privileged", "", "/pods/transparent"),
        ("shop", "enabled", "baseline", "", "/pods/base-url"),
        ("shop", "enabled", "restricted", "", "/pods/base-url"),
        ("shop", "enabled", "restricted", "enabled", "/pods/base-url"),
        ("shop", "enabled", "", "enabled", "/pods/transparent"),
        ("shop", "enabled", "", "disabled", ""),
        ("shop", "", "", "", ""),
        ("shop", "", "", "enabled", "/pods/transparent"),
        ("shop", "disabled", "baseline", "enabled", "/pods/base-url"),
        ("shop", "yes", "", "", ""),
        ("kube-system", "enabled", "", "enabled", ""),
        (NAMESPACE, "enabled", "", "enabled", ""),
    ] {
        let [configuration] = &of_kind("defaults", "MutatingWebhookConfiguration")[..] else { panic!("one") };
        let mut labels = BTreeMap::from([(name, namespace), (inject, label), (security, level)]);
        labels.retain(|_, value| !value.is_empty());
        let mut own = BTreeMap::from([(inject, pod)]);
        own.retain(|_, value| !value.is_empty());
        let hooks = configuration["webhooks"].as_vec().expect("webhooks").iter();
        let ways: Vec<&str> = hooks
            .filter(|hook| {
                selects(&hook["namespaceSelector"], &labels) && selects(&hook["objectSelector"], &own)
            })
            .map(|hook| word(&hook["clientConfig"]["service"]["path"]))
            .collect();
        let expected: Vec<&str> = Some(way).filter(|way| !way.is_empty()).into_iter().collect();
        assert_eq!(ways, expected, "{labels:?} {own:?}");
    }
}

#[test]
fn webhooks_stop_nobody() {
    for case in CASES {
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            let [configuration] = &of_kind(case, kind)[..] else { panic!("one {kind}") };
            for hook in configuration["webhooks"].as_vec().expect("webhooks") {
                assert_eq!(word(&hook["failurePolicy"]), "Ignore");
                assert_eq!(word(&hook["sideEffects"]), "None");
                assert!(hook["timeoutSeconds"].as_i64().is_some_and(|seconds| (1..=5).contains(&seconds)));
                // It is written there by whoever makes the authority, and no rendering takes it away again.
                assert_eq!(hook["clientConfig"]["caBundle"].is_badvalue(), case != "files", "{case}");
            }
        }
    }
}

#[test]
fn alerts_and_dashboards_are_their_files() {
    let parameters = Parameters::chart().with("min_calls", "5").with("short_window", "2m");
    let rules = of_kind("everything", "PrometheusRule");
    assert_eq!(rules.len(), chart::rules().len());
    for path in chart::rules() {
        let text = parameters.fill(&std::fs::read_to_string(&path).expect("rules"));
        let name = format!("outrigger-{}", path.file_stem().expect("a name").to_string_lossy());
        let rendered = rules.iter().find(|one| word(&one["metadata"]["name"]) == name).expect("rules");
        assert!(rendered["spec"] == documents(&text)[0], "{name} differs");
        assert_eq!(word(&rendered["metadata"]["labels"]["release"]), "prometheus");
    }
    for path in chart::dashboards() {
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let maps = of_kind("everything", "ConfigMap");
        let name = format!("outrigger-dashboard-{stem}");
        let map = maps.iter().find(|one| word(&one["metadata"]["name"]) == name).expect("a dashboard");
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let told = json(word(&map["data"][format!("outrigger-{stem}.json").as_str()]));
        assert!(told == json(&std::fs::read_to_string(&path).expect("a dashboard")), "{name} differs");
        assert_eq!(word(&map["metadata"]["labels"]["grafana_dashboard"]), "1");
    }
}

#[test]
fn rules_come_into_the_namespaces_that_are_named_and_nothing_else_does() {
    for case in CASES {
        let cluster_wide = [
            "ClusterRole",
            "ClusterRoleBinding",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ];
        let mut elsewhere = Vec::new();
        for one in documents(&rendered("helm3", case)) {
            let (kind, namespace) = (word(&one["kind"]), word(&one["metadata"]["namespace"]));
            assert_eq!(namespace.is_empty(), cluster_wide.contains(&kind), "{case}: {kind}");
            // What tests make is gone with them.
            let is_test = word(&one["metadata"]["annotations"]["helm.sh/hook"]) == "test";
            if !namespace.is_empty() && namespace != NAMESPACE && !is_test {
                assert_eq!((kind, word(&one["metadata"]["name"])), ("ConfigMap", "outrigger-rules"));
                assert_eq!(word(&one["metadata"]["labels"]["outrigger.dev/rules"]), "true");
                assert_eq!(
                    word(&one["data"]["rules.yaml"]),
                    "# Watched, and nothing else.\nversion: 1\nmode: observe\n"
                );
                elsewhere.push(namespace.to_owned());
            }
        }
        assert_eq!(elsewhere.is_empty(), case != "everything", "{elsewhere:?}");
    }
}

#[test]
fn examples_for_repositories_give_values_that_the_chart_takes() {
    for (example, kind, place) in [
        ("argo-cd", "Application", ["source", "helm", "valuesObject"].as_slice()),
        ("flux", "HelmRelease", &["values"]),
    ] {
        let text =
            std::fs::read_to_string(file(&format!("../examples/gitops/{example}.yaml"))).expect("an example");
        let all = documents(&text);
        let one = all.iter().find(|one| word(&one["kind"]) == kind).expect(kind);
        let values = place.iter().fold(&one["spec"], |value, key| &value[*key]);
        let mut written = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut emitted = String::new();
        yaml_rust2::YamlEmitter::new(&mut emitted).dump(values).expect("YAML");
        written.write_all(emitted.as_bytes()).expect("a temporary file");
        let path = written.path().to_string_lossy().into_owned();
        let text =
            template("helm3", &["--values", &path]).unwrap_or_else(|fault| panic!("{example}: {fault}"));
        assert!(text.contains("otlp_endpoint: http://otel-collector.observability:4317"), "{example}");
    }
}
