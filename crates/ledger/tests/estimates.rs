//! Calls whose usage never came are estimated from their texts, say so, and learn from those that were reported.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{
    Calibrations, Call, CallId, CallRecord, CallStart, End, Mode, Outcome, Provenance, Timestamp, call_json,
};
use outrigger_pricing::estimate::Estimate;
use outrigger_pricing::{Completeness, Meter, PriceBook};
use outrigger_providers::services;
use serde_json::json;

use crate::support;

const SENTENCE: &str =
    "The harbour lay quiet in the early light, and nobody on the quay had noticed that the ship was gone. ";

/// A stream of so many sentences by this model; its usage comes if it is given.
fn chat(model: &str, sentences: usize, usage: Option<(u64, u64)>) -> String {
    let event = |chunk: serde_json::Value| format!("data: {chunk}\n\n");
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        json!({"id": "c", "object": "chat.completion.chunk", "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut body: String = (0..sentences).map(|_| event(chunk(json!({"content": SENTENCE}), None))).collect();
    body += &event(chunk(json!({}), Some("stop")));
    if let Some((prompt, completion)) = usage {
        body += &event(json!({"id": "c", "model": model, "choices": [],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                "completion_tokens_details": {"reasoning_tokens": 0}}}));
    }
    body + "data: [DONE]\n\n"
}

struct Bench(Arc<Calibrations>);

impl Bench {
    /// The call that asks this model with so many sentences, and has this answer.
    fn run(&self, model: &str, sentences: usize, answer: &str, end: End) -> CallRecord {
        let service = services::by_host("api.openai.com").unwrap();
        let path = "/v1/chat/completions";
        let headers = HeaderMap::new();
        let mut call = Call::begin(CallStart {
            id: CallId([1; 16]),
            service,
            recognised: (service.recognise)(&Method::POST, path),
            mode: Mode::Connect,
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
            host: "api.openai.com",
            port: 443,
            http_version: "2",
            identity: &Arc::default(),
            at: Timestamp(support::START),
        })
        .with_calibrations(&self.0);
        let request = json!({"model": model, "stream": true,
            "messages": [{"role": "user", "content": SENTENCE.repeat(sentences)}]});
        call.request_chunk(request.to_string().as_bytes());
        let kind = [("content-type".parse().unwrap(), "text/event-stream".parse().unwrap())];
        call.response_head(StatusCode::OK, &kind.into_iter().collect(), Timestamp(support::START + 1));
        call.response_chunk(answer.as_bytes(), Timestamp(support::START + 2));
        call.finish(end, Timestamp(support::START + 3), PriceBook::builtin())
    }
}

/// A bench that has seen `gpt-4.1` report that it does not reason, in calls too short to tell of its tokenizer.
fn bench() -> Bench {
    let bench = Bench(Arc::default());
    for _ in 0..3 {
        bench.run("gpt-4.1", 1, &chat("gpt-4.1", 1, Some((TOKENS + 7, TOKENS))), End::Complete);
    }
    bench
}

/// A sentence is 23 tokens of o200k, counted with tiktoken, the blank behind it included.
const TOKENS: u64 = 23;

#[test]
fn a_stream_without_usage_is_estimated_and_its_bounds_hold_the_truth() {
    let bench = bench();
    let record = bench.run("gpt-4.1", 40, &chat("gpt-4.1", 20, None), End::Complete);
    assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Answered, Provenance::Estimated));
    let holds = |estimate: Option<Estimate>, truth: u64| {
        let Estimate { low, high, tokens } = estimate.unwrap();
        assert!(
            (low..=high).contains(&truth) && (low..=high).contains(&tokens),
            "{low} {tokens} {high}: {truth}"
        );
        assert!(high < truth * 3 / 2 && low > truth / 2, "the bounds are worth something");
    };
    holds(record.tokens.prompt, 40 * TOKENS + 7);
    holds(record.tokens.answer, 20 * TOKENS);
    assert_eq!(record.tokens.of(Meter::Output), Provenance::Estimated);
    assert_eq!(
        record.tokens.of(Meter::CacheRead),
        Provenance::Estimated,
        "that nothing was cached is assumed"
    );
    assert_eq!(record.tokens.reported().total_prompt(), None);

    // gpt-4.1: 2 and 8 dollars per million, cached 0.5.
    assert_eq!(record.cost.completeness, Completeness::Estimated);
    let (low, high) = record.cost_between.unwrap();
    let truth = (40 * TOKENS + 7) * 2 + 20 * TOKENS * 8;
    assert!(
        low.units() < i128::from(truth) * 10_i128.pow(12)
            && high.units() > i128::from(truth) * 10_i128.pow(12)
    );
    let prompt = record.tokens.prompt.unwrap();
    let answer = record.tokens.answer.unwrap();
    assert_eq!(
        low.units(),
        i128::from(prompt.low * 5 + answer.low * 80) * 10_i128.pow(11),
        "all of it cached"
    );
    assert_eq!(high.units(), i128::from(prompt.high * 2 + answer.high * 8) * 10_i128.pow(12));

    let json = call_json(&record);
    assert_eq!(json["tokens"]["estimate"]["output"]["high"], answer.high);
    assert_eq!(json["tokens"]["estimate"]["confidence_percent"], 90);
    assert_eq!(json["cost_between"][0], low.to_string());
}

#[test]
fn what_broke_off_may_have_been_longer() {
    let bench = bench();
    let whole = chat("gpt-4.1", 20, None);
    let cut = &whole[..whole.find("\"stop\"").unwrap()];
    let of = |answer: &str, end| bench.run("gpt-4.1", 1, answer, end).tokens;
    let (complete, hung_up, broken) = (of(&whole, End::Complete), of(cut, End::Cancelled), of(cut, End::Cut));
    let (complete, hung_up, broken) =
        (complete.answer.unwrap(), hung_up.answer.unwrap(), broken.answer.unwrap());
    assert_eq!((hung_up.low, hung_up.tokens), (complete.low, complete.tokens));
    assert_eq!(hung_up.high, complete.high + complete.tokens / 10);
    assert_eq!(broken, hung_up);
}

#[test]
fn of_a_model_that_reasons_the_texts_are_the_least() {
    let record = Bench(Arc::default()).run("gpt-5", 40, &chat("gpt-5", 20, None), End::Complete);
    assert_eq!(record.tokens.provenance, Provenance::Unknown);
    let (prompt, answer) = (record.tokens.prompt.unwrap(), record.tokens.answer.unwrap());
    let usage = &record.tokens.usage;
    assert_eq!((usage.get(Meter::Input), usage.get(Meter::Output)), (Some(prompt.low), Some(answer.low)));
    assert_eq!(usage.get(Meter::Reasoning), None, "unknown, not none");
    assert_eq!((record.cost.completeness, record.cost_between), (Completeness::Partial, None));
    // 1.25 and 10 dollars per million.
    let least = i128::from(prompt.low * 125 + answer.low * 1_000) * 10_i128.pow(10);
    assert_eq!(record.cost.total.unwrap().units(), least);
}

#[test]
fn a_model_that_may_reason_for_all_we_know_is_one_that_does() {
    let bench = Bench(Arc::default());
    let answer = chat("gpt-4.1", 20, None);
    let provenance = || bench.run("gpt-4.1", 40, &answer, End::Complete).tokens.provenance;
    assert_eq!(provenance(), Provenance::Unknown);
    for _ in 0..3 {
        bench.run("gpt-4.1", 1, &chat("gpt-4.1", 1, Some((TOKENS + 7, TOKENS))), End::Complete);
    }
    assert_eq!(provenance(), Provenance::Estimated, "its calls say that it never does");
    let reasoned = chat("gpt-4.1", 1, Some((TOKENS, TOKENS))).replace("_tokens\":0", "_tokens\":9");
    bench.run("gpt-4.1", 1, &reasoned, End::Complete);
    assert_eq!(provenance(), Provenance::Unknown, "until one does");
}

#[test]
fn reported_calls_teach() {
    let bench = bench();
    let before = bench.run("gpt-4.1", 40, &chat("gpt-4.1", 20, None), End::Complete);
    // A tokenizer that makes a tenth more than o200k of these texts.
    for _ in 0..20 {
        let usage = Some((40 * TOKENS * 11 / 10, 20 * TOKENS * 11 / 10));
        let record = bench.run("gpt-4.1", 40, &chat("gpt-4.1", 20, usage), End::Complete);
        assert_eq!(record.tokens.provenance, Provenance::Exact);
        assert_eq!((record.tokens.prompt, record.tokens.answer, record.cost_between), (None, None, None));
    }
    let after = bench.run("gpt-4.1", 40, &chat("gpt-4.1", 20, None), End::Complete);
    for (before, after, truth) in [
        (before.tokens.prompt, after.tokens.prompt, 40 * TOKENS * 11 / 10),
        (before.tokens.answer, after.tokens.answer, 20 * TOKENS * 11 / 10),
    ] {
        let (before, after) = (before.unwrap(), after.unwrap());
        assert!(after.tokens.abs_diff(truth) <= truth / 50, "{after:?} for {truth}");
        assert!((after.high - after.low) * 3 < (before.high - before.low) * 2, "{before:?} to {after:?}");
    }
}

#[test]
fn what_was_not_seen_is_not_estimated() {
    let bench = Bench(Arc::default());
    let answer = chat("gpt-4.1", 20, None);
    // We gave it up; or it could not be read.
    let unreadable = answer.replacen("data: {", "data: }{", 1);
    for (answer, end) in [(&answer, End::Abandoned), (&unreadable, End::Complete)] {
        let record = bench.run("gpt-4.1", 40, answer, end);
        assert_eq!(record.tokens.provenance, Provenance::Unknown);
        assert_eq!((record.tokens.prompt, record.tokens.answer), (None, None));
    }
}
