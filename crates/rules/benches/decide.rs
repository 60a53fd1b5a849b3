//! What deciding costs a call: no rule matches, among few and many, and one matches; and all that is asked of rules for a call which
//! none of them touches.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use outrigger_pricing::PriceBook;
use outrigger_providers::{Operation, services};
use outrigger_rules::{Call, Policy, Site, Translation};

fn policy(rules: usize, matching: &str) -> Option<Policy> {
    let written: String = (0..rules)
        .map(|at| {
            format!(
                "  - {{ name: rule-{at}, match: {}, retry: {{}} }}\n",
                matching.replace("NUMBER", &at.to_string())
            )
        })
        .collect();
    let site = Site {
        book: PriceBook::builtin(),
        now: 0,
        allowed_providers: None,
        in_cluster: false,
        gate: &Translation,
    };
    let text = format!("version: 1\nmode: act\nrules:\n{written}");
    Policy::read(text.as_bytes(), &site).ok().map(|(policy, _)| policy)
}

fn decide(criterion: &mut Criterion) {
    let mut headers = HeaderMap::new();
    for name in ["host", "user-agent", "accept", "content-type", "authorization", "x-request-id", "x-tier"] {
        headers.insert(http::HeaderName::from_static(name), http::HeaderValue::from_static("value"));
    }
    let call = Call {
        provider: "openai",
        host: "api.openai.com",
        model: Some("gpt-6.1-terra"),
        operation: Operation::Chat,
        headers: &headers,
        service: Some("shop"),
    };
    for (name, rules, matching) in [
        ("no rule, 10 by provider and model", 10, "{ provider: anthropic, model: \"claude-NUMBER-*\" }"),
        ("no rule, 50 by model", 50, "{ provider: openai, model: \"gpt-NUMBER-*-luna\" }"),
        (
            "no rule, 10 by every condition, the last fails",
            10,
            "{ provider: openai, operation: chat, host: \"*.openai.com\", model: \"gpt-*\", headers: { x-tier: \"paid-NUMBER\" } }",
        ),
        ("the first rule", 1, "{}"),
    ] {
        let Some(policy) = policy(rules, matching) else { continue };
        criterion.bench_function(name, |bench| {
            bench.iter(|| black_box(policy.decide(black_box(&call)).is_some()))
        });
    }
}

/// Before a body is read: what the address says, and whether a rule could act. Behind it, where that hangs on the model: whether one
/// does.
fn untouched(criterion: &mut Criterion) {
    let Some(service) = services::by_host("api.openai.com") else { return };
    let (host, path) = ("api.openai.com", "/v1/chat/completions");
    let headers: HeaderMap = ["host", "user-agent", "accept", "content-type", "authorization"]
        .map(|name| (http::HeaderName::from_static(name), http::HeaderValue::from_static("value")))
        .into_iter()
        .collect();
    for (name, rules, matching) in [
        ("untouched, 10 of another provider", 10, "{ provider: anthropic }"),
        ("untouched, 10 of other models", 10, "{ provider: openai, model: \"gpt-NUMBER-*\" }"),
        ("untouched, 50 of other models", 50, "{ provider: openai, model: \"gpt-NUMBER-*\" }"),
    ] {
        let Some(policy) = policy(rules, matching) else { continue };
        criterion.bench_function(name, |bench| {
            bench.iter(|| {
                let (host, path) = black_box((host, path));
                let addressed = (service.addressed)(host, path);
                let call = |model| Call {
                    provider: service.id,
                    host,
                    model,
                    operation: Operation::Chat,
                    headers: &headers,
                    service: Some("shop"),
                };
                let candidates = policy.candidates(&call(addressed.model.as_deref()));
                let model = black_box(Some("gpt-6.1-terra"));
                policy.may_act(&candidates)
                    && policy.decided(&candidates, model).is_some_and(|place| policy.rules[place].acts())
            });
        });
    }
}

criterion_group!(benches, decide, untouched);
criterion_main!(benches);
