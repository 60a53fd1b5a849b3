//! Calls to export, made by hand.

use std::sync::Arc;

use outrigger_ledger::{
    Accounted, Attempt, CallId, CallRecord, Cause, Identity, KeyHint, Logical, Marks, Mode, Named, Outcome,
    Provenance, Routed, Source, SpanContext, Times, Timestamp, Transport,
};
use outrigger_pricing::{Atto, Completeness, Cost, CostLine, Meter, Region, Tier, TokenUsage};
use outrigger_providers::{FailureClass, Operation, RequestFacts, Who};

/// 2026-11-24T12:00:00Z.
pub(crate) const START: u64 = 1_795_521_600_000_000_000;

/// A name that was found there.
pub(crate) fn named(source: Source, text: &str, place: &'static str) -> Option<Named> {
    Some(Named { text: text.to_owned(), source, place: place.into(), hashed: false })
}

/// What a rule did whose call was answered by this attempt.
#[allow(dead_code, reason = "unit tests move calls")]
pub(crate) fn routed(serving: u32) -> Box<Routed> {
    Box::new(Routed {
        rule: "chat".into(),
        acts: true,
        requested_provider: "openai",
        serving,
        passed_over: vec!["azure-eu: its breaker is open".to_owned()],
        left_alone: Vec::new(),
        losses: vec!["seed: a seed (dropped)".to_owned()],
        left_out: vec!["reasoning"],
        exceeded: vec!["firstToken"],
        hindrance: None,
        retry_denied: serving == 1,
        exhausted: serving == 1,
        seam: None,
        not_continued: None,
    })
}

/// A streamed chat that went well, with cached and reasoning tokens, child of an app's span.
pub(crate) fn answered() -> CallRecord {
    let attempt = Attempt {
        span_id: [3; 8],
        number: 1,
        provider: "openai",
        host: "api.openai.com".to_owned(),
        port: 443,
        peer: Some(([192, 0, 2, 7], 443).into()),
        path: "/v1/chat/completions".to_owned(),
        query: None,
        model: Some("gpt-5.1".to_owned()),
        backup: None,
        method: "POST".to_owned(),
        http_version: "2",
        status: Some(200),
        class: None,
        error_type: None,
        started: Timestamp(START + 1_000_000),
        ended: Timestamp(START + 2_500_000_000),
        used: None,
    };
    let line = |meter, quantity, rate, amount| CostLine {
        meter,
        quantity,
        rate: Atto::parse(rate).unwrap().into(),
        per: 1_000_000,
        factor: (1, 1),
        amount: Atto::parse(amount).unwrap(),
    };
    let mut identity = Identity::default();
    identity.set(
        Who::User,
        named(Source::Header, "u_81", "x-outrigger-user").map(|user| Named { hashed: true, ..user }),
    );
    identity.set(Who::Session, named(Source::Body, "conv_42", "conversation"));
    identity.set(Who::Step, named(Source::Header, "plan", "x-outrigger-step"));
    CallRecord {
        verdicts: Vec::new(),
        id: CallId([0xab; 16]),
        span: SpanContext { trace_id: [1; 16], span_id: [2; 8], parent_span_id: Some([9; 8]), flags: 1 },
        instrumented: None,
        mode: Mode::Connect,
        provider: "openai",
        otel_provider: "openai",
        dialect: "openai_chat",
        api_type: Some("chat_completions"),
        operation: Operation::Chat,
        facts: RequestFacts {
            model: Some("gpt-5.1".to_owned()),
            stream: true,
            include_usage: Some(true),
            max_tokens: Some(1024),
            temperature: Some(0.25),
            seed: Some(-7),
            reasoning_level: Some("high".to_owned()),
            tier_word: Some("auto".to_owned()),
            output_type: Some("json"),
            ..RequestFacts::default()
        },
        identity,
        key: Some(KeyHint {
            fingerprint: "3f9c21d0".to_owned(),
            ending: Some("x7Qa".to_owned()),
            made_for: None,
        }),
        served_model: Some("gpt-5.1-2025-11-13".to_owned()),
        deployed_model: None,
        served_tier: Some("default".to_owned()),
        system_fingerprint: Some("fp_1".to_owned()),
        response_id: Some("chatcmpl-1".to_owned()),
        request_id: Some("req_1".to_owned()),
        finish_reasons: vec!["stop".to_owned()],
        tokens: Accounted {
            usage: TokenUsage::ZERO
                .with(Meter::Input, 210)
                .with(Meter::CacheRead, 1024)
                .with(Meter::Output, 300)
                .with(Meter::Reasoning, 80),
            provenance: Provenance::Exact,
            prompt: None,
            answer: None,
            reason: None,
        },
        tier: Tier::Standard,
        region: Region::Global,
        cost: Cost {
            total: Some(Atto::parse("0.0041905").unwrap()),
            lines: vec![
                line(Meter::Input, 210, "1.25", "0.0002625"),
                line(Meter::CacheRead, 1024, "0.125", "0.000128"),
                line(Meter::Output, 300, "10", "0.003"),
                line(Meter::Reasoning, 80, "10", "0.0008"),
            ],
            completeness: Completeness::Exact,
            reasons: Vec::new(),
        },
        cost_between: None,
        reported_cost: None,
        price_book: "b00c".into(),
        outcome: Outcome::Answered,
        cause: None,
        fault: false,
        times: Times {
            started: Timestamp(START),
            responded: Some(Timestamp(START + 400_000_000)),
            first_content: Some(Timestamp(START + 500_000_000)),
            ended: Timestamp(START + 2_500_000_000),
        },
        transport: Transport { request_bytes: 2000, response_bytes: 9000 },
        attempts: vec![attempt],
        routed: None,
        logical: Logical::alone(CallId([0xab; 16])),
        chain: None,
        chunk_times: None,
        content: None,
        marks: Marks::default(),
    }
}

/// A call whose key was mistyped: nothing known of tokens, nothing to pay, no app span.
pub(crate) fn failed() -> CallRecord {
    let mut call = answered();
    call.id = CallId([0xcd; 16]);
    call.logical = Logical::alone(call.id);
    call.span = SpanContext { trace_id: [4; 16], span_id: [5; 8], parent_span_id: None, flags: 1 };
    call.facts = RequestFacts { model: Some("gpt-5.1".to_owned()), ..RequestFacts::default() };
    call.identity = Identity::default();
    call.key = Some(KeyHint { fingerprint: "ba7816bf".to_owned(), ending: None, made_for: None });
    call.served_model = None;
    call.served_tier = None;
    call.system_fingerprint = None;
    call.response_id = None;
    call.request_id = None;
    call.finish_reasons = Vec::new();
    call.tokens = Accounted {
        usage: TokenUsage::UNKNOWN,
        provenance: Provenance::Unknown,
        prompt: None,
        answer: None,
        reason: Some("the provider refused the call"),
    };
    call.cost = Cost {
        total: None,
        lines: Vec::new(),
        completeness: Completeness::Unpriced,
        reasons: vec!["tokens unknown".to_owned()],
    };
    call.outcome = Outcome::Failed;
    call.cause = Some(Cause {
        class: FailureClass::Authentication,
        error_type: "invalid_api_key".to_owned(),
        status: Some(401),
        text: "openai refused the key (401): check OPENAI_API_KEY".to_owned(),
        resets: None,
    });
    call.times.first_content = None;
    call.times.ended = Timestamp(START + 400_000_000);
    call.attempts[0].span_id = [6; 8];
    call.attempts[0].status = Some(401);
    call.attempts[0].error_type = Some("401".to_owned());
    call.attempts[0].ended = Timestamp(START + 400_000_000);
    call
}

/// A call with an id of its own.
pub(crate) fn numbered(mut call: CallRecord, number: u64) -> Arc<CallRecord> {
    call.id.0[..8].copy_from_slice(&number.to_be_bytes());
    call.span.span_id = number.to_be_bytes();
    Arc::new(call)
}
