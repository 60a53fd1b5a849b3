//! What deciding costs a call: no rule matches, among few and many, and one matches.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use outrigger_pricing::PriceBook;
use outrigger_providers::Operation;
use outrigger_rules::{Call, Policy, Site, Translation};

fn policy(rules: usize, matching: &str) -> Option<Policy> {
    let written: String = (0..rules)
        .map(|at| {
            format!("  - {{ name: rule-{at}, match: {} }}\n", matching.replace("NUMBER", &at.to_string()))
        })
        .collect();
    let site = Site {
        book: PriceBook::builtin(),
        now: 0,
        allowed_providers: None,
        in_cluster: false,
        gate: &Translation,
    };
    let text = format!("version: 1\nrules:\n{written}");
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

criterion_group!(benches, decide);
criterion_main!(benches);
