//! Deciding allocates nothing, whether a rule matches or none does.

use http::{HeaderMap, HeaderName, HeaderValue};
use outrigger_pricing::PriceBook;
use outrigger_providers::Operation;
use outrigger_rules::{Call, Policy, Site, Translation};

#[test]
fn deciding_allocates_nothing() {
    let text = "version: 1
rules:
  - { name: a, match: { provider: [anthropic, gemini] } }
  - { name: b, match: { model: \"gpt-*-luna\", host: \"*.openai.azure.com\" } }
  - { name: c, match: { service: \"*-batch\", operation: embeddings } }
  - { name: d, match: { headers: { x-tier: [\"pa*\", gold], x-team: \"*\" } } }
";
    let site = Site {
        book: PriceBook::builtin(),
        now: 0,
        allowed_providers: None,
        in_cluster: false,
        gate: &Translation,
    };
    let (policy, _) = Policy::read(text.as_bytes(), &site).unwrap();
    let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    };
    let (free, paid) =
        (headers(&[("x-tier", "free"), ("x-team", "a")]), headers(&[("x-tier", "paid"), ("x-team", "a")]));
    for (headers, decides) in [(&free, None), (&paid, Some("d"))] {
        let call = Call {
            provider: "openai",
            host: "api.openai.com",
            model: Some("gpt-6.1-terra"),
            operation: Operation::Chat,
            headers,
            service: Some("shop"),
        };
        let mut decided = None;
        let measured = allocation_counter::measure(|| decided = policy.decide(&call));
        assert_eq!(decided.map(|rule| &*rule.name), decides);
        assert_eq!(measured.count_total, 0);
    }
}
