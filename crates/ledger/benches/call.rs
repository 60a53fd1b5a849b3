//! What one small call costs the ledger, from its head to its record and its place among the others.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![expect(clippy::expect_used, reason = "a bench may end at the first surprise")]

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use outrigger_ledger::{
    Calibrations, Call, CallId, CallRecord, CallStart, Deployments, End, IdentityRules, Mode, Timestamp,
    Trail,
};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

const PATH: &str = "/v1/chat/completions";

/// A request of 1 KiB: instructions and a question.
fn request(question: u64) -> String {
    let text = "The pilot boat leaves the harbour at six and returns with the tide. ".repeat(10);
    format!(
        r#"{{"model":"gpt-5-mini","messages":[{{"role":"system","content":"{text}"}},{{"role":"user","content":"When does the boat {question} leave?"}}],"max_completion_tokens":256,"temperature":0.2,"user":"u_81"}}"#
    )
}

/// An answer of 1 KiB with its usage.
fn answer() -> String {
    let text = "It leaves at six, with the tide. ".repeat(20);
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1794830400,"model":"gpt-5-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":170,"completion_tokens":180,"total_tokens":350,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default"}}"#
    )
}

struct Bench {
    head: HeaderMap,
    answer_head: HeaderMap,
    identity: Arc<IdentityRules>,
    deployments: Arc<Deployments>,
    calibrations: Arc<Calibrations>,
    trail: Trail,
    answer: String,
    calls: u64,
}

impl Bench {
    fn new() -> Bench {
        let json = HeaderValue::from_static("application/json");
        Bench {
            head: [
                (AUTHORIZATION, HeaderValue::from_static("Bearer sk-harbour-0123456789-abcdWXYZ")),
                (CONTENT_TYPE, json.clone()),
                (USER_AGENT, HeaderValue::from_static("OpenAI/Python 3.57.0")),
            ]
            .into_iter()
            .collect(),
            answer_head: [(CONTENT_TYPE, json)].into_iter().collect(),
            identity: Arc::default(),
            deployments: Arc::default(),
            calibrations: Arc::default(),
            trail: Trail::default(),
            answer: answer(),
            calls: 0,
        }
    }

    fn call(&mut self, request: &str) -> CallRecord {
        self.calls += 1;
        let at = |after: u64| Timestamp(1_794_830_400_000_000_000 + self.calls * 1_000_000 + after);
        let service = services::by_host("api.openai.com").expect("it is listed");
        let mut call = Call::begin(CallStart {
            id: CallId(u128::from(self.calls).to_be_bytes()),
            service,
            recognised: (service.recognise)(&Method::POST, PATH),
            mode: Mode::Connect,
            method: &Method::POST,
            path: PATH,
            query: None,
            headers: &self.head,
            host: "api.openai.com",
            port: 443,
            http_version: "1.1",
            identity: &self.identity,
            at: at(0),
        })
        .with_deployments(&self.deployments)
        .with_calibrations(&self.calibrations);
        call.request_chunk(request.as_bytes());
        call.response_head(StatusCode::OK, &self.answer_head, at(1000));
        call.response_chunk(self.answer.as_bytes(), at(2000));
        let mut record = call.finish(End::Complete, at(3000), PriceBook::builtin());
        self.trail.place(&mut record);
        record
    }
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    let mut bench = Bench::new();
    let same = request(1);
    group.bench_function("1 KiB in and out, always the same", |bencher| bencher.iter(|| bench.call(&same)));
    let mut bench = Bench::new();
    let all: Vec<String> = (0..4096).map(request).collect();
    let mut asked = all.iter().cycle();
    group.bench_function("1 KiB in and out, each another", |bencher| {
        bencher.iter(|| bench.call(asked.next().expect("it never ends")))
    });
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
