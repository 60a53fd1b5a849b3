//! Variables and what becomes of them.

use super::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn read(given: Option<&str>, variables: Variables<'_>) -> Result<Option<Settings>, SettingsError> {
    let get =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::from_env(given, get)
}

fn on(variables: Variables<'_>) -> Settings {
    read(None, variables).unwrap().expect("nothing to send to")
}

fn fault(variables: Variables<'_>) -> String {
    read(None, variables).expect_err("taken as it stands").to_string()
}

fn urls(settings: &Settings) -> [Option<String>; 3] {
    let url = |target: &Target| target.endpoint.uri().to_string();
    [
        settings.traces.as_ref().map(|signal| url(&signal.target)),
        settings.logs.as_ref().map(|signal| url(&signal.target)),
        settings.metrics.as_ref().map(|signal| url(&signal.target)),
    ]
}

fn some(urls: [&str; 3]) -> [Option<String>; 3] {
    urls.map(|url| Some(url.to_owned()))
}

const COMMON: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[test]
fn without_an_endpoint_or_with_everything_off_there_is_nothing_to_do() {
    assert!(read(None, &[]).unwrap().is_none());
    assert!(read(Some(" "), &[]).unwrap().is_none());
    assert!(read(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap().is_none());
    assert!(read(None, &[COMMON, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap().is_none());
    let off = [
        COMMON,
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
    ];
    assert!(read(None, &off).unwrap().is_none());
}

#[test]
fn metrics_may_be_scraped_where_nothing_is_sent_unless_others_are_named() {
    let pull = |variables: Variables<'_>| {
        let get =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let settings = Settings::read(None, get).unwrap();
        assert!(!settings.sends() && !settings.scraped, "only the program knows whether anybody may ask");
        let pull = settings.pull.clone();
        assert_eq!(settings.scraped().scraped, pull != Pull::Off);
        pull
    };
    assert_eq!(pull(&[]), Pull::Offered);
    for elsewhere in ["otlp", "none"] {
        assert_eq!(pull(&[("OTEL_METRICS_EXPORTER", elsewhere)]), Pull::Off);
    }
    assert_eq!(pull(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_METRICS_EXPORTER", "prometheus")]), Pull::Off);
    let both = ("OTEL_METRICS_EXPORTER", "otlp, prometheus");
    assert_eq!(pull(&[both]), Pull::At("localhost".to_owned(), 9464));
    let own = [both, ("OTEL_EXPORTER_PROMETHEUS_HOST", "::1"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "9000")];
    assert_eq!(pull(&own), Pull::At("::1".to_owned(), 9000));
    let wrong = fault(&[both, ("OTEL_EXPORTER_PROMETHEUS_PORT", "many")]);
    assert!(wrong.starts_with("OTEL_EXPORTER_PROMETHEUS_PORT=\"many\""), "{wrong}");
}

#[test]
fn a_common_endpoint_gets_each_signals_path_and_an_own_one_is_taken_as_it_is() {
    let base = some([
        "http://collector:4318/v1/traces",
        "http://collector:4318/v1/logs",
        "http://collector:4318/v1/metrics",
    ]);
    assert_eq!(urls(&on(&[COMMON])), base);
    assert_eq!(urls(&on(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")])), base);
    let own = on(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/otlp/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://jaeger:4318/custom?a=b"),
    ]);
    let expected = some([
        "http://jaeger:4318/custom?a=b",
        "https://collector/otlp/v1/logs",
        "https://collector/otlp/v1/metrics",
    ]);
    assert_eq!(urls(&own), expected);
    assert!(own.logs.unwrap().target.endpoint.is_tls());
}

#[test]
fn a_signal_without_an_endpoint_is_off() {
    let settings = on(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://jaeger:4318/v1/traces")]);
    assert_eq!(urls(&settings), [Some("http://jaeger:4318/v1/traces".to_owned()), None, None]);
    assert_eq!(settings.endpoints(), ["http://jaeger:4318"]);
}

#[test]
fn an_endpoint_given_by_hand_wins_over_all_variables() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a URL"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://other:1/"),
    ];
    let settings = read(Some("http://mine:4318"), &variables).unwrap().unwrap();
    assert_eq!(
        urls(&settings),
        some(["http://mine:4318/v1/traces", "http://mine:4318/v1/logs", "http://mine:4318/v1/metrics"])
    );
    let error = read(Some("mine:4318"), &[]).unwrap_err().to_string();
    assert!(error.starts_with(r#"--otlp="mine:4318""#), "{error}");
}

#[test]
fn port_4317_means_grpc_where_no_protocol_is_set() {
    let protocol = |variables: Variables<'_>| on(variables).traces.unwrap().target.protocol;
    assert_eq!(protocol(&[COMMON]), Protocol::HttpProtobuf);
    let grpc = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
    assert_eq!(protocol(&[grpc]), Protocol::Grpc);
    assert_eq!(protocol(&[grpc, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), Protocol::HttpProtobuf);
    assert_eq!(protocol(&[COMMON, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), Protocol::Grpc);
    let own = on(&[
        COMMON,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
    ]);
    assert_eq!(own.logs.unwrap().target.protocol, Protocol::HttpProtobuf);
    assert_eq!(own.metrics.unwrap().target.protocol, Protocol::Grpc);
}

#[test]
fn a_grpc_endpoint_may_lack_its_scheme_and_is_then_https_unless_insecure() {
    let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    assert_eq!(urls(&on(&[bare]))[0].as_deref(), Some("https://collector:4317/"));
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(urls(&on(&[bare, insecure]))[0].as_deref(), Some("http://collector:4317/"));
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317");
    assert_eq!(urls(&on(&[https, insecure]))[0].as_deref(), Some("https://collector:4317/"), "a scheme wins");
}

#[test]
fn headers_are_decoded_kept_secret_and_own_ones_replace_common_ones() {
    let settings = on(&[
        COMMON,
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20c2VjcmV0, x-tenant = a%3Db"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-only=1"),
    ]);
    let traces = &settings.traces.as_ref().unwrap().target;
    assert_eq!(traces.headers["authorization"], "Basic c2VjcmV0");
    assert_eq!(traces.headers["x-tenant"], "a=b");
    let logs = &settings.logs.as_ref().unwrap().target;
    assert_eq!((logs.headers.len(), logs.headers["x-only"].to_str().unwrap()), (1, "1"));
    let printed = format!("{settings:?}");
    assert!(!printed.contains("c2VjcmV0") && printed.contains("authorization"), "{printed}");
}

#[test]
fn a_file_of_headers_goes_where_its_signal_goes() {
    let settings = on(&[
        COMMON,
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a"),
        ("OUTRIGGER_OTLP_HEADERS_FILE", "/secrets/all"),
        ("OUTRIGGER_OTLP_TRACES_HEADERS_FILE", "/secrets/traces"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-only=1"),
    ]);
    let of = |target: &Target| {
        let file = target.headers_file.as_ref().map(|file| file.path.display().to_string());
        (target.headers.keys().map(ToString::to_string).collect::<Vec<_>>(), file)
    };
    // What is one endpoint's own is not mixed with what is another's.
    assert_eq!(
        of(&settings.logs.unwrap().target),
        (vec!["x-tenant".to_owned()], Some("/secrets/all".to_owned()))
    );
    assert_eq!(of(&settings.traces.unwrap().target), (vec![], Some("/secrets/traces".to_owned())));
    assert_eq!(of(&settings.metrics.unwrap().target), (vec!["x-only".to_owned()], None));
}

#[test]
fn no_error_repeats_what_may_be_a_secret() {
    for variables in [
        [COMMON, ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")],
        [COMMON, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret%zz")],
        [COMMON, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret%0a")],
        [("a", "b"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:s3cret@collector:4318")],
    ] {
        let error = fault(&variables);
        assert!(error.starts_with(variables[1].0) && !error.contains("s3cret"), "{error}");
    }
    let error = fault(&[COMMON, ("OTEL_EXPORTER_OTLP_HEADERS", "bad name=s3cret")]);
    assert!(error.contains("bad name") && !error.contains("s3cret"), "{error}");
}

#[test]
fn delays_and_bounds_default_to_ours_and_the_users_are_honoured() {
    let ours = on(&[COMMON]);
    let expected = Batching { delay: Duration::from_secs(1), hurry: true, queue: 4096, batch: 512 };
    assert_eq!(ours.traces.unwrap().batching, expected);
    assert_eq!(ours.logs.unwrap().batching, expected);
    let metrics = ours.metrics.unwrap();
    assert_eq!((metrics.interval, metrics.temporality), (Duration::from_secs(10), Temporality::Cumulative));

    let theirs = on(&[
        COMMON,
        ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "100"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
    ]);
    let (traces, logs, metrics) = (theirs.traces.unwrap(), theirs.logs.unwrap(), theirs.metrics.unwrap());
    let traced = Batching { delay: Duration::from_secs(5), hurry: false, queue: 100, batch: 100 };
    assert_eq!(traces.batching, traced, "a batch larger than the queue would never fill");
    assert_eq!(logs.batching, Batching { delay: Duration::ZERO, hurry: false, queue: 4096, batch: 7 });
    assert_eq!((metrics.interval, metrics.temporality), (Duration::from_secs(60), Temporality::Delta));
    assert_eq!(
        (traces.target.timeout, logs.target.timeout),
        (Duration::from_millis(2500), Duration::from_millis(100))
    );
    assert_eq!((traces.target.gzip, metrics.target.gzip), (true, false));
}

#[test]
fn an_export_timeout_bounds_every_request() {
    let timeouts = |variables: Variables<'_>| {
        let all = on(&[&[COMMON], variables].concat());
        [
            all.traces.unwrap().target.timeout,
            all.logs.unwrap().target.timeout,
            all.metrics.unwrap().target.timeout,
        ]
        .map(|timeout| timeout.as_millis())
    };
    assert_eq!(timeouts(&[]), [10_000; 3]);
    let own = [
        ("OTEL_BSP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "30000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "100"),
    ];
    assert_eq!(timeouts(&own), [2000, 10_000, 100]);
}

#[test]
fn bounds_are_the_standards_or_the_users() {
    let ours = on(&[COMMON]);
    assert_eq!(ours.longest_value, 2047);
    assert_eq!(ours.spans, SpanLimits { longest_value: 2047, attributes: 128, links: 128 });
    let theirs = on(&[
        COMMON,
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9000"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "0"),
    ]);
    assert_eq!(theirs.longest_value, 9000);
    assert_eq!(theirs.spans, SpanLimits { longest_value: 9000, attributes: 7, links: 0 });
    assert!(!ours.exponential_histograms);
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    assert!(on(&[COMMON, (name, "BASE2_EXPONENTIAL_BUCKET_HISTOGRAM")]).exponential_histograms);
}

#[test]
fn json_goes_to_the_same_paths_as_protobuf() {
    let settings = on(&[COMMON, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]);
    assert_eq!(urls(&settings)[0].as_deref(), Some("http://collector:4318/v1/traces"));
    assert_eq!(settings.traces.unwrap().target.protocol, Protocol::HttpJson);
}

#[test]
fn files_are_named_with_their_variable() {
    let settings = on(&[
        COMMON,
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/me.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/me.key"),
    ]);
    let named =
        |variable: &str, path: &str| Some(NamedFile { variable: variable.to_owned(), path: path.into() });
    let (traces, logs) = (settings.traces.unwrap().target, settings.logs.unwrap().target);
    assert_eq!(traces.certificate, named("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"));
    assert_eq!(logs.certificate, named("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs.pem"));
    assert_eq!(traces.client_key, named("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/me.key"));
    let half = fault(&[COMMON, ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/me.key")]);
    assert!(half.contains("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"), "{half}");
}

#[test]
fn our_own_choices_are_read() {
    let settings = on(&[COMMON]);
    assert_eq!(
        (settings.genai_metrics, settings.cache_attribute),
        (GenAiMetrics::Both, CacheAttribute::CacheWrite)
    );
    let settings = on(&[
        COMMON,
        ("OUTRIGGER_GENAI_METRICS", "v1.41"),
        ("OUTRIGGER_GENAI_CACHE_ATTRIBUTE", "cache_creation"),
    ]);
    assert_eq!(
        (settings.genai_metrics, settings.cache_attribute),
        (GenAiMetrics::V1_41, CacheAttribute::CacheCreation)
    );
    let about_app = |settings: &Settings| {
        (settings.modality_attributes, settings.app_telemetry, settings.app_instrumented)
    };
    assert_eq!(about_app(&settings), (true, AppTelemetry::Both, AppInstrumented::Recognised));
    let settings = on(&[
        COMMON,
        ("OUTRIGGER_GENAI_MODALITY_ATTRIBUTES", "false"),
        ("OUTRIGGER_APP_TELEMETRY", "metrics_only"),
        ("OUTRIGGER_APP_INSTRUMENTED", "always"),
    ]);
    assert_eq!(about_app(&settings), (false, AppTelemetry::MetricsOnly, AppInstrumented::Always));
}

#[test]
fn several_exporters_in_one_variable_leave_otlp_on() {
    let settings = on(&[COMMON, ("OTEL_TRACES_EXPORTER", "otlp,console"), ("OTEL_LOGS_EXPORTER", "console")]);
    let target = |signal: Option<CallSignal>| signal.unwrap().target;
    let (traces, logs) = (target(settings.traces.clone()), target(settings.logs.clone()));
    assert_eq!((traces.protocol, traces.console), (Protocol::HttpProtobuf, true));
    assert_eq!((logs.protocol, logs.console, logs.endpoint.base()), (Protocol::Console, true, "the console"));
    assert!(!settings.metrics.as_ref().unwrap().target.console);
    assert_eq!(settings.endpoints(), ["http://collector:4318", "the console", "http://collector:4318"]);
    let alone = on(&[("OTEL_METRICS_EXPORTER", "console,prometheus")]);
    assert_eq!(alone.metrics.unwrap().target.protocol, Protocol::Console);
    assert_eq!(alone.pull, Pull::At("localhost".to_owned(), 9464));
}

#[test]
fn what_cannot_be_understood_is_named_with_its_value_and_the_mend() {
    let cases = [
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "carrier-pigeon", "http/protobuf, http/json or grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "1 or more"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "1000"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "yes", "true or false"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "milliseconds"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "1 or more"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "99999999999", "at most"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "1 or more"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes", "cumulative, delta or lowmemory"),
        ("OTEL_TRACES_EXPORTER", "pigeon", "otlp, console or none"),
        ("OTEL_LOGS_EXPORTER", "prometheus", "otlp, console or none"),
        ("OTEL_METRICS_EXPORTER", "statsd", "otlp, prometheus, console or none"),
        ("OTEL_METRICS_EXPORTER", "none,otlp", "without it"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "0", "1 or more"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "soon", "milliseconds"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0", "1 or more"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1", "items"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "linear",
            "base2_exponential_bucket_histogram",
        ),
        ("OUTRIGGER_METRICS_SERIES", "20", "from 200 to 20000"),
        ("OUTRIGGER_METRICS_STEP", "maybe", "true or false"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_always_on"),
        ("OTEL_SDK_DISABLED", "1", "true or false"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team", "key=value"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=%zz", "percent-encoded"),
        ("OUTRIGGER_GENAI_METRICS", "old", "latest, v1.41 or both"),
        ("OUTRIGGER_GENAI_CACHE_ATTRIBUTE", "both", "cache_write or cache_creation"),
        ("OUTRIGGER_GENAI_MODALITY_ATTRIBUTES", "maybe", "true or false"),
        ("OUTRIGGER_APP_TELEMETRY", "none", "both, link or metrics_only"),
        ("OUTRIGGER_APP_INSTRUMENTED", "sometimes", "recognised or always"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "collector:4318", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://collector", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "unix:/run/otel.sock", "http://localhost:4318"),
    ];
    for (variable, value, mend) in cases {
        let error = fault(&[COMMON, (variable, value)]);
        assert!(error.starts_with(&format!("{variable}={value:?}")), "{error}");
        assert!(error.contains(mend), "{mend:?} in {error:?}");
    }
}

#[test]
fn the_service_name_is_the_users_and_else_the_programs() {
    let name = |variables: Variables<'_>| {
        let settings = on(variables).default_service_name("python");
        settings.service_name.unwrap_or(settings.fallback_service_name)
    };
    assert_eq!(name(&[COMMON]), "python");
    assert_eq!(name(&[COMMON, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop")]), "shop");
    assert_eq!(
        name(&[COMMON, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop"), ("OTEL_SERVICE_NAME", "till")]),
        "till"
    );
    assert_eq!(on(&[COMMON]).default_service_name("").fallback_service_name, "outrigger");
}

#[test]
fn samplers_are_the_standards() {
    let sampler = |name: &str, share: &str| {
        on(&[COMMON, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)]).sampler
    };
    assert_eq!(on(&[COMMON]).sampler, Sampler::Parent(1.0));
    assert_eq!(sampler("parentbased_always_off", ""), Sampler::Parent(0.0));
    assert_eq!(sampler("parentbased_traceidratio", "0.25"), Sampler::Parent(0.25));
    assert_eq!(sampler("traceidratio", ""), Sampler::Ratio(1.0));
    assert_eq!(sampler("always_on", "2"), Sampler::Fixed(true));
    assert_eq!(sampler("always_off", ""), Sampler::Fixed(false));
    let error = fault(&[COMMON, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")]);
    assert!(error.starts_with("OTEL_TRACES_SAMPLER_ARG=\"2\""), "{error}");
}
