//! What a real Collector writes down of calls: a worked example, attribute for attribute, and everything else by name and type.
//!
//! The example is a streamed chat that OpenAI failed twice and Anthropic answered, as the conventions' own rules have it:
//! one span of the logical call, a plain HTTP span per attempt, no error of an attempt on the call.

#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the exporter's own tests, which use all of it"
)]
#[path = "../../../crates/exporter/tests/support/calls.rs"]
mod calls;
mod conventions;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use outrigger_exporter::{Exporter, Settings};
use outrigger_ledger::{Attempt, CallRecord, Routed, Source, Timestamp};
use outrigger_pricing::{Atto, CostLine, Meter, TokenUsage};
use outrigger_providers::{FailureClass, Who};
use outrigger_tests::collector::Collector;
use outrigger_tests::sidecar::Volumes;

use crate::{dashboards, observed, simulator};
use calls::{START, answered, named, routed};

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;
const EXAMPLE: &str = include_str!("golden/worked_example.txt");
const RESOURCE: &str = "service.name=shop,service.namespace=prod,service.version=2.4.1,\
    service.instance.id=prod.shop-7c9f-xk2.outrigger,k8s.namespace.name=prod,k8s.pod.name=shop-7c9f-xk2,\
    k8s.pod.uid=0b5f3a52-6a4e-4d43-9f6e-2b1f3f1c9a10,\
    k8s.deployment.name=shop,k8s.node.name=node-3,k8s.container.name=outrigger";

/// The example as the conventions, and what we settled where they are silent, have it.
const REFERENCE: &str = include_str!("golden/reference.txt");

/// Lines of the reference that are not so here, and why.
const MISSING: [(&str, &str); 4] = [
    (
        r#"scope "outrigger-exporter", version "VERSION""#,
        "the scope has the product's name: crates come and go",
    ),
    (
        r#"{model = "claude-sonnet-4-5", outcome = "answered", provider = "anthropic"} 1"#,
        "metrics of our own name the model that answered",
    ),
    (
        r#"metric "outrigger.cost", sum in "USD""#,
        "an annotated unit and a name with its currency read the same pushed and scraped",
    ),
    (r#"{model = "claude-sonnet-4-5", provider = "anthropic"} 0.0066372"#, "the same two reasons"),
];

/// What is here beside the reference and does not begin with `outrigger.`, by its beginning, and why.
const MORE: [(&str, &str); 8] = [
    (r#"scope "outrigger", "#, "see above"),
    ("gen_ai.usage.reasoning.output_tokens = 0", "the count is known to be zero, and known zeros are told"),
    (
        r#"metric "gen_ai.client.inference.usage.reasoning"#,
        "a series for every operation, as the conventions ask",
    ),
    (r#"metric "gen_ai.client.inference.usage.cache_write"#, "the same"),
    (r#"metric "gen_ai.client.operation."#, "the names of v1.41 are told beside the newest by default"),
    (r#"metric "gen_ai.client.token.usage""#, "the same"),
    (r#"metric "outrigger."#, "a metric of our own"),
    (r#"record "outrigger.call""#, "the record of a call is our own"),
];

/// The example as a record.
fn example() -> CallRecord {
    let mut call = answered();
    let attempt = |number: u8, from: u64, to: u64, served: bool| Attempt {
        span_id: [0x10 + number; 8],
        number: number.into(),
        provider: if served { "anthropic" } else { "openai" },
        host: if served { "api.anthropic.com" } else { "api.openai.com" }.to_owned(),
        path: if served { "/v1/messages" } else { "/v1/chat/completions" }.to_owned(),
        model: Some(if served { "claude-sonnet-4-5" } else { "gpt-5.1" }.to_owned()),
        status: Some(if served { 200 } else { 500 }),
        backup: served.then(|| "claude".into()),
        class: (!served).then_some(FailureClass::ServerError),
        error_type: (!served).then(|| "500".to_owned()),
        started: Timestamp(START + from * MS),
        ended: Timestamp(START + to * MS),
        ..call.attempts[0].clone()
    };
    let attempts =
        vec![attempt(1, 3, 412, false), attempt(2, 662, 1020, false), attempt(3, 1021, 6480, true)];
    call.attempts = attempts;
    call.routed = Some(Box::new(Routed {
        passed_over: Vec::new(),
        left_alone: Vec::new(),
        losses: Vec::new(),
        left_out: Vec::new(),
        exceeded: Vec::new(),
        ..*routed(3)
    }));
    (call.provider, call.otel_provider) = ("anthropic", "anthropic");
    (call.dialect, call.api_type) = ("anthropic_messages", None);
    call.facts.temperature = Some(0.2);
    (call.facts.seed, call.facts.reasoning_level) = (None, None);
    (call.facts.tier_word, call.facts.output_type) = (None, None);
    call.identity.set(Who::Session, named(Source::Header, "conv_42", "x-conversation"));
    call.identity.set(Who::User, named(Source::Header, "u_81", "x-outrigger-user"));
    call.served_model = Some("claude-sonnet-4-5-20250929".to_owned());
    (call.served_tier, call.response_id) = (None, Some("msg_01Abc".to_owned()));
    call.tokens.usage =
        TokenUsage::ZERO.with(Meter::Input, 210).with(Meter::CacheRead, 1024).with(Meter::Output, 380);
    let line = |meter, quantity, rate, amount| CostLine {
        meter,
        quantity,
        rate: Atto::parse(rate).expect("an amount").into(),
        per: 1_000_000,
        factor: (1, 1),
        amount: Atto::parse(amount).expect("an amount"),
    };
    call.cost.lines = vec![
        line(Meter::Input, 210, "3", "0.00063"),
        line(Meter::CacheRead, 1024, "0.3", "0.0003072"),
        line(Meter::Output, 380, "15", "0.0057"),
    ];
    call.cost.total = Some(Atto::parse("0.0066372").expect("an amount"));
    call.times.responded = Some(Timestamp(START + 1600 * MS));
    call.times.first_content = Some(Timestamp(START + 1862 * MS));
    call.times.ended = Timestamp(START + 6480 * MS);
    call
}

/// The lines of a page, each with the header that it stands under; headers stand under themselves.
fn sections(page: &str) -> BTreeSet<(&str, &str)> {
    let mut header = "";
    page.lines()
        .map(|line| match line.strip_prefix("  ") {
            Some(line) => (header, line),
            None => {
                header = line;
                (line, line)
            }
        })
        .collect()
}

#[test]
fn a_collector_writes_the_worked_example_down_as_the_conventions_have_it() {
    let collector = Collector::start();
    let variables = [("OTEL_RESOURCE_ATTRIBUTES", RESOURCE), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let get =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_env(Some(&format!("http://{}", collector.grpc)), get);
    let settings = settings.expect("valid settings").expect("an endpoint");
    let exporter = Exporter::start(settings).expect("an exporter");
    exporter.recorder().try_record(Arc::new(example()));
    let counts = exporter.shutdown(Duration::from_secs(30));
    assert_eq!((counts.calls.exported, counts.calls.dropped.total()), (1, 0));

    let text = written::page(&collector, 4, 1);
    assert_eq!(text, EXAMPLE, "\n{text}");
    // Everything that differs from the reference is named above, and nothing that does not.
    let (theirs, ours) = (sections(REFERENCE), sections(&text));
    let missing: Vec<&str> = theirs.difference(&ours).map(|(_, line)| *line).collect();
    let named: BTreeSet<&str> = MISSING.iter().map(|(line, _)| *line).collect();
    assert_eq!(missing.into_iter().collect::<BTreeSet<_>>(), named);
    let mut used = BTreeSet::new();
    for (header, line) in ours.difference(&theirs).filter(|(_, line)| !line.starts_with("outrigger.")) {
        let why = MORE
            .iter()
            .position(|(beginning, _)| line.starts_with(beginning) || header.starts_with(beginning));
        used.insert(why.unwrap_or_else(|| panic!("{header}: {line} is not in the reference")));
    }
    assert_eq!(used.len(), MORE.len(), "some of it is not there any more: {used:?}");
}

#[test]
fn whatever_is_sent_is_named_and_typed_as_the_conventions_have_it() {
    let simulator = simulator(dashboards::script());
    let (collector, volumes) = (Collector::start(), Volumes::new());
    let endpoint = format!("http://{}", collector.http);
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OUTRIGGER_METRICS_SERIES", "5000")];
    let (sidecar, _) = observed(&volumes, &simulator, &variables);
    let calls = dashboards::traffic(sidecar.base_url());
    assert!(sidecar.end().status.success());
    let spans = written::spans(&collector, 2 * calls);
    let mut checked = BTreeSet::new();
    for span in &spans {
        conventions::check_span(span, &mut checked);
    }
    for metric in written::metrics(&collector) {
        conventions::check_metric(&metric, &mut checked);
    }
    // It has seen what it is about.
    for name in [
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.response.finish_reasons",
        "error.type",
        "http.request.resend_count",
        "gen_ai.client.embeddings.duration",
        "gen_ai.client.inference.time_to_first_chunk",
        "http.client.request.duration",
    ] {
        assert!(checked.contains(name), "{name} was never sent");
    }
}
