//! What becomes of values on their way to the injector.

use std::io::Write as _;

use yaml_rust2::Yaml;

use super::{MAJORS, documents, template, word};

/// What the injector is told of pods by these values.
fn settings(major: &str, values: &str) -> Yaml {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(values.as_bytes()).expect("a temporary file");
    let path = file.path().to_string_lossy().into_owned();
    let text = template(major, &["--values", &path]).unwrap_or_else(|fault| panic!("{values}: {fault}"));
    let all = documents(&text);
    let deployment = all.iter().find(|one| word(&one["kind"]) == "Deployment").expect("a Deployment");
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    let mut settings = documents(word(&annotations["outrigger.dev/injector-settings"]));
    settings.remove(0)["pods"].clone()
}

#[test]
fn hosts_are_named_as_they_are_compared() {
    for major in MAJORS {
        let values = "hosts: [{name: LLM.example.internal., upstream: '10.0.0.5:443'}, {name: b}]";
        let given = &settings(major, values)["environment"];
        assert_eq!(word(&given["OUTRIGGER_HOSTS"]), "llm.example.internal,b");
        assert_eq!(word(&given["OUTRIGGER_UPSTREAMS"]), "llm.example.internal=10.0.0.5:443");
    }
}

#[test]
fn the_file_of_the_endpoints_headers_is_a_key_of_each_pods_own_secret() {
    for major in MAJORS {
        let values = "sidecar: {otlpEndpoint: 'https://otlp.example', otlpHeadersFile: otlp-headers}";
        assert_eq!(word(&settings(major, values)["otlp_headers_file"]), "otlp-headers");
        assert!(settings(major, "{}")["otlp_headers_file"].is_badvalue());
    }
}

#[test]
fn amounts_may_be_numbers() {
    for major in MAJORS {
        let values =
            "sidecar: {resources: {cpu: 0.5, memory: 134217728, memoryLimit: 268435456, cpuLimit: 2}}";
        let given = &settings(major, values)["resources"];
        let amounts = ["cpu", "cpu_limit", "memory", "memory_limit"].map(|name| word(&given[name]));
        assert_eq!(amounts, ["0.5", "2", "134217728", "268435456"]);
    }
}
