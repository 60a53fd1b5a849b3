//! `outrigger inject`: what is printed, what is said, and the exit codes. What a pod gets is held by the injector's own tests.

use outrigger_simulator::{Config, Simulator};
use serde_json::Value;

use crate::support::outrigger;

const SERVICE: &str = "# the door\napiVersion: v1\nkind: Service\nmetadata: {name:   shop}\n";
const DEPLOYMENT: &str = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: shop\nspec:\n  template:\n    metadata:\n      annotations:\n        \
                          outrigger.dev/mode: porxy\n    spec:\n      containers:\n      - name: app\n        image: shop:1\n";
const AGENT: &str = "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec: {template: {spec: {hostNetwork: true, containers: [{name: a}]}}}\n";

#[test]
fn workloads_are_injected_and_the_rest_stays_as_it_is() {
    let text = format!("{SERVICE}{DEPLOYMENT}{AGENT}");
    let ended = outrigger(&["inject", "-f", "-", "--image", "mirror.example/outrigger@sha256:01"], &text);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(ended.output.starts_with(SERVICE), "{}", ended.output);
    for part in [
        "      initContainers:\n      - name: outrigger-redirect\n",
        "image: \"mirror.example/outrigger@sha256:01\"",
        "image: shop:1",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    for part in [
        "Deployment shop: injected; prompts: where the app sends them",
        "Deployment shop: annotation outrigger.dev/mode is `porxy`",
        "DaemonSet agent: no sidecar, host-network",
    ] {
        assert!(ended.errors.contains(part), "{part}: {}", ended.errors);
    }
    let again = outrigger(&["inject", "-f", "-"], &ended.output);
    assert_eq!(again.output, ended.output);
    assert!(again.errors.contains("Deployment shop: has its sidecar already"), "{}", again.errors);
}

#[test]
fn files_become_one_stream_and_json_one_list() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (service, deployment) = (file("a.yaml", SERVICE.trim_end()), file("b.yaml", DEPLOYMENT));
    let both = [
        "inject",
        "-f",
        &service,
        "-f",
        &deployment,
        "-f",
        &service,
        "--mode",
        "base-url",
        "--otlp",
        "http://c:4317",
    ];
    let ended = outrigger(&both, "");
    assert!(
        ended.output.starts_with(SERVICE) && ended.output.ends_with(&format!("---\n{}", SERVICE.trim_end())),
        "{}",
        ended.output
    );
    assert!(
        !ended.output.contains("redirect") && ended.output.contains("value: \"http://c:4317\""),
        "{}",
        ended.output
    );

    let json: Value =
        serde_json::from_str(&outrigger(&[&both[..], &["--output", "json"]].concat(), "").output).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 3);
    let environment = &json["items"][1]["spec"]["template"]["spec"]["containers"][0]["env"];
    assert!(environment.to_string().contains("http://127.0.0.1:19003/openai/v1"), "{environment}");
}

#[test]
fn what_cannot_be_read_prints_nothing_and_names_the_place() {
    let ended = outrigger(&["inject", "-f", "-"], &format!("{DEPLOYMENT}---\na: [\n"));
    assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("-:1"), "{}", ended.errors);
    assert_eq!(outrigger(&["inject"], "").status, Some(2));
    let wrong = outrigger(&["inject", "-f", "-", "--mode", "tproxy"], "");
    assert!(
        wrong.status == Some(2) && wrong.errors.contains("transparent, base-url, proxy"),
        "{}",
        wrong.errors
    );
    assert!(outrigger(&["inject", "-f", "-"], SERVICE).errors.contains("nothing was changed"));
}

#[test]
fn authorities_of_ones_own_are_given_to_every_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Each simulator has an authority of its own.
    let authority = || Simulator::start(Config::default()).unwrap().ca_pem().to_owned();
    let pems = [authority(), authority()];
    let [one, other] = [file("one.pem", &pems[0]), file("other.pem", pems[1].trim_end())];
    let words = ["inject", "-f", "-", "--output", "json", "--extra-ca", &one, "--extra-ca", &other];
    let ended = outrigger(&words, DEPLOYMENT);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let json: Value = serde_json::from_str(&ended.output).unwrap();
    let sidecar = &json["items"][0]["spec"]["template"]["spec"]["initContainers"][1];
    let mut variables = sidecar["env"].as_array().unwrap().iter();
    let given = variables.find(|one| one["name"] == "OUTRIGGER_EXTRA_CAS_PEM").unwrap();
    let normal = |text: &str| text.trim().replace("\r\n", "\n") + "\n";
    assert_eq!(normal(given["value"].as_str().unwrap()), normal(&pems[0]) + &normal(&pems[1]));

    let none = file("none.pem", "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");
    for (path, part) in [(&*none, "none.pem holds no certificate"), ("/missing.pem", "/missing.pem: ")] {
        let ended = outrigger(&["inject", "-f", "-", "--extra-ca", path], DEPLOYMENT);
        assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
        assert!(ended.errors.contains(part), "{}", ended.errors);
    }
}

#[test]
fn settings_of_the_injector_say_what_every_pod_gets_and_the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("injector.yaml");
    let path = file.to_str().unwrap();
    let text = "listen: 127.0.0.1:1\npods:\n  mode: base-url\n  image: x@sha256:0\n  failure_policy: closed\n  \
                resources: {memory_limit: 256Mi}\n  environment: {OUTRIGGER_HOSTS: llm.example.internal}\n";
    std::fs::write(&file, text).unwrap();
    let of = |more: &[&str]| {
        let words = [&["inject", "-f", "-", "--output", "json", "--settings", path][..], more].concat();
        let ended = outrigger(&words, DEPLOYMENT);
        assert_eq!(ended.status, Some(0), "{}", ended.errors);
        let json: Value = serde_json::from_str(&ended.output).unwrap();
        json["items"][0]["spec"]["template"]["spec"]["initContainers"].clone()
    };
    let all = of(&[]);
    let [sidecar] = &all.as_array().unwrap()[..] else { panic!("{all}") };
    assert_eq!(
        (&sidecar["image"], &sidecar["resources"]["limits"]["memory"]),
        (&"x@sha256:0".into(), &"256Mi".into())
    );
    for variable in [("OUTRIGGER_FAILURE_POLICY", "closed"), ("OUTRIGGER_HOSTS", "llm.example.internal")] {
        let has = |one: &Value| (&one["name"], &one["value"]) == (&variable.0.into(), &variable.1.into());
        assert!(sidecar["env"].as_array().unwrap().iter().any(has), "{variable:?}: {sidecar}");
    }
    let all = of(&["--mode", "transparent", "--image", "y"]);
    let images: Vec<_> = all.as_array().unwrap().iter().map(|one| &one["image"]).collect();
    assert_eq!(images, ["y", "y"]);

    std::fs::write(&file, "pods: {resources: {memory_limit: '128'}}").unwrap();
    let ended = outrigger(&["inject", "-f", "-", "--settings", path], DEPLOYMENT);
    assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("injector.yaml: `pods.resources.memory_limit` is 128"), "{}", ended.errors);
    // What the command line adds is looked at together with the rest.
    std::fs::write(&file, "pods: {environment: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317'}}").unwrap();
    let ended = outrigger(&["inject", "-f", "-", "--settings", path, "--otlp", "http://b:4317"], DEPLOYMENT);
    assert!(ended.status == Some(1) && ended.errors.contains("say the same thing twice"), "{}", ended.errors);
}

#[test]
fn what_no_sidecar_could_use_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let pem = Simulator::start(Config::default()).unwrap().ca_pem().to_owned();
    let half = folder.path().join("half.pem");
    std::fs::write(&half, pem.repeat(64 * 1024 / pem.len())).unwrap();
    let half = half.to_str().unwrap();
    let ended = outrigger(&["inject", "-f", "-", "--extra-ca", half], DEPLOYMENT);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    for (words, part) in [
        (["--extra-ca", half, "--extra-ca", half], "--extra-ca has 1"),
        (
            ["--otlp", "https://me:planted@otlp.example", "--mode", "proxy"],
            "send them as OTEL_EXPORTER_OTLP_HEADERS",
        ),
    ] {
        let ended = outrigger(&[&["inject", "-f", "-"][..], &words].concat(), DEPLOYMENT);
        assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
        assert!(ended.errors.contains(part) && !ended.errors.contains("planted"), "{}", ended.errors);
    }
}
