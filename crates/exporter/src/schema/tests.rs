//! What calls look like, attribute by attribute.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use outrigger_ledger::{
    CallId, Chain, ChainedBy, Confidence, Instrumented, JoinedBy, Logical, Outcome, Parent, Provenance,
    Retried, Source, SpanContext,
};
use outrigger_pricing::estimate::Estimate;
use outrigger_pricing::{Atto, Completeness, Meter};
use outrigger_providers::{FailureClass, Who};
use proptest::prelude::*;

use super::*;
use crate::testing::calls::{START, answered, failed, named, routed};

pub(super) fn settings(variables: &[(&str, &str)]) -> Settings {
    let get =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::from_env(Some("http://collector:4318"), get).unwrap().unwrap()
}

pub(super) fn spans(call: &CallRecord, variables: &[(&str, &str)]) -> Vec<Span> {
    let bytes = Schema::new(&settings(variables)).traces([Traced::Call(call)].into_iter(), Content::Whole);
    let mut request = ExportTraceServiceRequest::decode(bytes).unwrap();
    std::mem::take(&mut request.resource_spans[0].scope_spans[0].spans)
}

pub(super) fn log(call: &CallRecord) -> LogRecord {
    let bytes = Schema::new(&settings(&[])).logs([Entry::Call(call)].into_iter(), Content::Whole);
    let mut request = ExportLogsServiceRequest::decode(bytes).unwrap();
    request.resource_logs[0].scope_logs[0].log_records.remove(0)
}

/// A value in words that show its type: texts quoted, doubles with a point.
fn shown(value: &AnyValue) -> String {
    match value.value.as_ref().unwrap() {
        Value::StringValue(text) => format!("{text:?}"),
        Value::BoolValue(truth) => truth.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => format!("{number:?}"),
        Value::ArrayValue(array) => {
            format!("[{}]", array.values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::KvlistValue(fields) => {
            let fields: Vec<String> = fields.values.iter().map(pair).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn pair(field: &KeyValue) -> String {
    format!("{} = {}", field.key, shown(field.value.as_ref().unwrap()))
}

/// Attributes one per line, sorted; a key that stands twice is an error.
pub(super) fn lines(attributes: &[KeyValue]) -> Vec<String> {
    let by_key: BTreeMap<&str, String> =
        attributes.iter().map(|field| (field.key.as_str(), pair(field))).collect();
    assert_eq!(by_key.len(), attributes.len(), "a key stands twice");
    by_key.into_values().collect()
}

fn assert_lines(attributes: &[KeyValue], expected: &str) {
    let actual = lines(attributes);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(actual, expected, "\n{}\n", actual.join("\n"));
}

#[test]
fn an_answered_call_is_a_client_span_by_the_conventions() {
    let span = &spans(&answered(), &[])[0];
    assert_eq!(span.name, "chat gpt-5.1");
    assert_eq!(span.kind, 3);
    assert_eq!((span.trace_id.as_slice(), span.span_id.as_slice()), ([1; 16].as_slice(), [2; 8].as_slice()));
    assert_eq!(span.parent_span_id, [9; 8]);
    assert_eq!(span.flags, 0x301, "sampled, and the parent is another process's");
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (START, START + 2_500_000_000));
    assert_eq!(span.status, None);
    assert_lines(
        &span.attributes,
        r#"
        gen_ai.conversation.id = "conv_42"
        gen_ai.operation.name = "chat"
        gen_ai.output.type = "json"
        gen_ai.provider.name = "openai"
        gen_ai.request.max_tokens = 1024
        gen_ai.request.model = "gpt-5.1"
        gen_ai.request.reasoning.level = "high"
        gen_ai.request.seed = -7
        gen_ai.request.stream = true
        gen_ai.request.temperature = 0.25
        gen_ai.response.finish_reasons = ["stop"]
        gen_ai.response.id = "chatcmpl-1"
        gen_ai.response.model = "gpt-5.1-2025-11-13"
        gen_ai.response.time_to_first_chunk = 0.5
        gen_ai.usage.cache_read.input_tokens = 1024
        gen_ai.usage.cache_write.input_tokens = 0
        gen_ai.usage.cost = 0.0041905
        gen_ai.usage.input_tokens = 1234
        gen_ai.usage.output_tokens = 380
        gen_ai.usage.reasoning.output_tokens = 80
        openai.api.type = "chat_completions"
        openai.response.service_tier = "default"
        openai.response.system_fingerprint = "fp_1"
        outrigger.call.id = "abababababababababababababababab"
        outrigger.cost.cache_read = 0.000128
        outrigger.cost.input = 0.0002625
        outrigger.cost.output = 0.0038
        outrigger.cost.source = "local"
        outrigger.cost.status = "exact"
        outrigger.cost.usd = "0.0041905"
        outrigger.dialect = "openai_chat"
        outrigger.key.ending = "x7Qa"
        outrigger.key.fingerprint = "3f9c21d0"
        outrigger.logical.attempt = 1
        outrigger.logical.id = "abababababababababababababababab"
        outrigger.mode = "connect"
        outrigger.named_by.session = "body conversation"
        outrigger.named_by.step = "header x-outrigger-step"
        outrigger.named_by.user = "header x-outrigger-user, hashed"
        outrigger.outcome = "answered"
        outrigger.price_book.hash = "b00c"
        outrigger.request_id = "req_1"
        outrigger.route.attempts = 1
        outrigger.schema.version = 4
        outrigger.step = "plan"
        outrigger.usage.provenance = "exact"
        server.address = "api.openai.com"
        server.port = 443
        session.id = "conv_42"
        user.id = "u_81"
        "#,
    );
}

#[test]
fn a_failed_call_names_its_cause_and_knows_no_numbers() {
    let span = &spans(&failed(), &[])[0];
    let status = span.status.as_ref().unwrap();
    assert_eq!(status.code, 2);
    assert_eq!(status.message, "openai refused the key (401): check OPENAI_API_KEY");
    assert_eq!(span.parent_span_id, [0u8; 0]);
    assert_eq!(span.flags, 0x101, "no parent, so none that is remote");
    assert_lines(
        &span.attributes,
        r#"
        error.type = "invalid_api_key"
        gen_ai.operation.name = "chat"
        gen_ai.provider.name = "openai"
        gen_ai.request.model = "gpt-5.1"
        gen_ai.response.finish_reasons = ["error"]
        openai.api.type = "chat_completions"
        outrigger.call.id = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
        outrigger.cause.class = "authentication"
        outrigger.cause.message = "openai refused the key (401): check OPENAI_API_KEY"
        outrigger.cause.status_code = 401
        outrigger.cost.reasons = ["tokens unknown"]
        outrigger.cost.status = "unpriced"
        outrigger.dialect = "openai_chat"
        outrigger.key.fingerprint = "ba7816bf"
        outrigger.logical.attempt = 1
        outrigger.logical.id = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
        outrigger.mode = "connect"
        outrigger.outcome = "failed"
        outrigger.price_book.hash = "b00c"
        outrigger.route.attempts = 1
        outrigger.schema.version = 4
        outrigger.usage.provenance = "unknown"
        outrigger.usage.reason = "the provider refused the call"
        server.address = "api.openai.com"
        server.port = 443
        "#,
    );
}

#[test]
fn a_caller_that_hangs_up_has_not_failed() {
    let mut call = answered();
    call.outcome = Outcome::Cancelled;
    call.finish_reasons.clear();
    let span = &spans(&call, &[])[0];
    assert_eq!(span.status, None);
    let lines = lines(&span.attributes);
    assert!(lines.contains(&r#"gen_ai.response.finish_reasons = ["error"]"#.to_owned()));
    assert!(!lines.iter().any(|line| line.starts_with("error.type")));
}

#[test]
fn only_one_name_of_the_cache_attribute_is_ever_sent() {
    let span = &spans(&answered(), &[("OUTRIGGER_GENAI_CACHE_ATTRIBUTE", "cache_creation")])[0];
    let keys: Vec<&str> = span.attributes.iter().map(|field| field.key.as_str()).collect();
    assert!(keys.contains(&"gen_ai.usage.cache_creation.input_tokens"));
    assert!(!keys.contains(&"gen_ai.usage.cache_write.input_tokens"));
}

#[test]
fn openai_keys_are_for_openai_alone() {
    let mut call = answered();
    call.otel_provider = "groq";
    let span = &spans(&call, &[])[0];
    assert!(!span.attributes.iter().any(|field| field.key.starts_with("openai.")));
}

#[test]
fn attempts_are_plain_http_children() {
    let mut call = answered();
    let last = call.attempts[0].clone();
    let mut first = last.clone();
    (first.status, first.error_type, first.span_id) = (Some(500), Some("500".to_owned()), [7; 8]);
    let mut second = last.clone();
    (second.number, second.provider, second.host, second.port) =
        (2, "anthropic", "localhost".to_owned(), 8443);
    second.model = Some("claude-sonnet-4-5".to_owned());
    second.query = Some("beta=true&key=REDACTED".to_owned());
    (second.status, second.error_type, second.peer) = (None, Some("connect".to_owned()), None);
    let mut third = last;
    (third.number, third.provider, third.host, third.port) = (3, "anthropic", "localhost".to_owned(), 8443);
    third.model.clone_from(&second.model);
    second.class = Some(FailureClass::Connect);
    (second.backup, third.backup) = (Some("claude".into()), Some("claude".into()));
    call.attempts = vec![first, second, third];
    call.routed = Some(routed(3));

    let spans = spans(&call, &[]);
    assert_eq!(spans.len() as u64, span_count(&call));
    for child in &spans[1..] {
        assert_eq!(child.name, "POST");
        assert_eq!(child.kind, 3);
        assert_eq!(child.parent_span_id, [2; 8]);
        assert_eq!(child.flags, 0x101, "the parent is our own");
        assert!(!child.attributes.iter().any(|field| field.key.starts_with("gen_ai.")));
    }
    assert_eq!(spans[1].span_id, [7; 8]);
    assert_lines(
        &spans[1].attributes,
        r#"
        error.type = "500"
        http.request.method = "POST"
        http.response.status_code = 500
        network.peer.address = "192.0.2.7"
        network.peer.port = 443
        network.protocol.version = "2"
        outrigger.attempt.billed_input_tokens = 0
        outrigger.attempt.billed_output_tokens = 0
        outrigger.attempt.cost = 0.0
        outrigger.attempt.model = "gpt-5.1"
        outrigger.attempt.number = 1
        outrigger.attempt.provider = "openai"
        outrigger.attempt.reason = "initial"
        server.address = "api.openai.com"
        server.port = 443
        url.full = "https://api.openai.com/v1/chat/completions"
        "#,
    );
    assert_lines(
        &spans[2].attributes,
        r#"
        error.type = "connect"
        http.request.method = "POST"
        http.request.resend_count = 1
        network.protocol.version = "2"
        outrigger.attempt.backup = "claude"
        outrigger.attempt.class = "connect"
        outrigger.attempt.model = "claude-sonnet-4-5"
        outrigger.attempt.number = 2
        outrigger.attempt.provider = "anthropic"
        outrigger.attempt.reason = "failover"
        server.address = "localhost"
        server.port = 8443
        url.full = "https://localhost:8443/v1/chat/completions?beta=true&key=REDACTED"
        "#,
    );
    let errors: Vec<bool> = spans[1..].iter().map(|span| span.status.is_some()).collect();
    assert_eq!(errors, [true, true, false]);
    let last = lines(&spans[3].attributes);
    for line in [
        r#"outrigger.attempt.reason = "retry""#,
        "outrigger.attempt.billed_input_tokens = 1234",
        "outrigger.attempt.billed_output_tokens = 380",
        "outrigger.attempt.cost = 0.0041905",
    ] {
        assert!(last.contains(&line.to_owned()), "{line} in {last:#?}");
    }
    assert_eq!(spans[0].name, "chat claude-sonnet-4-5");
    let logical = lines(&spans[0].attributes);
    for line in [
        r#"gen_ai.request.model = "claude-sonnet-4-5""#,
        r#"outrigger.route.requested_provider = "openai""#,
        r#"outrigger.route.requested_model = "gpt-5.1""#,
        "outrigger.route.attempts = 3",
        "outrigger.route.failover = true",
        r#"outrigger.route.rule = "chat""#,
        r#"outrigger.route.backup = "claude""#,
        "outrigger.route.serving = 3",
        r#"outrigger.route.losses = ["seed: a seed (dropped)"]"#,
        r#"outrigger.route.left_out = ["reasoning"]"#,
        r#"outrigger.route.exceeded = ["firstToken"]"#,
        r#"outrigger.route.passed_over = ["azure-eu: its breaker is open"]"#,
    ] {
        assert!(logical.contains(&line.to_owned()), "{line} in {logical:#?}");
    }
}

#[test]
fn the_record_holds_everything_but_content() {
    let record = log(&answered());
    assert_eq!(record.event_name, "outrigger.call");
    assert_eq!((record.severity_number, record.severity_text.as_str()), (9, "INFO"));
    assert_eq!(
        (record.trace_id.as_slice(), record.span_id.as_slice()),
        ([1; 16].as_slice(), [2; 8].as_slice())
    );
    assert_eq!((record.time_unix_nano, record.flags), (START + 2_500_000_000, 1));
    assert_eq!(shown(record.body.as_ref().unwrap()), r#""openai gpt-5.1-2025-11-13: answered""#);
    assert_lines(
        &record.attributes,
        r#"
        gen_ai.conversation.id = "conv_42"
        gen_ai.operation.name = "chat"
        gen_ai.provider.name = "openai"
        gen_ai.request.model = "gpt-5.1"
        gen_ai.request.stream = true
        gen_ai.response.finish_reasons = ["stop"]
        gen_ai.response.id = "chatcmpl-1"
        gen_ai.response.model = "gpt-5.1-2025-11-13"
        outrigger.attempts = [{number = 1, span_id = "0303030303030303", provider = "openai", method = "POST", host = "api.openai.com", port = 443, path = "/v1/chat/completions", model = "gpt-5.1", peer = "192.0.2.7:443", http_version = "2", status = 200, started = 1795521600001000000, ended = 1795521602500000000}]
        outrigger.call.id = "abababababababababababababababab"
        outrigger.cost.lines = [{meter = "input", quantity = 210, rate = "1.25", per = 1000000, amount = "0.0002625"}, {meter = "cache_read", quantity = 1024, rate = "0.125", per = 1000000, amount = "0.000128"}, {meter = "output", quantity = 300, rate = "10", per = 1000000, amount = "0.003"}, {meter = "reasoning", quantity = 80, rate = "10", per = 1000000, amount = "0.0008"}]
        outrigger.cost.region = "global"
        outrigger.cost.source = "local"
        outrigger.cost.status = "exact"
        outrigger.cost.tier = "standard"
        outrigger.cost.usd = "0.0041905"
        outrigger.dialect = "openai_chat"
        outrigger.key.ending = "x7Qa"
        outrigger.key.fingerprint = "3f9c21d0"
        outrigger.logical.attempt = 1
        outrigger.logical.id = "abababababababababababababababab"
        outrigger.mode = "connect"
        outrigger.named_by.session = "body conversation"
        outrigger.named_by.step = "header x-outrigger-step"
        outrigger.named_by.user = "header x-outrigger-user, hashed"
        outrigger.outcome = "answered"
        outrigger.price_book.hash = "b00c"
        outrigger.request.bytes = 2000
        outrigger.request_id = "req_1"
        outrigger.response.bytes = 9000
        outrigger.route.attempts = 1
        outrigger.schema.version = 4
        outrigger.step = "plan"
        outrigger.tier.requested = "auto"
        outrigger.tier.served = "default"
        outrigger.time.ended = 1795521602500000000
        outrigger.time.first_content = 1795521600500000000
        outrigger.time.responded = 1795521600400000000
        outrigger.time.started = 1795521600000000000
        outrigger.usage.cache_read = 1024
        outrigger.usage.input = 210
        outrigger.usage.output = 300
        outrigger.usage.provenance = "exact"
        outrigger.usage.reasoning = 80
        server.address = "api.openai.com"
        server.port = 443
        session.id = "conv_42"
        user.id = "u_81"
        "#,
    );
}

#[test]
fn a_retry_and_what_goes_on_from_another_call_are_linked_to_it() {
    let mut call = answered();
    let place =
        |byte: u8| SpanContext { trace_id: [byte; 16], span_id: [byte; 8], parent_span_id: None, flags: 1 };
    let retried = Retried { call: CallId([7; 16]), span: place(7), failed: true, by: JoinedBy::RetryCount };
    call.logical = Logical { id: CallId([6; 16]), attempt: 3, retried: Some(retried) };
    let parent = Parent {
        call: CallId([8; 16]),
        span: place(8),
        by: ChainedBy::ToolCall,
        confidence: Confidence::Certain,
    };
    call.chain = Some(Chain { id: CallId([5; 16]), number: 2, parent: Some(parent) });
    call.facts.thread.prompt = Some(0xf00d);
    let spans = spans(&call, &[]);
    let links: Vec<(u8, u8, Vec<String>)> = spans[0]
        .links
        .iter()
        .map(|link| (link.trace_id[0], link.span_id[0], lines(&link.attributes)))
        .collect();
    let link = |byte, what: &str| (byte, byte, vec![format!("outrigger.link = {what:?}")]);
    assert_eq!(links, [link(7, "retry_of"), link(8, "goes_on_from")]);
    for attributes in [&spans[0].attributes, &log(&call).attributes] {
        let lines = lines(attributes);
        for line in [
            r#"outrigger.chain.by = "tool_call_id""#,
            r#"outrigger.chain.confidence = "certain""#,
            r#"outrigger.chain.id = "05050505050505050505050505050505""#,
            "outrigger.chain.number = 2",
            r#"outrigger.chain.parent = "08080808080808080808080808080808""#,
            "outrigger.logical.attempt = 3",
            r#"outrigger.logical.by = "retry_count""#,
            r#"outrigger.logical.id = "06060606060606060606060606060606""#,
            r#"outrigger.logical.retry_of = "07070707070707070707070707070707""#,
            r#"outrigger.prompt.fingerprint = "000000000000f00d""#,
        ] {
            assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
        }
    }
    let attempt = lines(&spans[1].attributes);
    assert!(attempt.contains(&"http.request.resend_count = 2".to_owned()), "{attempt:#?}");
    assert!(attempt.contains(&r#"outrigger.attempt.reason = "retry""#.to_owned()), "{attempt:#?}");
}

#[test]
fn a_retry_without_a_trace_of_the_app_stands_under_its_first_attempt() {
    let mut call = answered();
    let first = CallId([6; 16]);
    let before = SpanContext { trace_id: [6; 16], span_id: [7; 8], parent_span_id: None, flags: 1 };
    let retried = Retried { call: first, span: before, failed: true, by: JoinedBy::RetryCount };
    call.logical = Logical { id: first, attempt: 2, retried: Some(retried) };
    assert_eq!(spans(&call, &[])[0].flags, 0x301, "the parent is the app's");
    call.span.parent_span_id = Some(first.span_id());
    assert!(call.is_under_first_attempt());
    let span = &spans(&call, &[])[0];
    assert_eq!(span.flags, 0x101, "the parent is ours");
    assert_eq!(span.links.len(), 1, "to the attempt before, which is not the first");
    call.logical.retried =
        Some(Retried { span: SpanContext { span_id: first.span_id(), ..before }, ..retried });
    assert!(spans(&call, &[])[0].links.is_empty(), "the first is the parent");
}

#[test]
fn tokens_are_told_by_modality_where_there_is_more_than_one() {
    let mut call = answered();
    let modal = |call: &CallRecord, variables: &[(&str, &str)]| {
        let lines = lines(&spans(call, variables)[0].attributes);
        let modal = [".text.", ".image.", ".audio."];
        lines.into_iter().filter(|line| modal.iter().any(|one| line.contains(one))).collect::<Vec<_>>()
    };
    assert!(modal(&call, &[]).is_empty());
    call.tokens.usage = call.tokens.usage.with(Meter::InputImage, 1000).with(Meter::OutputAudio, 50);
    assert_eq!(
        modal(&call, &[]),
        [
            "gen_ai.usage.audio.cache_read.input_tokens = 0",
            "gen_ai.usage.audio.input_tokens = 0",
            "gen_ai.usage.audio.output_tokens = 50",
            "gen_ai.usage.image.cache_read.input_tokens = 0",
            "gen_ai.usage.image.input_tokens = 1000",
            "gen_ai.usage.image.output_tokens = 0",
            "gen_ai.usage.text.cache_read.input_tokens = 1024",
            "gen_ai.usage.text.input_tokens = 1234",
            "gen_ai.usage.text.output_tokens = 380",
        ]
    );
    assert!(modal(&call, &[("OUTRIGGER_GENAI_MODALITY_ATTRIBUTES", "false")]).is_empty());
}

#[test]
fn what_the_request_asked_for_is_told() {
    let mut call = answered();
    call.otel_provider = "azure.ai.openai";
    call.facts.stop_sequences = vec!["END".to_owned(), "\n\n".to_owned()];
    call.facts.encoding_formats = vec!["float".to_owned()];
    call.facts.dimensions = Some(256);
    call.facts.prompt_template = Some(("pmpt_1".to_owned(), Some("3".to_owned())));
    call.facts.guardrail = Some("gr-1".to_owned());
    let lines = lines(&spans(&call, &[])[0].attributes);
    for line in [
        r#"aws.bedrock.guardrail.id = "gr-1""#,
        r#"azure.resource_provider.namespace = "Microsoft.CognitiveServices""#,
        "gen_ai.embeddings.dimension.count = 256",
        r#"gen_ai.prompt.name = "pmpt_1""#,
        r#"gen_ai.prompt.version = "3""#,
        r#"gen_ai.request.encoding_formats = ["float"]"#,
        r#"gen_ai.request.stop_sequences = ["END", "\n\n"]"#,
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
    }
}

#[test]
fn what_the_apps_own_span_counts_is_not_counted_again() {
    let counted = |call: &CallRecord, variables: &[(&str, &str)]| {
        let settings = settings(variables);
        let wanted = Tracing::of(&settings).wants(call);
        let span = spans(call, variables).remove(0);
        let lines = lines(&span.attributes);
        let usage = lines.iter().any(|line| line.starts_with("gen_ai.usage."));
        if !usage {
            for line in [
                "outrigger.usage.input = 210",
                r#"outrigger.usage.counted_by = "parent_span""#,
                r#"outrigger.cost.usd = "0.0041905""#,
            ] {
                assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
            }
        }
        (wanted, usage)
    };
    let (both, link, none) = (
        [("OUTRIGGER_APP_TELEMETRY", "both")],
        [("OUTRIGGER_APP_TELEMETRY", "link")],
        [("OUTRIGGER_APP_TELEMETRY", "metrics_only")],
    );
    let mut call = answered();
    // Nothing shows that the app's span counts tokens, unless the operator knows it.
    assert_eq!(counted(&call, &link), (true, true));
    let always = [link[0], ("OUTRIGGER_APP_INSTRUMENTED", "always")];
    assert_eq!(counted(&call, &always), (true, false));
    call.instrumented = Some(Instrumented::AnthropicSdk);
    assert_eq!(counted(&call, &both), (true, true));
    assert_eq!(counted(&call, &link), (true, false));
    assert!(!Tracing::of(&settings(&none)).wants(&call));
    // A span of the app's that is not sampled counts nothing.
    call.span.flags = 0;
    assert_eq!(counted(&call, &[link[0], ("OTEL_TRACES_SAMPLER", "always_on")]), (true, true));
    call.span = SpanContext { parent_span_id: None, flags: 1, ..call.span };
    assert_eq!(counted(&call, &always), (true, true));
}

#[test]
fn a_failure_is_an_event_of_its_own_as_well() {
    let records = |call: &CallRecord| {
        let bytes = Schema::new(&settings(&[])).logs([Entry::Call(call)].into_iter(), Content::Whole);
        let mut request = ExportLogsServiceRequest::decode(bytes).unwrap();
        std::mem::take(&mut request.resource_logs[0].scope_logs[0].log_records)
    };
    for call in [answered(), failed()] {
        assert_eq!(records(&call).len() as u64, log_count(&call, false));
    }
    let event = &records(&failed())[1];
    assert_eq!(event.event_name, "gen_ai.client.operation.exception");
    assert_eq!((event.severity_number, event.severity_text.as_str()), (13, "WARN"));
    assert_eq!((event.trace_id.as_slice(), event.span_id.as_slice()), (&[4u8; 16][..], &[5u8; 8][..]));
    assert_lines(
        &event.attributes,
        r#"
        exception.message = "openai refused the key (401): check OPENAI_API_KEY"
        exception.type = "invalid_api_key"
        gen_ai.operation.name = "chat"
        gen_ai.provider.name = "openai"
        gen_ai.request.model = "gpt-5.1"
        outrigger.call.id = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
        "#,
    );
}

#[test]
fn only_a_real_conversation_is_called_one() {
    for (source, is_one) in
        [(Source::Header, true), (Source::Agent, true), (Source::CacheKey, false), (Source::Trace, false)]
    {
        let mut call = failed();
        call.identity.set(Who::Session, named(source, "x", "p"));
        let lines = lines(&spans(&call, &[])[0].attributes);
        assert!(lines.contains(&r#"session.id = "x""#.to_owned()), "{lines:#?}");
        assert_eq!(lines.contains(&r#"gen_ai.conversation.id = "x""#.to_owned()), is_one, "{source:?}");
    }
}

#[test]
fn the_record_of_a_failed_call_is_a_warning_with_its_cause() {
    let record = log(&failed());
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
    let lines = lines(&record.attributes);
    for line in [
        r#"error.type = "invalid_api_key""#,
        r#"outrigger.cause.class = "authentication""#,
        r#"outrigger.cost.lines = []"#,
        r#"outrigger.cost.status = "unpriced""#,
        r#"outrigger.usage.provenance = "unknown""#,
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
    }
    let numbers = ["outrigger.usage.input", "outrigger.cost.usd", "outrigger.time.first_content"];
    assert!(!lines.iter().any(|line| numbers.iter().any(|key| line.starts_with(&format!("{key} =")))));
    assert!(shown(record.body.as_ref().unwrap()).contains("refused the key"));
}

/// Backends that nest keys cannot hold a key that is also the beginning of another.
#[test]
fn estimates_stand_under_our_names_with_their_bounds_and_no_others() {
    let mut call = answered();
    let estimate = |tokens, low, high| Some(Estimate { tokens, low, high });
    (call.tokens.prompt, call.tokens.answer) = (estimate(1234, 900, 1600), estimate(380, 300, 500));
    call.tokens.provenance = Provenance::Estimated;
    call.cost.completeness = Completeness::Estimated;
    let amount = |text| Atto::parse(text).unwrap();
    call.cost_between = Some((amount("0.002"), amount("0.0061")));
    call.reported_cost = Some(amount("0.005"));
    for told in [lines(&spans(&call, &[])[0].attributes), lines(&log(&call).attributes)] {
        for expected in [
            "outrigger.cost.reported_usd = \"0.005\"",
            "outrigger.cost.status = \"estimated\"",
            "outrigger.estimate.confidence_percent = 90",
            "outrigger.estimate.cost_high = \"0.0061\"",
            "outrigger.estimate.cost_low = \"0.002\"",
            "outrigger.estimate.input_high = 1600",
            "outrigger.estimate.input_low = 900",
            "outrigger.estimate.output_high = 500",
            "outrigger.estimate.output_low = 300",
            "outrigger.usage.provenance = \"estimated\"",
        ] {
            assert!(told.iter().any(|line| line == expected), "{expected} in {told:#?}");
        }
        // Readers of the conventions' names take them for what the provider reported.
        assert!(!told.iter().any(|line| line.starts_with("gen_ai.usage.")), "{told:#?}");
    }
}

#[test]
fn a_fault_of_ours_is_told_and_its_absence_is_not() {
    let told = |call: &CallRecord| {
        let has = |attributes: &[KeyValue]| {
            let said = attributes.iter().find(|field| field.key == "outrigger.fault");
            said.map(|field| field.value.clone().unwrap().value.unwrap())
        };
        (has(&spans(call, &[])[0].attributes), has(&log(call).attributes))
    };
    let mut call = answered();
    assert_eq!(told(&call), (None, None));
    call.fault = true;
    assert_eq!(told(&call), (Some(Value::BoolValue(true)), Some(Value::BoolValue(true))));
}

#[test]
fn no_key_is_the_beginning_of_another() {
    let mut call = failed();
    for who in Who::ALL {
        call.identity.set(who, named(Source::Header, "x", "p"));
    }
    let mut keys: Vec<String> = Vec::new();
    for call in [&answered(), &call] {
        keys.extend(spans(call, &[]).iter().flat_map(|span| &span.attributes).map(|field| field.key.clone()));
        keys.extend(log(call).attributes.iter().map(|field| field.key.clone()));
    }
    for key in &keys {
        let beginning = format!("{key}.");
        let longer = keys.iter().find(|other| other.starts_with(&beginning));
        assert_eq!(longer, None, "begins with {key}");
    }
}

#[test]
fn the_resource_is_the_users_with_a_fresh_instance() {
    let resource = |variables: &[(&str, &str)]| {
        let resource = resource::resource(&settings(variables).default_service_name("my-app"));
        let resource = Resource::decode(resource.as_slice()).unwrap();
        lines(&resource.attributes)
    };
    let mine = resource(&[]);
    assert!(mine.contains(&r#"service.name = "my-app""#.to_owned()));
    assert!(mine.contains(&r#"telemetry.sdk.name = "outrigger""#.to_owned()));
    let instance =
        |lines: &[String]| lines.iter().find(|line| line.starts_with("service.instance.id")).cloned();
    assert_eq!(instance(&mine).unwrap().len(), r#"service.instance.id = """#.len() + 36);
    assert_ne!(instance(&mine), instance(&resource(&[])));

    let given = resource(&[(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=shop,service.instance.id=pod-1,team=caf%C3%A9%2C%20bar",
    )]);
    for line in [r#"service.name = "shop""#, r#"service.instance.id = "pod-1""#, r#"team = "café, bar""#] {
        assert!(given.contains(&line.to_owned()), "{line} in {given:#?}");
    }
    let named = resource(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop"), ("OTEL_SERVICE_NAME", "till")]);
    assert!(named.contains(&r#"service.name = "till""#.to_owned()));
}

#[test]
fn in_a_pod_the_resource_is_the_pods_with_our_own_container() {
    let resource = |variables: &[(&str, &str)]| {
        let resource = Resource::decode(resource::resource(&settings(variables)).as_slice()).unwrap();
        lines(&resource.attributes)
    };
    let pod = [
        ("OUTRIGGER_POD_NAME", "shop-7c9f-xk2"),
        ("OUTRIGGER_POD_NAMESPACE", "prod"),
        ("OUTRIGGER_POD_UID", "8d2f"),
        ("OUTRIGGER_NODE_NAME", "node-3"),
        ("OUTRIGGER_POD_IP", "10.1.2.3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.deployment.name=shop,service.version=2.4.1"),
    ];
    assert_eq!(
        resource(&pod),
        [
            r#"k8s.container.name = "outrigger""#,
            r#"k8s.deployment.name = "shop""#,
            r#"k8s.namespace.name = "prod""#,
            r#"k8s.node.name = "node-3""#,
            r#"k8s.pod.ip = "10.1.2.3""#,
            r#"k8s.pod.name = "shop-7c9f-xk2""#,
            r#"k8s.pod.uid = "8d2f""#,
            r#"service.instance.id = "prod.shop-7c9f-xk2.outrigger""#,
            r#"service.name = "shop""#,
            r#"service.namespace = "prod""#,
            r#"service.version = "2.4.1""#,
            r#"telemetry.sdk.language = "rust""#,
            r#"telemetry.sdk.name = "outrigger""#,
            &format!(r#"telemetry.sdk.version = "{}""#, outrigger_contract::VERSION),
        ]
    );
    let operators = resource(&[
        ("OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "shop-7c9f-xk2"),
        ("OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "node-3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=theirs,service.instance.id=own"),
    ]);
    for line in [
        r#"k8s.pod.name = "theirs""#,
        r#"k8s.node.name = "node-3""#,
        r#"service.instance.id = "own""#,
        r#"service.name = "shop-7c9f-xk2""#,
    ] {
        assert!(operators.contains(&line.to_owned()), "{line} in {operators:#?}");
    }
    assert!(!resource(&[("OUTRIGGER_NODE_NAME", "node-3")]).iter().any(|line| line.starts_with("k8s.")));
}

/// Every text of these attributes, with the sum of a list as one.
fn lengths(attributes: &[KeyValue]) -> Vec<usize> {
    fn all(value: &AnyValue, out: &mut Vec<usize>) {
        match value.value.as_ref().unwrap() {
            Value::StringValue(text) => out.push(text.len()),
            Value::ArrayValue(array) => {
                let texts = array.values.iter().filter_map(|value| match &value.value {
                    Some(Value::StringValue(text)) => Some(text.len()),
                    _ => None,
                });
                out.push(texts.sum());
                for value in array.values.iter().filter(|it| matches!(it.value, Some(Value::KvlistValue(_))))
                {
                    all(value, out);
                }
            }
            Value::KvlistValue(fields) => {
                fields.values.iter().for_each(|field| all(field.value.as_ref().unwrap(), out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    attributes.iter().for_each(|field| all(field.value.as_ref().unwrap(), &mut out));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever an app or a provider sends, no text is longer than its bound, and each is the beginning of what it was.
    #[test]
    fn no_text_is_longer_than_its_bound(
        letters in "(x|é|水|🚣){1,40}",
        times in 1usize..400,
        limit in proptest::option::of(1usize..3000),
    ) {
        let long = letters.repeat(times);
        let mut call = failed();
        call.facts.model = Some(long.clone());
        call.served_model = Some(long.clone());
        call.response_id = Some(long.clone());
        call.request_id = Some(long.clone());
        call.finish_reasons = vec![long.clone(), "stop".to_owned(), long.clone()];
        call.facts.stop_sequences = vec![long.clone(); 3];
        call.identity.set(Who::User, named(Source::Header, &long, "x-outrigger-user"));
        call.attempts[0].path = long.clone();
        if let Some(cause) = &mut call.cause {
            cause.text.clone_from(&long);
        }
        let written = limit.map(|limit| limit.to_string());
        let mut variables = vec![("OTEL_RESOURCE_ATTRIBUTES", format!("team={}", "x".repeat(long.len())))];
        variables.extend(written.map(|limit| ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit)));
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let most = limit.unwrap_or(2047);

        let mut all = spans(&call, &variables).into_iter().flat_map(|span| span.attributes).collect::<Vec<_>>();
        let schema = Schema::new(&settings(&variables));
        let logs = ExportLogsServiceRequest::decode(schema.logs([Entry::Call(&call)].into_iter(), Content::Whole)).unwrap();
        let resource = logs.resource_logs[0].resource.clone().unwrap();
        let records = logs.resource_logs[0].scope_logs[0].log_records.iter();
        all.extend(records.flat_map(|record| record.attributes.clone()));
        all.extend(resource.attributes);
        prop_assert!(lengths(&all).into_iter().all(|length| length <= most), "{:?}", lengths(&all));
        let model = all.iter().find(|field| field.key == "gen_ai.response.model").unwrap();
        let Some(Value::StringValue(model)) = &model.value.as_ref().unwrap().value else { panic!() };
        prop_assert!(long.starts_with(model.as_str()));
        prop_assert!(model.len() + 4 > most.min(long.len()), "no more is cut than has to be");
    }
}

#[test]
fn a_span_holds_so_many_attributes_and_links_and_says_what_it_leaves_out() {
    let whole = spans(&answered(), &[]).remove(0);
    assert_eq!((whole.dropped_attributes_count, whole.dropped_links_count), (0, 0));
    let few = spans(&answered(), &[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5")]);
    for (span, full) in few.iter().zip(spans(&answered(), &[])) {
        assert_eq!(span.attributes.len(), 5);
        assert_eq!(span.dropped_attributes_count as usize, full.attributes.len() - 5);
        assert_eq!(span.attributes[..], full.attributes[..5]);
    }
    let mut call = answered();
    let retried = Retried { call: call.id, span: call.span, failed: true, by: JoinedBy::SameRequest };
    call.logical = Logical { attempt: 2, retried: Some(retried), ..call.logical };
    assert_eq!(spans(&call, &[])[0].links.len(), 1);
    let unlinked = spans(&call, &[("OTEL_SPAN_LINK_COUNT_LIMIT", "0")]).remove(0);
    assert_eq!((unlinked.links.len(), unlinked.dropped_links_count), (0, 1));
}

#[test]
fn spans_may_have_a_bound_of_their_own() {
    let mut call = answered();
    call.served_model = Some("m".repeat(100));
    let model = |attributes: &[KeyValue]| {
        lines(attributes).into_iter().find(|line| line.starts_with("gen_ai.response.model")).unwrap().len()
    };
    let variables =
        [("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50"), ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7")];
    assert_eq!(model(&spans(&call, &variables)[0].attributes), r#"gen_ai.response.model = """#.len() + 7);
    let logs = Schema::new(&settings(&variables)).logs([Entry::Call(&call)].into_iter(), Content::Whole);
    let logs = ExportLogsServiceRequest::decode(logs).unwrap();
    let record = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(model(&record.attributes), r#"gen_ai.response.model = """#.len() + 50);
}

#[test]
fn the_end_of_the_integers_is_an_edge_not_a_sign() {
    let mut call = answered();
    call.transport.response_bytes = u64::MAX;
    assert!(lines(&log(&call).attributes).contains(&format!("outrigger.response.bytes = {}", i64::MAX)));
}
