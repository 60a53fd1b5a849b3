//! What the chart refuses, and with which words; what its schema knows.

use std::collections::BTreeSet;
use std::io::Write as _;

use outrigger_providers::services;
use outrigger_tests::file;
use serde_json::Value;
use yaml_rust2::Yaml;

use super::{MAJORS, documents, template};

#[test]
fn what_contradicts_itself_fails_with_a_sentence() {
    let authority = "certificates.files.authority=-----BEGIN CERTIFICATE-----";
    for (values, sentence) in [
        (&["injector.hostNetwork=true"][..], "set `injector.port` to a free one such as 10260"),
        (&["injector.port=19005"], "where metrics and probes are"),
        (&["certificates.mode=files", authority], "needs `secretName`"),
        (
            &["certificates.mode=files", "certificates.files.secretName=x", "certificates.files.authority=x"],
            "is no PEM",
        ),
        (&[authority], "`certificates.mode` is self; set `certificates.mode` to files"),
        (&["certificates.certManager.issuerRef.name=x"], "set `certificates.mode` to certManager"),
        (
            &["certificates.self.lifeDays=30"],
            "`certificates.self.renewBeforeDays` is 30 of `lifeDays` 30; give it fewer",
        ),
        (
            &["certificates.self.renewBeforeDays=1", "certificates.self.overlapSeconds=86400"],
            "more than `renewBeforeDays`",
        ),
        (&["test.namespace=kube-system"], "which is excluded from injection; name another one"),
        (&["rules.namespaces={shop}"], "`rules.document` is empty; give the rules"),
        (&["rules.document=version: 1"], "names no namespace"),
        (&["rules.document=version: 1", "rules.namespaces={shop,shop}"], "names a namespace twice"),
        (&["hosts[0].name=a.example", "sidecar.environment.OUTRIGGER_HOSTS=b"], "keep to `hosts`"),
        (&["hosts[0].name=a.example", "passthroughHosts={a.example}"], "take it out of one of them"),
        (&["hosts[0].name=a.example", "hosts[0].upstream=b.example:443"], "is not an IP address with a port"),
        (
            &["hosts[0].name=a.example", "hosts[0].upstream=10.0.0.256:443"],
            "is not an IP address with a port",
        ),
        (
            &["hosts[0].name=a.example", "hosts[0].upstream=10.0.0.5:70000"],
            "is not an IP address with a port",
        ),
        (&["hosts[0].name=a.example", "hosts[1].name=A.example."], "`hosts` names a.example twice"),
        (
            &["sidecar.resources.memory=1Gi"],
            "`sidecar.resources.memory` 1Gi is more than `memoryLimit` 128Mi",
        ),
        (
            &["sidecar.resources.cpu=500m", "sidecar.resources.cpuLimit=0.25"],
            "`sidecar.resources.cpu` 500m is more than `cpuLimit` 0.25",
        ),
        (
            &["allowedProviders={anthropic}", "sidecar.environment.OUTRIGGER_ALLOWED_PROVIDERS=openai"],
            "keep to `allowedProviders`",
        ),
        (&["sidecar.environment.OUTRIGGER_SPOOL_BYTES=1"], "keep to `sidecar.spoolMiB`"),
        (&["sidecar.environment.OUTRIGGER_FAILURE_POLICY=closed"], "keep to `sidecar.failurePolicy`"),
        (&["sidecar.environment.OUTRIGGER_PASSTHROUGH_HOSTS=a.example"], "keep to `passthroughHosts`"),
        (&["sidecar.environment.OUTRIGGER_EXTRA_CAS_PEM=x"], "keep to `extraCAs`"),
        (
            &["sidecar.environment.OUTRIGGER_POD_NAME=x"],
            "OUTRIGGER_POD_NAME in `sidecar.environment` is filled for each pod",
        ),
        (
            &["sidecar.otlpEndpoint=https://me:planted@otlp.example"],
            "`sidecar.otlpEndpoint` has credentials in its URL",
        ),
        (
            &["sidecar.environment.OTEL_EXPORTER_OTLP_ENDPOINT=https://me:planted@otlp.example"],
            "`OTEL_EXPORTER_OTLP_ENDPOINT` has credentials in its URL",
        ),
        (&["sidecar.resources.memoryLimit=128"], "`sidecar.resources.memoryLimit` is 128, with which"),
        (&["sidecar.resources.memory=24"], "give it 1Mi to 16Gi"),
        (&["sidecar.resources.cpu=17"], "give it 1m to 16"),
        (&["sidecar.resources.cpuLimit=20m"], "give it 50m to 16"),
        (&["hosts[0].name=a.example", "passthroughHosts={A.example.}"], "take it out of one of them"),
        (
            &["rules.document=version: 1", "rules.namespaces={outrigger-system}"],
            "`rules.namespaces` names outrigger-system, the release's own",
        ),
        (&["rules.document=rules.yaml", "rules.namespaces={shop}"], "is no YAML of keys and values"),
        (
            &["rules.document=version: 1\n  mode: [", "rules.namespaces={shop}"],
            "is no YAML of keys and values",
        ),
        (
            &["monitoring.podMonitor.enabled=true", "sidecar.environment.OUTRIGGER_METRICS=off"],
            "so there is nothing to scrape",
        ),
        (
            &[
                "sidecar.otlpEndpoint=http://a:4317",
                "sidecar.environment.OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4317",
            ],
            "keep to `sidecar.otlpEndpoint`",
        ),
        (
            &["monitoring.podMonitor.enabled=true", "sidecar.environment.OUTRIGGER_METRICS=127.0.0.1:19005"],
            "is 127.0.0.1:19005, where nobody but the pod itself can scrape; write [::]:19005",
        ),
        (
            &["monitoring.podMonitor.enabled=true", "sidecar.environment.OUTRIGGER_METRICS=[::]:0"],
            "a port that nobody knows",
        ),
        (
            &["monitoring.podMonitor.enabled=true", "sidecar.environment.OTEL_SDK_DISABLED=true"],
            "OTEL_SDK_DISABLED in `sidecar.environment` is true, so there is nothing to scrape",
        ),
        (
            &["monitoring.podMonitor.enabled=true", "sidecar.environment.OTEL_METRICS_EXPORTER=otlp"],
            "OTEL_METRICS_EXPORTER in `sidecar.environment` is otlp, so there is nothing to scrape; add prometheus",
        ),
        (
            &["sidecar.environment.OUTRIGGER_METRICS=10.0.0.5:19005"],
            "is 10.0.0.5:19005, which is no address of every pod",
        ),
        (
            &["sidecar.environment.OUTRIGGER_METRICS=[::]:19002"],
            "is [::]:19002, a port on which the sidecar listens",
        ),
        (
            &["sidecar.otlpEndpoint=http://a:4317", "sidecar.environment.OTEL_SDK_DISABLED=true"],
            "so nothing is sent there; take one of them out",
        ),
        (&["sidecar.otlpHeadersFile=otlp-headers"], "set `sidecar.otlpEndpoint`"),
        (
            &[
                "sidecar.otlpEndpoint=http://a:4317",
                "sidecar.environment.OUTRIGGER_OTLP_HEADERS_FILE=/var/run/outrigger/credentials/x",
            ],
            "keep to `sidecar.otlpHeadersFile`",
        ),
        (&["sidecar.environment.OUTRIGGER_CONNECT=127.0.0.1:1"], "look for the sidecar; leave it out"),
        (
            &["sidecar.environment.OUTRIGGER_REDIRECT_BLOCK_QUIC=yes"],
            "is the redirection's; set it in `sidecar.redirectEnvironment`",
        ),
        (
            &[
                "sidecar.failurePolicy=closed",
                "sidecar.redirectEnvironment.OUTRIGGER_REDIRECT_FAILURE_POLICY=open",
            ],
            "is what `sidecar.failurePolicy` (closed) says for both containers",
        ),
        (
            &["sidecar.redirectEnvironment.OUTRIGGER_REDIRECT_ON_PROXY_DOWN=closed"],
            "is what `sidecar.failurePolicy` (open) says for both containers; set `sidecar.failurePolicy`",
        ),
        (
            &["sidecar.redirectEnvironment.OUTRIGGER_REDIRECT_REPORT=/x"],
            "is where the sidecar's doctor looks; leave it out",
        ),
        (
            &["sidecar.redirectEnvironment.OUTRIGGER_LOG=debug"],
            "is no variable of the redirection, which reads OUTRIGGER_REDIRECT_*",
        ),
        (
            &["sidecar.redirectEnvironment.OUTRIGGER_REDIRECT_EXCLUDE_PORTS=8443\\,443"],
            "leaves out every port that would be redirected",
        ),
        (
            &["sidecar.redirectEnvironment.OUTRIGGER_REDIRECT_PORTS=443\\,19003"],
            "has 19003, one of the sidecar's own; take it out",
        ),
        (
            &["image.sidecar.tag=0.0.9-rc.1"],
            "`image.sidecar.tag` is 0.0.9-rc.1, older than this chart, which tells it what version",
        ),
        (&["image.injector.tag=v0.0.1"], "`image.injector.tag` is v0.0.1, older than this chart"),
        (
            &["rules.document=version: 1", "rules.namespaces={kube-system}"],
            "`rules.namespaces` and in `injection.excludedNamespaces`",
        ),
        (&["image.sidecar.digest=sha256:12"], "`sha256:12` in `image.sidecar.digest` is no digest; write"),
        (
            &["monitoring.alerts.enabled=true", "monitoring.alerts.parameters.min_cals=1"],
            "is no parameter; there are",
        ),
        (&["extraCAs=private.pem"], "`extraCAs` is no PEM"),
        (&["policy.enabled=true", "policy.actions={Deny,Warn}"], "keep one of them"),
        // The schema's own words.
        (&["mode=tproxy"], "'/mode': value must be one of 'transparent', 'base-url', 'proxy'"),
        (&["restrictedMode=transparent"], "'/restrictedMode': value must be one of"),
        (&["sidecar.otlp=x"], "additional properties 'otlp' not allowed"),
        (&["allowedProviders={opanai}"], "'/allowedProviders/0': value must be one of 'anthropic'"),
        (&["injector.replicas=0"], "'/injector/replicas'"),
        (&["sidecar.resources.cpu=lots"], "'/sidecar/resources/cpu'"),
        (&["sidecar.environment.A-B=x"], "'A-B' does not match pattern"),
        (&["sidecar.otlpHeadersFile=../token"], "'/sidecar/otlpHeadersFile'"),
    ] {
        let words: Vec<&str> = values.iter().flat_map(|value| ["--set-string", value]).collect();
        // Numbers and truths are not texts.
        let typed: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
        let is_typed = values
            .iter()
            .any(|value| ["=true", "=0", "=19005", "=1", "=30"].iter().any(|end| value.ends_with(end)));
        for major in MAJORS {
            let fault = template(major, if is_typed { &typed } else { &words }).expect_err(sentence);
            assert!(fault.contains(sentence), "{values:?}: {fault}");
            assert!(!fault.contains("planted"), "{values:?}: {fault}");
        }
    }
}

#[test]
fn authorities_must_fit_into_a_variable() {
    let authorities = |bytes: usize| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        let text = format!("-----BEGIN CERTIFICATE-----{}", "x".repeat(bytes - 27));
        file.write_all(text.as_bytes()).expect("a temporary file");
        file
    };
    for major in MAJORS {
        let of = |file: &tempfile::NamedTempFile| {
            let file = format!("extraCAs={}", file.path().display());
            template(major, &["--set-file", &file])
        };
        assert!(of(&authorities(98_303)).is_ok());
        let fault = of(&authorities(98_304)).expect_err("no program starts with it");
        assert!(fault.contains("`extraCAs` has 98304 bytes of the 98303"), "{fault}");
    }
}

#[test]
fn the_cluster_must_be_new_enough() {
    let fault = template("helm3", &["--kube-version", "1.28.9"]).expect_err("it is too old");
    assert!(fault.contains("kubeVersion: >=1.29.0-0"), "{fault}");
    assert!(template("helm3", &["--kube-version", "1.29.0"]).is_ok());
    let policy = ["--kube-version", "1.29.0", "--set", "policy.enabled=true"];
    let fault = template("helm3", &policy).expect_err("it has no such policies");
    assert!(fault.contains("needs Kubernetes 1.30, and this is v1.29.0"), "{fault}");
}

#[test]
fn every_value_has_its_default_and_its_schema() {
    let read =
        |name: &str| std::fs::read_to_string(file(&format!("../helm/outrigger/{name}"))).expect("a file");
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let values = documents(&read("values.yaml"));
    // Names that are not the chart's to choose.
    let open = ["global", "hosts", "issuerRef"];
    let mut waiting = vec![(String::new(), &schema, &values[0])];
    let mut leaves = 0;
    while let Some((place, schema, value)) = waiting.pop() {
        let Some(properties) = schema["properties"].as_object() else {
            leaves += 1;
            continue;
        };
        assert_eq!(schema["additionalProperties"], false, "{place}");
        let hash = value.as_hash().unwrap_or_else(|| panic!("{place} has no values"));
        for (name, inner) in properties.iter().filter(|(name, _)| !open.contains(&name.as_str())) {
            let value = hash.get(&Yaml::String(name.clone()));
            waiting.push((
                format!("{place}.{name}"),
                inner,
                value.unwrap_or_else(|| panic!("{place}.{name}")),
            ));
        }
    }
    assert!(leaves > 50, "{leaves}");
    let listed = schema["properties"]["allowedProviders"]["items"]["enum"].as_array().expect("a list");
    let listed: BTreeSet<&str> = listed.iter().filter_map(Value::as_str).collect();
    assert_eq!(listed, services::words().collect());
}
