//! Bills worked out by hand, exact to the last digit: the 64 worked examples of the pricing reference that this project was
//! designed with, by their numbers. The instant is Monday 2026-11-16T12:00Z unless an example says another.
//!
//! Where the two open compilations disagree the comment says which figure is held and why. "G" is genai-prices, "L" LiteLLM.

use outrigger_pricing::{
    Atto, Charge, Completeness, Cost, Meter, PriceBook, Region, Tier, TokenUsage, reported,
};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

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

fn call(provider: &'static str, model: &'static str, input: u64, output: u64) -> Call {
    let usage = TokenUsage::ZERO.with(Meter::Input, input).with(Meter::Output, output);
    Call { provider, model, at: NOW, tier: Tier::Standard, region: Region::Global, usage }
}

fn openai(model: &'static str, input: u64, output: u64) -> Call {
    call("openai", model, input, output)
}

fn anthropic(model: &'static str, input: u64, output: u64) -> Call {
    call("anthropic", model, input, output)
}

fn gemini(model: &'static str, input: u64, output: u64) -> Call {
    call("gemini", model, input, output)
}

impl Call {
    fn with(self, meter: Meter, count: u64) -> Call {
        Call { usage: self.usage.with(meter, count), ..self }
    }

    fn cached(self, count: u64) -> Call {
        self.with(Meter::CacheRead, count)
    }

    fn tier(self, tier: Tier) -> Call {
        Call { tier, ..self }
    }

    fn region(self, region: Region) -> Call {
        Call { region, ..self }
    }

    fn resident(self) -> Call {
        self.region(Region::Resident)
    }

    fn at(self, at: i64) -> Call {
        Call { at, ..self }
    }

    fn cost(self) -> Cost {
        let Call { provider, model, at, tier, region, usage } = self;
        PriceBook::builtin().cost(&Charge { tier, region, ..Charge::standard(provider, model, at, &usage) })
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
    fn is_partial(self, dollars: &str, because: &str) {
        let cost = self.cost();
        assert_eq!(cost.completeness, Completeness::Partial, "{cost:?}");
        assert_eq!(cost.total.map(|total| total.to_string()).as_deref(), Some(dollars));
        assert!(cost.reasons.iter().any(|reason| reason.contains(because)), "{:?}", cost.reasons);
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
    openai("gpt-5", 1_808, 360).cached(8_192).with(Meter::Reasoning, 640).costs("0.013284");
    let mini = openai("gpt-5-mini", 1_000, 500).cached(1_000);
    mini.tier(Tier::Flex).costs("0.0006375"); // 3
    mini.tier(Tier::Priority).costs("0.002295"); // 4
    // 5: the served tier counts, whatever was asked for; L bills the wish.
    mini.costs("0.001275");
    openai("gpt-5.4", 6_000, 1_000).cached(4_000).tier(Tier::Flex).costs("0.01552"); // 9
    // 17: OpenAI publishes no cached price in batch; G bills the standard one, L bills it as input.
    openai("gpt-4.1", 5_000, 1_000).cached(5_000).tier(Tier::Batch).is_partial("0.009", "5000 cache_read");
    // 18: $10 per thousand web searches is the current tool; L's $25 is the older preview, and it drops file searches.
    openai("gpt-4.1", 5_000, 800).with(Meter::WebSearch, 3).with(Meter::FileSearch, 2).costs("0.0514");
    openai("text-embedding-3-small", 8_191, 0).costs("0.00016382"); // 19
}

#[test]
fn long_prompts_reprice_the_whole_call() {
    openai("gpt-5.4", 272_000, 1_000).costs("0.695"); // 6
    let longer = openai("gpt-5.4", 172_001, 1_000).cached(100_000);
    longer.costs("0.932505"); // 7
    longer.tier(Tier::Flex).costs("0.4662525"); // 8
    openai("gpt-5.6-sol", 300_000, 4_000).tier(Tier::Batch).costs("1.26"); // 13
    // 14: G has no step in batch; L's is held, since OpenAI doubles long prompts in batch too.
    openai("gpt-5.5-pro", 300_000, 1_000).tier(Tier::Batch).costs("9.135");
    // 16: not a product, so not a price; G bills the short one, L the standard one.
    openai("gpt-5.4", 300_000, 1_000).tier(Tier::Priority).is_unpriced("300000");
}

#[test]
fn cache_writes_and_the_fastest_tier() {
    let read = openai("gpt-6-astra", 5_000, 2_000).cached(20_000);
    read.with(Meter::CacheWrite30m, 25_000).costs("0.4825"); // 10
    // 11 and 12: only L holds the twelve-hour writes and the ultrafast tier.
    read.with(Meter::CacheWrite12h, 25_000).costs("0.795");
    openai("gpt-6-astra", 10_000, 1_000).tier(Tier::Ultrafast).costs("0.9");
}

#[test]
fn residency_costs_more_only_where_it_is_sold() {
    // 15, 33, 36, 38, 55, 61: G has no factors, so L or the vendor's page is held.
    openai("gpt-6-sol", 100_000, 10_000).resident().costs("0.33"); // 15
    openai("gpt-4.1", 5_000, 800).resident().costs("0.0164");
    anthropic("claude-sonnet-5-5", 10_000, 1_000).resident().costs("0.033"); // 36
    anthropic("claude-sonnet-4-5", 10_000, 1_000).resident().costs("0.045"); // 37
    let vertex = call("vertex", "claude-opus-5-5", 10_000, 1_000);
    vertex.resident().costs("0.066"); // 38
    vertex.costs("0.06");
    // 39: Bedrock names the region class in the model's id.
    call("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 10_000, 1_000).costs("0.0495");
    call("xai", "grok-4.7", 100_000, 5_000).resident().costs("0.253"); // 55: L lacks it too
    call("azure", "gpt-5.1", 6_000, 1_000).cached(4_000).region(Region::Zone).costs("0.0198"); // 61
}

#[test]
fn fine_tunes_have_their_own_prices() {
    openai("ft:gpt-4.1-2025-04-14:acme::abc", 10_000, 2_000).costs("0.054"); // 20: L; G has no such row
    openai("ft:gpt-4o-2024-08-06:acme::abc", 10_000, 2_000).costs("0.0675"); // 21
}

#[test]
fn audio_and_images_have_their_own_prices() {
    // 22
    openai("gpt-realtime", 100, 50)
        .with(Meter::InputAudio, 600)
        .with(Meter::CacheReadAudio, 400)
        .with(Meter::OutputAudio, 600)
        .costs("0.05896");
    openai("gpt-image-2", 50, 0).with(Meter::OutputImage, 1_056).costs("0.03193"); // 23
}

#[test]
fn the_day_of_the_call_decides() {
    // 2025-06-10T00:00:00Z, the day of the cut; L has no history.
    let cut = 1_749_513_600;
    let o3 = openai("o3", 1_000, 1_000);
    o3.at(cut - DAY).costs("0.05"); // 24
    o3.at(cut - 1).costs("0.05");
    o3.at(cut).costs("0.01"); // 25
    // 48: 2027-01-01T00:00Z.
    let year = 1_798_761_600;
    let flash = gemini("gemini-3.8-flash", 10_000, 1_000);
    flash.at(year - 12 * HOUR).costs("0.01125");
    flash.at(year).costs("0.0225");
    // 49: 2026-12-01.
    gemini("gemini-4-argon", 10_000, 1_000).at(1_796_083_200).costs("0.06");
    // 57: 2026-10-25; L still has the price of that day.
    let mistral = call("mistral", "mistral-large-4", 10_000, 1_000);
    mistral.at(1_792_886_400).costs("0.01778");
    mistral.costs("0.0091");
    // 58: what `latest` points to now; G prices it as the model of 2024.
    call("mistral", "mistral-large-latest", 10_000, 1_000).costs("0.0065");
}

#[test]
fn cache_lifetimes_of_anthropic() {
    let kept =
        |one: Call| one.with(Meter::CacheWrite5m, 2_000).with(Meter::CacheWrite1h, 3_000).cached(10_000);
    kept(anthropic("claude-opus-4-1", 1_000, 500)).costs("0.195"); // 26: L dropped the retired model, silently at 0
    kept(anthropic("claude-opus-5-5", 1_000, 500)).costs("0.05"); // 27
    // 28: as the console billed it.
    anthropic("claude-3-7-sonnet-20250219", 3, 550).with(Meter::CacheWrite5m, 12_304).costs("0.054399");
    kept(call("bedrock", "global.anthropic.claude-opus-5-5", 1_000, 500)).costs("0.05"); // 40
}

#[test]
fn long_prompts_of_anthropic() {
    // 29: 2026-03-01, while the long window was sold as a beta; L has forgotten its price.
    let sonnet = anthropic("claude-sonnet-4-5-20250929", 150_000, 2_000).cached(60_000);
    sonnet.at(1_772_323_200).costs("0.981");
    let haiku = |input| anthropic("claude-haiku-5-5", input, 1_000).cached(60_000);
    haiku(40_000).costs("0.0051"); // 30
    haiku(40_001).costs("0.0255005"); // 31
    haiku(60_000).tier(Tier::Batch).costs("0.01775"); // 32
}

#[test]
fn speed_geography_and_batch_of_anthropic() {
    // 33
    anthropic("claude-opus-5-5", 10_000, 3_000)
        .with(Meter::CacheWrite5m, 4_000)
        .cached(20_000)
        .tier(Tier::Fast)
        .resident()
        .costs("0.2728");
    // 34: L lacks the long write in batch.
    anthropic("claude-opus-5-5", 10_000, 5_000)
        .with(Meter::CacheWrite1h, 8_000)
        .cached(30_000)
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

#[test]
fn thoughts_tools_and_modalities_of_gemini() {
    gemini("gemini-2.5-pro", 200_000, 1_000).with(Meter::Reasoning, 4_000).costs("0.3"); // 41
    // 42
    gemini("gemini-2.5-pro", 50_001, 1_000).cached(150_000).with(Meter::Reasoning, 4_000).costs("0.2375025");
    gemini("gemini-2.5-flash", 500, 200).with(Meter::InputAudio, 1_920).costs("0.00257"); // 43
    // 44
    gemini("gemini-2.5-flash", 1_000, 200)
        .with(Meter::ToolPrompt, 300)
        .with(Meter::Reasoning, 500)
        .costs("0.00214");
    gemini("gemini-3.1-pro-preview", 10_000, 1_000).tier(Tier::Priority).costs("0.0576"); // 45: L; G lacks the tier
    // 64: no usage reports what an explicit cache keeps.
    gemini("gemini-2.5-flash", 0, 0).with(Meter::CacheTokenHour, 200_000).costs("0.2");
}

#[test]
fn grounding_is_billed_by_the_query_or_by_the_prompt() {
    let searched = |model| gemini(model, 1_000, 500).with(Meter::WebSearch, 3).with(Meter::GroundedPrompt, 1);
    searched("gemini-3.1-pro-preview").costs("0.05"); // 46
    searched("gemini-2.5-pro").costs("0.04125"); // 47: L; G bills each of the queries
}

#[test]
fn the_hour_decides_at_deepseek() {
    // Monday 2026-11-16.
    let midnight = NOW - 12 * HOUR;
    let pro = call("deepseek", "deepseek-v4-pro", 2_000, 1_000).cached(8_000);
    pro.at(midnight + 2 * HOUR).costs("0.006952"); // 50
    pro.costs("0.003476");
    // 51: Saturday 2026-11-21; G cannot combine hours with weekdays.
    pro.at(midnight + 5 * DAY + 2 * HOUR).costs("0.003476");
    // 52: 2026-08-01T02:00Z, before there were hours.
    pro.at(1_785_549_600).costs("0.001769");
    // Both ends of both peaks, and the last peak of the week.
    for (hour, dollars) in
        [(0, "0.003476"), (1, "0.006952"), (4, "0.003476"), (6, "0.006952"), (10, "0.003476")]
    {
        pro.at(midnight + hour * HOUR).costs(dollars);
    }
    pro.at(midnight + 4 * DAY + 10 * HOUR - 1).costs("0.006952");
    // The first Saturday with hours, 2026-08-22T02:00Z: weekends were not excepted yet.
    pro.at(1_787_364_000).costs("0.006952");
}

#[test]
fn the_length_decides_at_xai() {
    call("xai", "grok-4.7", 200_000, 1_000).costs("0.812"); // 53: from 200,000 on, not past it
    call("xai", "grok-4.7", 199_999, 1_000).costs("0.405998");
    call("xai", "grok-4.7", 1_000, 200).with(Meter::Reasoning, 800).costs("0.008"); // 54
}

#[test]
fn groq_caches_and_bills_ten_seconds_at_least() {
    call("groq", "openai/gpt-oss-120b", 976, 500).cached(1_024).costs("0.0005232"); // 59
    // 60: 10 s at $0.04 an hour, rounded once; L bills the 4 s.
    let clip = |seconds| call("groq", "whisper-large-v3-turbo", 0, 0).with(Meter::AudioSecond, seconds);
    clip(4).costs("0.000111111111111111");
    clip(11).costs("0.000122222222222222");
}

#[test]
fn prices_that_no_decimal_holds_stay_exact() {
    // 63: a twelfth of a dollar per million.
    call("openrouter", "google/gemini-2.5-flash", 0, 0).with(Meter::CacheWrite, 12_345).costs("0.00102875");
}

#[test]
fn reported_costs_are_read_exactly() {
    assert_eq!(reported::xai_ticks(37_756_000).to_string(), "0.0037756"); // 56
    let dollars = |text| Atto::parse(text).unwrap();
    // 62: under a key of one's own the reported cost is the fee alone.
    let both = reported::openrouter(dollars("0.95"), Some(dollars("19")));
    assert_eq!(both.map(|total| total.to_string()).as_deref(), Some("19.95"));
    assert_eq!(reported::openrouter(dollars("0.95"), None), Some(dollars("0.95")));
    // Above one percent, or above a millionth of a dollar where that is more.
    assert!(!reported::differs(dollars("0.0101"), dollars("0.01")));
    assert!(reported::differs(dollars("0.010101000001"), dollars("0.01")));
    assert!(!reported::differs(dollars("0.000001"), Atto::ZERO));
    assert!(reported::differs(dollars("0.000001000000000001"), Atto::ZERO));
    assert!(reported::differs(dollars("0.009"), dollars("0.01")));
}
