//! The bill equals the price computed by hand, to the last digit; tokens equal what the provider reported.

use outrigger_simulator::{Answer, Usage};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Receiver;

use super::{CALLS, at, exec, python, refs, simulator};

struct Case {
    what: &'static str,
    call: &'static str,
    model: &'static str,
    tier: Option<&'static str>,
    base_url: Option<&'static str>,
    usage: Usage,
    /// Dollars, computed by hand from the published prices.
    cost: &'static str,
}

const NOTHING: Usage = Usage::ZERO;

/// Prices per million: gpt-5 1.25 / 0.125 / 10; gpt-5-mini flex half of 0.25 / 0.025 / 2; gpt-6-astra 10 / 1 / 50, writes
/// 12.5 and 25; gpt-6-sol 2 / 0.2 / 10, tenth more on regional hosts; claude-opus-5-5 4 / 0.2 / 20, writes 5 and 8, fast
/// twice; claude-sonnet-5-5 2 / 10, a search 0.01.
const CASES: [Case; 9] = [
    Case {
        what: "cached and reasoning tokens",
        call: "chat",
        model: "gpt-5",
        tier: None,
        base_url: None,
        usage: Usage { input: 1808, cache_read: 8192, output: 360, reasoning: 640, ..NOTHING },
        cost: "0.013284",
    },
    Case {
        what: "the same, streamed",
        call: "chat_stream",
        model: "gpt-5",
        tier: None,
        base_url: None,
        usage: Usage { input: 1808, cache_read: 8192, output: 360, reasoning: 640, ..NOTHING },
        cost: "0.013284",
    },
    Case {
        what: "the tier that was served",
        call: "chat",
        model: "gpt-5-mini",
        tier: Some("flex"),
        base_url: None,
        usage: Usage { input: 1000, cache_read: 1000, output: 500, ..NOTHING },
        cost: "0.0006375",
    },
    Case {
        what: "cache writes of both lifetimes",
        call: "responses",
        model: "gpt-6-astra",
        tier: None,
        base_url: None,
        usage: Usage {
            input: 5000,
            cache_read: 20_000,
            cache_write_short: 15_000,
            cache_write_long: 10_000,
            output: 1500,
            reasoning: 500,
            ..NOTHING
        },
        cost: "0.6075",
    },
    Case {
        what: "the same, streamed",
        call: "responses_stream",
        model: "gpt-6-astra",
        tier: None,
        base_url: None,
        usage: Usage {
            input: 5000,
            cache_read: 20_000,
            cache_write_short: 15_000,
            cache_write_long: 10_000,
            output: 1500,
            reasoning: 500,
            ..NOTHING
        },
        cost: "0.6075",
    },
    Case {
        what: "a regional host",
        call: "chat",
        model: "gpt-6-sol",
        tier: None,
        base_url: Some("https://eu.api.openai.com/v1"),
        usage: Usage { input: 100_000, output: 10_000, ..NOTHING },
        cost: "0.33",
    },
    Case {
        what: "Anthropic's cache lifetimes",
        call: "messages",
        model: "claude-opus-5-5",
        tier: None,
        base_url: None,
        usage: Usage {
            input: 1000,
            cache_read: 10_000,
            cache_write_short: 2000,
            cache_write_long: 3000,
            output: 300,
            reasoning: 200,
            ..NOTHING
        },
        cost: "0.05",
    },
    Case {
        what: "Anthropic's fast mode, streamed",
        call: "messages_stream",
        model: "claude-opus-5-5",
        tier: Some("fast"),
        base_url: None,
        usage: Usage { input: 1000, cache_read: 10_000, output: 500, ..NOTHING },
        cost: "0.032",
    },
    Case {
        what: "web searches",
        call: "messages",
        model: "claude-sonnet-5-5",
        tier: None,
        base_url: None,
        usage: Usage { input: 2000, output: 600, web_searches: 2, ..NOTHING },
        cost: "0.03",
    },
];

#[test]
fn the_bill_is_exact_and_the_tokens_are_the_providers() {
    for case in CASES {
        let simulator = simulator(Answer {
            usage: Some(case.usage),
            served_tier: case.tier.map(str::to_owned),
            gzip: true,
            ..Answer::default()
        });
        let receiver = Receiver::start();
        let mut exec = exec(&simulator)
            .option("--otlp", &receiver.url())
            .variable("TEST_OPENAI_MODEL", case.model)
            .variable("TEST_ANTHROPIC_MODEL", case.model);
        if let Some(url) = case.base_url {
            exec = exec.variable("OPENAI_BASE_URL", url);
        }
        let ended = exec.run(&refs(&python(CALLS, &[case.call])));
        let what = format!("{}: {}\n{}", case.what, ended.output, ended.errors);
        let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect(&what);
        let call = &received.calls[0];
        assert_eq!(at(call, "outrigger.cost.usd"), case.cost, "{what}");
        assert_eq!(at(call, "outrigger.cost.status"), "exact", "{what}");
        assert_eq!(at(call, "outrigger.usage.provenance"), "exact", "{what}");
        let lifetimes = if case.model.starts_with("claude") { ["5m", "1h"] } else { ["30m", "12h"] };
        let [short, long] = lifetimes.map(|lifetime| format!("cache_write_{lifetime}"));
        let expected = [
            ("input", case.usage.input),
            ("cache_read", case.usage.cache_read),
            (&short, case.usage.cache_write_short),
            (&long, case.usage.cache_write_long),
            ("output", case.usage.output),
            ("reasoning", case.usage.reasoning),
            ("web_search", case.usage.web_searches),
        ];
        // Chat Completions reports one count of written tokens and no lifetimes; no case here writes through it.
        for (meter, count) in expected {
            let name = format!("outrigger.usage.{meter}");
            // What no chat call must have is left out where there was none of it.
            let told = call.get(&name).map_or(Some(0), serde_json::Value::as_u64);
            assert_eq!(told, Some(count), "{meter} of {what}");
        }
        assert_eq!(at(call, "gen_ai.response.model"), case.model, "{what}");
        assert_eq!(at(call, "outrigger.price_book.hash").as_str().map(str::len), Some(64), "{what}");
        assert_eq!(received.calls.len(), 1);
        assert!(at(call, "outrigger.cost.lines").as_array().is_some_and(|lines| !lines.is_empty()), "{what}");
    }
}

#[test]
fn a_model_without_a_price_is_unpriced_and_never_free() {
    let simulator = simulator(Answer::default());
    let receiver = Receiver::start();
    let ended = exec(&simulator)
        .option("--otlp", &receiver.url())
        .variable("TEST_OPENAI_MODEL", "house-9")
        .run(&refs(&python(CALLS, &["chat"])));
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect("a record");
    assert_eq!(at(&received.calls[0], "outrigger.cost.status"), "unpriced");
    assert!(!received.calls[0].contains_key("outrigger.cost.usd"));
    assert!(ended.errors.contains("$0.000000 + 1 unpriced"), "{}", ended.errors);
}
