//! Bills worked out by hand, exact to the last digit.
//!
//! The numbers are those of the worked examples in the pricing reference that this project was designed with. Left out,
//! because the meters do not exist here: 22 (cached audio), 23 (image tokens), the file searches of 18. Left out,
//! because the provider is not in the book: 38 to 64. Example 17 asks for a price that the vendor does not publish
//! (cached input in batch); by our rule it is billed as input.

use outrigger_pricing::{Atto, Charge, Completeness, Cost, Meter, PriceBook, Region, Tier, TokenUsage};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;
const DAY: i64 = 86_400;

/// One call: what the provider reported, in its disjoint parts.
#[derive(Clone, Copy)]
struct Call {
    provider: &'static str,
    model: &'static str,
    at: i64,
    tier: Tier,
    region: Region,
    usage: TokenUsage,
}

fn openai(model: &'static str, input: u64, output: u64) -> Call {
    let usage = TokenUsage::ZERO.with(Meter::Input, input).with(Meter::Output, output);
    Call { provider: "openai", model, at: NOW, tier: Tier::Standard, region: Region::Global, usage }
}

fn anthropic(model: &'static str, input: u64, output: u64) -> Call {
    Call { provider: "anthropic", ..openai(model, input, output) }
}

impl Call {
    fn with(self, meter: Meter, count: u64) -> Call {
        Call { usage: self.usage.with(meter, count), ..self }
    }

    fn tier(self, tier: Tier) -> Call {
        Call { tier, ..self }
    }

    fn resident(self) -> Call {
        Call { region: Region::Resident, ..self }
    }

    fn at(self, at: i64) -> Call {
        Call { at, ..self }
    }

    fn cost(self) -> Cost {
        let Call { provider, model, at, tier, region, usage } = self;
        PriceBook::builtin().cost(&Charge { provider, model, at, tier, region, usage: &usage })
    }

    #[track_caller]
    fn costs(self, dollars: &str) {
        let cost = self.cost();
        let total = cost.total.map(|total| total.to_string());
        assert_eq!(total.as_deref(), Some(dollars), "{}: {cost:?}", self.model);
        assert_eq!(cost.completeness, Completeness::Exact, "{:?}", cost.reasons);
        assert!(cost.reasons.is_empty(), "{:?}", cost.reasons);
        assert_eq!(Atto::checked_sum(cost.lines.iter().map(|line| line.amount)), cost.total);
    }

    #[track_caller]
    fn is_unpriced(self, because: &str) {
        let cost = self.cost();
        assert_eq!((cost.total, cost.completeness), (None, Completeness::Unpriced), "{cost:?}");
        assert!(cost.lines.is_empty());
        assert!(cost.reasons.iter().any(|reason| reason.contains(because)), "{:?}", cost.reasons);
    }
}

#[test]
fn tiers_and_caches_of_openai() {
    openai("gpt-5", 1_000, 500).costs("0.00625"); // 1
    // 2: reasoning is billed at the output price.
    openai("gpt-5", 1_808, 360).with(Meter::CacheRead, 8_192).with(Meter::Reasoning, 640).costs("0.013284");
    let mini = openai("gpt-5-mini", 1_000, 500).with(Meter::CacheRead, 1_000);
    mini.tier(Tier::Flex).costs("0.0006375"); // 3
    mini.tier(Tier::Priority).costs("0.002295"); // 4
    mini.costs("0.001275"); // 5: the served tier counts, whatever was asked for
    openai("gpt-5.4", 6_000, 1_000).with(Meter::CacheRead, 4_000).tier(Tier::Flex).costs("0.01552"); // 9
    openai("gpt-4.1", 5_000, 1_000).with(Meter::CacheRead, 5_000).tier(Tier::Batch).costs("0.014"); // 17
    openai("gpt-4.1", 5_000, 800).with(Meter::WebSearch, 3).costs("0.0464"); // 18 without its file searches
    openai("text-embedding-3-small", 8_191, 0).costs("0.00016382"); // 19
}

#[test]
fn long_prompts_reprice_the_whole_call() {
    openai("gpt-5.4", 272_000, 1_000).costs("0.695"); // 6
    let longer = openai("gpt-5.4", 172_001, 1_000).with(Meter::CacheRead, 100_000);
    longer.costs("0.932505"); // 7
    longer.tier(Tier::Flex).costs("0.4662525"); // 8
    openai("gpt-5.6-sol", 300_000, 4_000).tier(Tier::Batch).costs("1.26"); // 13
    openai("gpt-5.5-pro", 300_000, 1_000).tier(Tier::Batch).costs("9.135"); // 14
    // 16: not a product, so not a price.
    openai("gpt-5.4", 300_000, 1_000).tier(Tier::Priority).is_unpriced("300000");
}

#[test]
fn cache_writes_and_the_fastest_tier() {
    let read = openai("gpt-6-astra", 5_000, 2_000).with(Meter::CacheRead, 20_000);
    read.with(Meter::CacheWrite30m, 25_000).costs("0.4825"); // 10
    read.with(Meter::CacheWrite12h, 25_000).costs("0.795"); // 11
    openai("gpt-6-astra", 10_000, 1_000).tier(Tier::Ultrafast).costs("0.9"); // 12
}

#[test]
fn residency_costs_more_only_where_it_is_sold() {
    openai("gpt-6-sol", 100_000, 10_000).resident().costs("0.33"); // 15
    openai("gpt-4.1", 5_000, 800).resident().costs("0.0164");
    anthropic("claude-sonnet-5-5", 10_000, 1_000).resident().costs("0.033"); // 36
    anthropic("claude-sonnet-4-5", 10_000, 1_000).resident().costs("0.045"); // 37
}

#[test]
fn fine_tunes_have_their_own_prices() {
    openai("ft:gpt-4.1-2025-04-14:acme::abc", 10_000, 2_000).costs("0.054"); // 20
    openai("ft:gpt-4o-2024-08-06:acme::abc", 10_000, 2_000).costs("0.0675"); // 21
}

#[test]
fn the_day_of_the_call_decides() {
    // 2025-06-10T00:00:00Z, the day of the cut.
    let cut = 1_749_513_600;
    let o3 = openai("o3", 1_000, 1_000);
    o3.at(cut - DAY).costs("0.05"); // 24
    o3.at(cut - 1).costs("0.05");
    o3.at(cut).costs("0.01"); // 25
}

#[test]
fn cache_lifetimes_of_anthropic() {
    let usage = |model| {
        anthropic(model, 1_000, 500)
            .with(Meter::CacheWrite5m, 2_000)
            .with(Meter::CacheWrite1h, 3_000)
            .with(Meter::CacheRead, 10_000)
    };
    usage("claude-opus-4-1").costs("0.195"); // 26
    usage("claude-opus-5-5").costs("0.05"); // 27
    anthropic("claude-3-7-sonnet-20250219", 3, 550).with(Meter::CacheWrite5m, 12_304).costs("0.054399"); // 28
}

#[test]
fn long_prompts_of_anthropic() {
    // 29: 2026-03-01, while the long window was sold as a beta; it ended, and so did its price.
    let sonnet = anthropic("claude-sonnet-4-5-20250929", 150_000, 2_000).with(Meter::CacheRead, 60_000);
    sonnet.at(1_772_323_200).costs("0.981");
    sonnet.is_unpriced("210000");
    let haiku = |input| anthropic("claude-haiku-5-5", input, 1_000).with(Meter::CacheRead, 60_000);
    haiku(40_000).costs("0.0051"); // 30
    haiku(40_001).costs("0.0255005"); // 31
    haiku(60_000).tier(Tier::Batch).costs("0.01775"); // 32
}

#[test]
fn speed_geography_and_batch_of_anthropic() {
    // 33
    anthropic("claude-opus-5-5", 10_000, 3_000)
        .with(Meter::CacheWrite5m, 4_000)
        .with(Meter::CacheRead, 20_000)
        .tier(Tier::Priority)
        .resident()
        .costs("0.2728");
    // 34
    anthropic("claude-opus-5-5", 10_000, 5_000)
        .with(Meter::CacheWrite1h, 8_000)
        .with(Meter::CacheRead, 30_000)
        .tier(Tier::Batch)
        .costs("0.105");
}

#[test]
fn web_searches_stand_outside_the_factors() {
    let call = anthropic("claude-sonnet-5-5", 2_000, 600).with(Meter::WebSearch, 2);
    call.costs("0.03"); // 35
    // 0.010 for the tokens, × 1.1; the searches stay 0.02.
    call.resident().costs("0.031");
    // 0.005 for the tokens in batch; the searches stay 0.02.
    call.tier(Tier::Batch).costs("0.025");
}
