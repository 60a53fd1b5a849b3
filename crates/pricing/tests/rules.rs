//! What happens where a count or a price is missing: never zero, never a guess, always a reason.

use outrigger_pricing::{Charge, Completeness, Cost, Meter, PriceBook, Tier, TokenUsage};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

fn cost_of(provider: &str, model: &str, tier: Tier, at: i64, usage: TokenUsage) -> Cost {
    PriceBook::builtin().cost(&Charge { tier, ..Charge::standard(provider, model, at, &usage) })
}

fn cost(model: &str, usage: TokenUsage) -> Cost {
    let provider = if model.starts_with("claude") { "anthropic" } else { "openai" };
    cost_of(provider, model, Tier::Standard, NOW, usage)
}

fn tokens(input: u64, output: u64) -> TokenUsage {
    TokenUsage::ZERO.with(Meter::Input, input).with(Meter::Output, output)
}

fn unknown(usage: TokenUsage, meter: Meter) -> TokenUsage {
    let mut usage = usage;
    usage.set(meter, None);
    usage
}

#[track_caller]
fn assert_unpriced(cost: &Cost, because: &str) {
    assert_eq!(
        (cost.total, cost.completeness, cost.lines.len()),
        (None, Completeness::Unpriced, 0),
        "{cost:?}"
    );
    assert!(cost.reasons.iter().any(|reason| reason.contains(because)), "{because}: {:?}", cost.reasons);
}

#[track_caller]
fn assert_partial(cost: &Cost, dollars: &str, because: &str) {
    assert_eq!(cost.completeness, Completeness::Partial, "{cost:?}");
    assert_eq!(cost.total.map(|total| total.to_string()).as_deref(), Some(dollars));
    assert!(cost.reasons.iter().any(|reason| reason.contains(because)), "{because}: {:?}", cost.reasons);
}

#[track_caller]
fn assert_exact(cost: &Cost, dollars: &str) {
    assert_eq!(cost.completeness, Completeness::Exact, "{cost:?}");
    assert_eq!(cost.total.map(|total| total.to_string()).as_deref(), Some(dollars));
}

#[test]
fn what_the_book_does_not_know_has_no_price() {
    let usage = tokens(1_000, 1_000);
    assert_unpriced(&cost_of("acme", "gpt-5", Tier::Standard, NOW, usage), "no provider `acme`");
    assert_unpriced(&cost("gpt-7-imaginary", usage), "no openai model `gpt-7-imaginary`");
    assert_unpriced(&cost_of("openai", "claude-opus-5-5", Tier::Standard, NOW, usage), "no openai model");
    assert_unpriced(
        &cost_of("openai", "gpt-5", Tier::Unknown, NOW, usage),
        "tier that this version does not know",
    );
    assert_unpriced(&cost_of("openai", "gpt-4o", Tier::Ultrafast, NOW, usage), "no ultrafast price");
    // 2026-07-01: the flex price is known only since the price was cut.
    let july = 1_782_864_000;
    assert_unpriced(&cost_of("openai", "gpt-5.6-luna", Tier::Flex, july, usage), "2026-07-01");
    assert_unpriced(&cost_of("openai", "gpt-5.6-luna", Tier::Flex, i64::MIN, usage), "Unix second");
}

#[test]
fn names_match_exactly_or_dated_and_never_by_prefix() {
    let usage = tokens(1_000_000, 0);
    for (name, dollars) in [
        ("gpt-4.1", "2"),
        ("gpt-4.1-2025-04-14", "2"),
        // A gateway's prefix is taken off.
        ("openai/gpt-4.1", "2"),
        ("gateway/openai/gpt-4.1-2025-04-14", "2"),
        ("gpt-5.6", "8"),
        ("gpt-5.6-sol-2026-07-09", "8"),
        ("gpt-4o-2024-08-06", "2.5"),
        // Listed by itself, at another price than the other days of the same model.
        ("gpt-4o-2024-05-13", "5"),
        ("claude-opus-4-1-20250805", "15"),
        ("claude-opus-4-20250514", "15"),
    ] {
        assert_exact(&cost(name, usage), dollars);
    }
    for name in [
        "claude-opus-4-10",
        "claude-opus-4-1-2025080",
        "gpt-4.1-2025-13-14",
        "gpt-5-",
        "gpt-5-turbo",
        "GPT-5",
        "",
        "-2025-04-14",
    ] {
        assert_unpriced(&cost(name, usage), "no ");
    }
}

#[test]
fn a_fine_tune_is_never_priced_as_its_base() {
    let usage = tokens(1_000_000, 0);
    assert_exact(&cost("ft:gpt-4.1-2025-04-14:acme:shop:id", usage), "3");
    for name in [
        "ft:gpt-5-2025-08-07:acme::id",
        "ft:gpt-4o:acme::id",
        "ft:gpt-4.1-2099-01-01:acme::id",
        "ft:",
        "ft::",
    ] {
        assert_unpriced(&cost(name, usage), "no openai model");
    }
}

#[test]
fn price_cuts_take_effect_at_midnight_utc() {
    // 2026-08-21T00:00:00Z.
    let cut = 1_787_270_400;
    let usage = tokens(100_000, 0);
    assert_exact(&cost_of("openai", "gpt-5.6-sol", Tier::Standard, cut - 1, usage), "0.5");
    assert_exact(&cost_of("openai", "gpt-5.6-sol", Tier::Standard, cut, usage), "0.4");
    // 2026-03-13: the premium on long prompts ended.
    let end = 1_773_360_000;
    let long = tokens(300_000, 0);
    assert_exact(&cost_of("anthropic", "claude-opus-4-6", Tier::Standard, end - 1, long), "3");
    assert_exact(&cost_of("anthropic", "claude-opus-4-6", Tier::Standard, end, long), "1.5");
}

#[test]
fn without_usage_there_is_no_bill() {
    assert_unpriced(&cost("gpt-5", TokenUsage::UNKNOWN), "usage unknown");
    // Knowing only that nothing was searched is no lower bound worth showing.
    assert_unpriced(&cost("gpt-5", TokenUsage::UNKNOWN.with(Meter::WebSearch, 0)), "output count is unknown");
    // A call that used nothing costs nothing, and that is known.
    let nothing = cost("gpt-5", TokenUsage::ZERO);
    assert_exact(&nothing, "0");
    assert!(nothing.lines.is_empty());
}

#[test]
fn an_unknown_part_leaves_a_lower_bound() {
    let cut = unknown(tokens(10_000, 0), Meter::Output);
    assert_partial(&cost("claude-sonnet-5-5", cut), "0.02", "output count is unknown");
    let unread = unknown(tokens(0, 1_000), Meter::CacheRead);
    assert_partial(&cost("claude-sonnet-5-5", unread), "0.01", "cache_read count is unknown");
    let searched = unknown(tokens(0, 1_000), Meter::WebSearch);
    assert_partial(&cost("gpt-5", searched), "0.01", "web_search count is unknown");
}

#[test]
fn an_unknown_part_of_a_known_whole_changes_nothing() {
    // Reasoning stands inside output; cached parts inside input where the model has no cached price; audio is not sold.
    let usage = [Meter::Reasoning, Meter::InputAudio, Meter::OutputAudio]
        .into_iter()
        .fold(tokens(1_000, 500), unknown);
    assert_exact(&cost("gpt-5", usage), "0.00625");
    assert_exact(&cost("gpt-5-pro", unknown(tokens(1_000, 0), Meter::CacheRead)), "0.015");
    assert_exact(&cost("gpt-5", unknown(tokens(1_000, 500), Meter::CacheWrite30m)), "0.00625");
}

#[test]
fn a_prompt_of_unknown_length_says_that_a_threshold_may_be_passed() {
    let usage = unknown(tokens(100_000, 0), Meter::CacheRead);
    assert_partial(&cost("gpt-5.4", usage), "0.25", "more than 272000 tokens");
    // What is known already passes it.
    let long = cost("gpt-5.4", unknown(tokens(300_000, 0), Meter::CacheRead));
    assert_partial(&long, "1.5", "cache_read count is unknown");
    assert_eq!(long.reasons.len(), 1, "{:?}", long.reasons);
}

#[test]
fn a_meter_without_a_price_is_said() {
    let heard = tokens(1_000, 500).with(Meter::InputAudio, 70);
    // Audio in a prompt is at least read: billed as text, and marked.
    let heard = cost("gpt-5", heard);
    assert_eq!(heard.completeness, Completeness::Fallback, "{heard:?}");
    assert_eq!(heard.total.map(|total| total.to_string()).as_deref(), Some("0.0063375"));
    assert!(heard.reasons.iter().any(|reason| reason.contains("input_audio billed as input")), "{heard:?}");
    assert_unpriced(&cost("gpt-5", TokenUsage::ZERO.with(Meter::OutputAudio, 70)), "70 output_audio");
    // Audio has its price where it is sold.
    assert_exact(&cost("gpt-audio", TokenUsage::ZERO.with(Meter::OutputAudio, 1_000)), "0.064");
    // Of 1,000 audio tokens 400 were cached; reference calculation 22.
    let spoken = tokens(100, 50)
        .with(Meter::InputAudio, 600)
        .with(Meter::CacheReadAudio, 400)
        .with(Meter::OutputAudio, 600);
    assert_exact(&cost("gpt-realtime", spoken), "0.05896");
    // Cached audio without a price of its own is billed as audio.
    assert_exact(&cost("gpt-audio", TokenUsage::ZERO.with(Meter::CacheReadAudio, 1_000)), "0.032");
}

#[test]
fn meters_without_a_line_are_billed_as_what_contains_them() {
    let thought = TokenUsage::ZERO.with(Meter::Reasoning, 1_000);
    assert_exact(&cost("o4-mini", thought), "0.0044");
    // No cached price is published for the pro models.
    assert_exact(&cost("gpt-5-pro", TokenUsage::ZERO.with(Meter::CacheRead, 1_000)), "0.015");
    // Before gpt-5.6, writing the cache cost nothing beside the input.
    for meter in [Meter::CacheWrite30m, Meter::CacheWrite12h] {
        assert_exact(&cost("gpt-5.5", TokenUsage::ZERO.with(meter, 1_000)), "0.005");
    }
    // Where one lifetime is priced, the other is not billed as input: 2026-07-01, before the cut.
    let kept = tokens(1_000, 0).with(Meter::CacheWrite12h, 1_000);
    let july = cost_of("openai", "gpt-5.6-luna", Tier::Standard, 1_782_864_000, kept);
    assert_partial(&july, "0.001", "1000 cache_write_12h");
}

#[test]
fn absurd_counts_are_not_billed() {
    let limit = 1_000_000_000_000;
    assert_eq!(
        cost("gpt-5", tokens(limit, 0)).total.map(|total| total.to_string()).as_deref(),
        Some("1250000")
    );
    assert_unpriced(&cost("gpt-5", tokens(limit + 1, 0)), "beyond belief");
    assert_unpriced(&cost("gpt-5", tokens(0, u64::MAX)), "beyond belief");
}

#[test]
fn lines_show_their_work_in_the_order_of_the_meters() {
    let usage = tokens(1_000, 500).with(Meter::CacheRead, 200).with(Meter::WebSearch, 3);
    let cost = cost("gpt-5", usage);
    let shown: Vec<_> = cost
        .lines
        .iter()
        .map(|line| (line.meter, line.quantity, line.rate.to_string(), line.per, line.amount.to_string()))
        .collect();
    let row = |meter, quantity, rate: &str, per, amount: &str| {
        (meter, quantity, rate.to_owned(), per, amount.to_owned())
    };
    assert_eq!(
        shown,
        [
            row(Meter::Input, 1_000, "1.25", 1_000_000, "0.00125"),
            row(Meter::CacheRead, 200, "0.125", 1_000_000, "0.000025"),
            row(Meter::Output, 500, "10", 1_000_000, "0.005"),
            row(Meter::WebSearch, 3, "10", 1_000, "0.03"),
        ]
    );
}
