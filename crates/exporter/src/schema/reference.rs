//! Whether `docs/traces.md` lists every attribute that is sent, with its type, and no other.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use outrigger_diagnosis::{Kind, Verdict};
use outrigger_ledger::{
    CallId, Chain, ChainedBy, Confidence, Instrumented, JoinedBy, Logical, Parent, Retried, Seam, Source,
    SpanContext, Timestamp,
};
use outrigger_pricing::estimate::Estimate;
use outrigger_pricing::{Atto, CostLine, Meter};
use outrigger_providers::{FailureClass, Who};

use super::tests::{settings, spans};
use super::*;
use crate::testing::calls::{answered, failed, named, routed};
use crate::testing::said::talkative;

const CAPTURE: (&str, &str) = ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT");

const DOCUMENT: &str = include_str!("../../../../docs/traces.md");

/// Calls that have between them everything that a call can have.
fn everything() -> Vec<CallRecord> {
    let mut call = answered();
    let place = SpanContext { trace_id: [7; 16], span_id: [7; 8], parent_span_id: None, flags: 1 };
    let id = CallId([7; 16]);
    call.logical = Logical {
        id,
        attempt: 2,
        retried: Some(Retried { call: id, span: place, failed: true, by: JoinedBy::RequestId }),
    };
    let parent = Parent { call: id, span: place, by: ChainedBy::ToolCall, confidence: Confidence::Certain };
    call.chain = Some(Chain { id, number: 2, parent: Some(parent) });
    for who in Who::ALL {
        call.identity.set(who, named(Source::Header, "x", "p"));
    }
    call.content = talkative().content;
    call.instrumented = Some(Instrumented::AnthropicSdk);
    call.deployed_model = Some("gpt-5".to_owned());
    call.otel_provider = "openai";
    call.fault = true;
    call.verdicts = vec!["partial_outage"];
    let facts = &mut call.facts;
    (facts.top_p, facts.top_k, facts.choices) = (Some(0.9), Some(40), Some(2));
    (facts.frequency_penalty, facts.presence_penalty) = (Some(0.1), Some(0.1));
    facts.stop_sequences = vec!["END".to_owned()];
    facts.encoding_formats = vec!["float".to_owned()];
    facts.dimensions = Some(256);
    facts.prompt_template = Some(("pmpt_1".to_owned(), Some("3".to_owned())));
    facts.guardrail = Some("gr-1".to_owned());
    facts.previous_response_id = Some("resp_1".to_owned());
    facts.tier_word = Some("flex".to_owned());
    facts.thread.prompt = Some(0xf00d);
    call.cost.reasons = vec!["a doubt".to_owned()];
    call.reported_cost = Atto::parse("0.005").ok();
    call.tokens.reason = Some("a reason");
    for meter in Meter::ALL {
        call.tokens.usage.set(meter, Some(1));
        let amount = Atto::parse("0.1").unwrap();
        let line = CostLine { meter, quantity: 1, rate: amount.into(), per: 1, factor: (1, 2), amount };
        call.cost.lines.push(line);
    }
    let mut second = call.attempts[0].clone();
    (second.number, second.provider, second.query) = (2, "azure", Some("alt=sse".to_owned()));
    (second.backup, second.class) = (Some("azure-eu".into()), Some(FailureClass::RateLimit));
    call.attempts.push(second);
    call.routed = Some(routed(2));
    let routed = call.routed.as_mut().unwrap();
    (routed.hindrance, routed.retry_denied, routed.exhausted) = (Some("a reason"), true, true);
    routed.seam = Some(Seam { at: Timestamp(1), after: 120, overlap: 0 });
    routed.not_continued = Some("a reason");
    let estimate = Some(Estimate { tokens: 2, low: 1, high: 3 });
    let mut estimated = answered();
    (estimated.tokens.prompt, estimated.tokens.answer) = (estimate, estimate);
    estimated.cost_between = Atto::parse("0.001").ok().zip(Atto::parse("0.002").ok());
    estimated.otel_provider = "azure.ai.openai";
    vec![call, estimated, failed()]
}

fn kind(value: &AnyValue) -> &'static str {
    match value.value.as_ref().unwrap() {
        Value::StringValue(_) => "string",
        Value::BoolValue(_) => "bool",
        Value::IntValue(_) => "int",
        Value::DoubleValue(_) => "double",
        Value::ArrayValue(list) => match list.values.first().map(kind) {
            Some("string") | None => "string[]",
            Some("object") => "object[]",
            other => panic!("a list of {other:?}"),
        },
        Value::KvlistValue(_) => "object",
        other => panic!("unexpected {other:?}"),
    }
}

/// What is sent: attribute and type, by what carries it. A meter stands for all of them.
fn sent() -> BTreeMap<&'static str, BTreeMap<String, &'static str>> {
    let mut sent: BTreeMap<_, BTreeMap<String, &'static str>> = BTreeMap::new();
    let mut take = |carrier, attributes: &[KeyValue]| {
        let carrier = sent.entry(carrier).or_default();
        for field in attributes {
            let is_meter = Meter::ALL.iter().any(|meter| field.key == keys::usage(*meter));
            let key = if is_meter { "outrigger.usage.<meter>".to_owned() } else { field.key.clone() };
            let kind = kind(field.value.as_ref().unwrap());
            // An empty list has no type to show.
            let known = carrier.entry(key).or_insert(kind);
            if *known == "string[]" {
                *known = kind;
            }
        }
    };
    for call in &everything() {
        for variables in [
            &[][..],
            &[("OUTRIGGER_GENAI_CACHE_ATTRIBUTE", "cache_creation")],
            &[("OUTRIGGER_APP_TELEMETRY", "link"), ("OUTRIGGER_APP_INSTRUMENTED", "always")],
        ] {
            let variables = &[variables, &[CAPTURE]].concat();
            let details =
                Schema::new(&settings(variables)).logs([Entry::Call(call)].into_iter(), Content::Whole);
            let details = ExportLogsServiceRequest::decode(details).unwrap();
            let details = details.resource_logs[0].scope_logs[0].log_records.last().unwrap();
            assert_eq!(details.event_name, "gen_ai.client.inference.operation.details");
            take("details", &details.attributes);
            for (at, span) in spans(call, variables).into_iter().enumerate() {
                take(if at == 0 { "call" } else { "attempt" }, &span.attributes);
                for link in &span.links {
                    take("link", &link.attributes);
                }
            }
        }
        let request = Schema::new(&settings(&[])).logs([Entry::Call(call)].into_iter(), Content::Whole);
        let request = ExportLogsServiceRequest::decode(request).unwrap();
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        take("record", &records[0].attributes);
        if let Some(event) = records.get(1) {
            take("exception", &event.attributes);
        }
    }
    let verdict = Verdict {
        kind: Kind::ModelNotFound,
        provider: Some("openai"),
        model: Some("gpt-5-mimi".to_owned()),
        key: Some("89842862".to_owned()),
        since: Timestamp(1),
        last: Timestamp(2),
        calls: 3,
        resets: Some(Timestamp(4)),
        cause: "a cause".to_owned(),
        evidence: "evidence".to_owned(),
        next_step: "a step".to_owned(),
    };
    for change in [Change::Began(verdict.clone()), Change::Ended(verdict, "such a call was answered")] {
        let request = Schema::new(&settings(&[]))
            .logs([Entry::Verdict(&change, Timestamp(3))].into_iter(), Content::Whole);
        let request = ExportLogsServiceRequest::decode(request).unwrap();
        let event = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!((event.event_name.as_str(), event.time_unix_nano), ("outrigger.diagnosis", 3));
        take("diagnosis", &event.attributes);
    }
    sent
}

/// The rows of the table under a heading: name and type.
fn documented(heading: &str) -> BTreeMap<String, String> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("docs/traces.md has no part \"{heading}\""));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (name, kind) = (cells.next().unwrap(), cells.next().unwrap());
        (name.trim_matches('`').to_owned(), kind.to_owned())
    })
    .collect()
}

#[test]
fn every_attribute_is_documented_with_its_type_and_no_other() {
    let sent = sent();
    for (carrier, headings) in [
        ("call", &["The span of a call", "Both"][..]),
        ("attempt", &["The span of an attempt"]),
        ("link", &["Links"]),
        // What stands in several tables is what the last one says.
        ("details", &["The span of a call", "Both", "The event of a call's details"]),
        ("record", &["The record", "Both"]),
        ("exception", &["The event of a failure"]),
        ("diagnosis", &["The event of a verdict"]),
    ] {
        let sent: BTreeMap<String, String> =
            sent[carrier].iter().map(|(key, kind)| (key.clone(), (*kind).to_owned())).collect();
        let documented: BTreeMap<String, String> =
            headings.iter().flat_map(|heading| documented(heading)).collect();
        assert_eq!(documented, sent, "docs/traces.md, {headings:?}");
    }
}

/// A name that no call of [`everything`] has would be missing from the document unseen.
#[test]
fn every_name_is_sent_by_some_call() {
    let sent: BTreeSet<String> = sent().into_values().flat_map(BTreeMap::into_keys).collect();
    let of_the_resource = [
        "service.name",
        "service.instance.id",
        "telemetry.sdk.name",
        "telemetry.sdk.language",
        "telemetry.sdk.version",
    ];
    let of_metrics = ["gen_ai.token.modality", "gen_ai.token.type"];
    let names = include_str!("keys.rs").split('"').skip(1).step_by(2);
    for name in names.filter(|name| name.contains('.') && !name.contains(['{', ' '])) {
        let elsewhere = of_the_resource.contains(&name) || of_metrics.contains(&name);
        assert!(elsewhere || sent.contains(name), "nothing sends {name}");
    }
}
