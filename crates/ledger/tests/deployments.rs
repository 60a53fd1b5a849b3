//! A deployment hides its model: it is priced as the setting says, else as the answer names it, else not at all.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{
    Call, CallId, CallRecord, CallStart, Deployments, End, Mode, Timestamp, ToldCall, call_json,
};
use outrigger_pricing::{Completeness, PriceBook};
use outrigger_providers::services;

const AZURE: &str = "team-a.openai.azure.com";
const CHAT: &str = "/openai/deployments/our-gpt/chat/completions";
const BEDROCK: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

fn settings() -> Arc<Deployments> {
    let mut deployments = Deployments::default();
    deployments.insert("team-a", "our-gpt", "gpt-5-mini".to_owned());
    deployments.insert("*", PROFILE, "us.anthropic.claude-sonnet-4-5-20250929-v1:0".to_owned());
    Arc::new(deployments)
}

fn record(host: &str, path: &str, request: &str, answer: &str, known: &Arc<Deployments>) -> CallRecord {
    let service = services::by_host(host).unwrap();
    let headers: HeaderMap =
        [(http::header::CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect();
    let at = |milliseconds: u64| Timestamp(1_795_521_600_000_000_000 + milliseconds * 1_000_000);
    let mut call = Call::begin(CallStart {
        id: CallId([0xab; 16]),
        service,
        recognised: (service.recognise)(&Method::POST, path),
        mode: Mode::Connect,
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
        host,
        port: 443,
        http_version: "1.1",
        identity: &Arc::default(),
        at: at(0),
    })
    .with_deployments(known);
    call.request_chunk(request.as_bytes());
    call.response_head(StatusCode::OK, &headers, at(1));
    call.response_chunk(answer.as_bytes(), at(2));
    call.finish(End::Complete, at(3), PriceBook::builtin())
}

fn chat(host: &str, path: &str, asked: &str, served: &str, known: &Arc<Deployments>) -> CallRecord {
    let request = format!(r#"{{"model":"{asked}","messages":[{{"role":"user","content":"ahoy"}}]}}"#);
    let model = if served.is_empty() { String::new() } else { format!(r#""model":"{served}","#) };
    let answer = format!(
        r#"{{"id":"c","object":"chat.completion",{model}"choices":[{{"index":0,"message":{{"role":"assistant","content":"ahoy"}},
        "finish_reason":"stop"}}],"usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}"#
    );
    record(host, path, &request, &answer, known)
}

fn cost(record: &CallRecord) -> (Option<String>, Completeness) {
    (record.cost.total.map(|total| total.to_string()), record.cost.completeness)
}

/// 1000 × 0.25 and 100 × 2 per million; of gpt-5 five times that.
const MINI: &str = "0.00045";
const FULL: &str = "0.00225";

#[test]
fn the_setting_decides_then_the_answer_and_else_there_is_no_price() {
    let (known, unknown) = (settings(), Arc::default());
    for (path, asked) in [(CHAT, "whatever"), ("/openai/v1/chat/completions", "our-gpt")] {
        let said = chat(AZURE, path, asked, "gpt-5-2025-08-07", &known);
        assert_eq!(said.facts.model.as_deref(), Some("our-gpt"));
        assert_eq!(said.deployed_model.as_deref(), Some("gpt-5-mini"));
        assert_eq!(cost(&said), (Some(MINI.to_owned()), Completeness::Exact), "{path}");
        let silent = chat(AZURE, path, asked, "", &known);
        assert_eq!((cost(&silent), silent.model()), (cost(&said), Some("gpt-5-mini")), "{path}");

        let answered = chat(AZURE, path, asked, "gpt-5-2025-08-07", &unknown);
        assert_eq!(answered.deployed_model, None);
        assert_eq!(cost(&answered), (Some(FULL.to_owned()), Completeness::Exact), "{path}");
        let hidden = chat(AZURE, path, asked, "", &unknown);
        assert_eq!(cost(&hidden), (None, Completeness::Unpriced), "{path}");
        let reasons = hidden.cost.reasons.concat();
        assert!(reasons.contains("`our-gpt`") && reasons.contains("`deployments`"), "{reasons}");
    }
    // It looks like a model, but nobody said so; another resource's word counts for that one alone.
    for (host, asked) in [(AZURE, "gpt-5-mini"), ("team-b.openai.azure.com", "our-gpt")] {
        let record = chat(host, "/openai/v1/chat/completions", asked, "", &known);
        assert_eq!(record.cost.completeness, Completeness::Unpriced, "{host} {asked}");
    }
    // Elsewhere the same words are models.
    let openai = chat("api.openai.com", "/v1/chat/completions", "gpt-5-mini", "", &known);
    assert_eq!(openai.cost.completeness, Completeness::Partial, "{:?}", openai.cost.reasons);
}

#[test]
fn a_profile_of_an_application_is_a_deployment_too() {
    let path = format!("/model/{}/converse", PROFILE.replace(':', "%3A").replace('/', "%2F"));
    let answer = r#"{"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":"ahoy"}],"role":"assistant"}},
        "stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}"#;
    let known = record(BEDROCK, &path, "{}", answer, &settings());
    assert_eq!(known.cost.completeness, Completeness::Exact, "{:?}", known.cost.reasons);
    let hidden = record(BEDROCK, &path, "{}", answer, &Arc::default());
    let reasons = hidden.cost.reasons.concat();
    assert!(hidden.cost.total.is_none() && reasons.contains("`deployments`"), "{reasons}");
}

#[test]
fn the_arithmetic_is_read_back_from_the_record() {
    let record = chat(AZURE, CHAT, "whatever", "gpt-5-2025-08-07", &settings());
    let told = ToldCall::read(&call_json(&record).to_string()).unwrap();
    assert_eq!(told.model, "gpt-5-mini");
    assert_eq!(PriceBook::builtin().cost(&told.charge(PriceBook::builtin())).total, record.cost.total);
}
