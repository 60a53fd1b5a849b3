//! An operator's own prices over the book: what counts, what stays, what is refused. And what the book knows of models
//! beside prices.

use outrigger_pricing::{Capability, Charge, Completeness, Cost, Meter, PriceBook, Region, Tier, TokenUsage};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;
const DAY: i64 = 86_400;

fn own(providers: &str) -> PriceBook {
    let text = format!(r#"{{"schema": 2, "currency": "USD", "providers": [{providers}]}}"#);
    PriceBook::builtin().with_own_prices(&text).unwrap()
}

fn at(book: &PriceBook, provider: &str, model: &str, at: i64, tier: Tier, region: Region) -> Cost {
    let usage = TokenUsage::ZERO.with(Meter::Input, 1_000_000).with(Meter::Output, 1_000_000);
    book.cost(&Charge { tier, region, ..Charge::standard(provider, model, at, &usage) })
}

#[track_caller]
fn costs(cost: &Cost, dollars: &str) {
    let total = cost.total.map(|total| total.to_string());
    assert_eq!((total.as_deref(), cost.completeness), (Some(dollars), Completeness::Exact), "{cost:?}");
}

fn standard(book: &PriceBook, model: &str) -> Cost {
    at(book, "openai", model, NOW, Tier::Standard, Region::Global)
}

#[test]
fn a_line_of_ones_own_counts_and_the_others_stay() {
    let book = own(r#"{"id": "openai", "models": [{"id": "gpt-5", "cards": [{"lines": {"output": "8"}}]}]}"#);
    costs(&standard(&book, "gpt-5"), "9.25");
    // By every name of the model.
    costs(&standard(&book, "gpt-5-2025-08-07"), "9.25");
    costs(&standard(&book, "gateway/gpt-5-chat"), "9.25");
    // Another tier of it, and another model.
    costs(&at(&book, "openai", "gpt-5", NOW, Tier::Flex, Region::Global), "5.625");
    costs(&standard(&book, "gpt-5-mini"), "2.25");
    costs(&standard(PriceBook::builtin(), "gpt-5"), "11.25");
}

#[test]
fn a_price_of_ones_own_has_its_days() {
    let book = own(r#"{"id": "openai", "models": [{"id": "gpt-5", "cards": [
        {"valid_from": "2026-11-01", "valid_until": "2026-11-20", "lines": {"input": "1"}}]}]}"#);
    costs(&standard(&book, "gpt-5"), "11");
    costs(&at(&book, "openai", "gpt-5", NOW + 10 * DAY, Tier::Standard, Region::Global), "11.25");
}

#[test]
fn discounts_are_factors_and_multiply() {
    let book = own(r#"{"id": "openai", "factors": [{"num": 85, "den": 100}]}"#);
    // 19 dollars for so long a prompt, a tenth more for residency, less fifteen percent.
    costs(&at(&book, "openai", "gpt-6-sol", NOW, Tier::Standard, Region::Resident), "17.765");
    // Fees stand outside unless they are named.
    let usage = TokenUsage::ZERO.with(Meter::WebSearch, 1_000);
    let charge = Charge::standard("openai", "gpt-5", NOW, &usage);
    costs(&book.cost(&charge), "10");
    let fees = own(
        r#"{"id": "openai", "factors": [{"num": 1, "den": 2, "applies_to": ["web_search"], "models": ["gpt-5"]}]}"#,
    );
    costs(&fees.cost(&charge), "5");
    costs(&fees.cost(&Charge { model: "gpt-5.1", ..charge }), "10");
}

#[test]
fn models_providers_and_names_of_ones_own_are_found() {
    let book = own(r#"{"id": "house", "aliases": ["operator_listed"], "models": [
            {"id": "house-9", "match": [{"starts_with": "house-9"}], "cards": [{"lines": {"input": "0.2", "output": "0.6"}}],
             "facts": {"context_window": 131072, "capabilities": {"tools": true, "vision": false}}}]},
           {"id": "xai", "pointers": [{"name": "our-default", "model": "grok-4.7"}]}"#);
    costs(&at(&book, "operator_listed", "house-9-2026-01-01", NOW, Tier::Standard, Region::Global), "0.8");
    assert_eq!(
        at(&book, "house", "house-9-large", NOW, Tier::Standard, Region::Global).completeness,
        Completeness::Fallback
    );
    let facts = book.facts("house", "house-9", NOW).unwrap();
    assert_eq!((facts.context_window, facts.output_limit), (Some(131_072), None));
    assert_eq!(
        [Capability::Tools, Capability::Vision, Capability::Prefill].map(|one| facts.can(one)),
        [Some(true), Some(false), None]
    );
    // By the alias of a provider of the book, at its long-prompt price.
    costs(&at(&book, "x-ai", "our-default", NOW, Tier::Standard, Region::Global), "16");
}

#[test]
fn a_provider_that_stands_twice_under_two_of_its_names_is_refused() {
    let text = r#"{"schema": 2, "currency": "USD", "providers": [{"id": "xai"}, {"id": "x-ai"}]}"#;
    let error = PriceBook::builtin().with_own_prices(text).unwrap_err();
    assert!(error.to_string().contains("`x-ai` stands twice"), "{error}");
}

#[test]
fn paid_capacity_adds_nothing_and_shows_its_lines() {
    let cost = at(PriceBook::builtin(), "vertex", "gemini-2.5-flash", NOW, Tier::Provisioned, Region::Global);
    costs(&cost, "0");
    assert_eq!(cost.lines.iter().map(|line| line.factor).collect::<Vec<_>>(), [(0, 1), (0, 1)]);
}

#[test]
fn what_another_provider_sells_at_its_price_is_exact_and_else_marked() {
    costs(&at(PriceBook::builtin(), "azure", "gpt-5", NOW, Tier::Standard, Region::Global), "11.25");
    let borrowed = at(PriceBook::builtin(), "azure", "claude-opus-5-5", NOW, Tier::Standard, Region::Global);
    assert_eq!(borrowed.completeness, Completeness::Fallback, "{borrowed:?}");
    assert_eq!(borrowed.total.map(|total| total.to_string()).as_deref(), Some("24"));
    assert!(borrowed.reasons[0].contains("anthropic"), "{borrowed:?}");
}

#[test]
fn a_faulty_file_is_refused_whole_and_changes_the_hash_only_when_taken() {
    let builtin = PriceBook::builtin();
    let error = builtin
        .with_own_prices(
            r#"{"schema": 2, "currency": "USD", "providers": [{"id": "openai", "models": [
            {"id": "gpt-5", "cards": [{"lines": {"input": 1, "imput": "2"}}]}]}]}"#,
        )
        .unwrap_err();
    let paths: Vec<_> = error.faults.iter().map(|fault| fault.path.as_str()).collect();
    let lines = "providers.openai.models.gpt-5.cards[0].lines";
    assert_eq!(paths, [format!("{lines}.input"), format!("{lines}.imput")]);
    let (one, two) = (own(r#"{"id": "a"}"#), own(r#"{"id": "b"}"#));
    assert_eq!(one.hash().len(), 64);
    assert!(one.hash() != builtin.hash() && one.hash() != two.hash());
}

#[test]
fn the_book_knows_models_and_says_what_it_does_not_know() {
    let book = PriceBook::builtin();
    let opus = book.facts("anthropic", "claude-opus-5-5-20260922", NOW).unwrap();
    assert_eq!(
        (opus.model, opus.context_window, opus.output_limit),
        ("claude-opus-5-5", Some(1_000_000), Some(128_000))
    );
    assert_eq!((opus.smallest_cacheable, opus.tokenizer), (Some(512), Some("claude-2026")));
    assert_eq!((opus.can(Capability::Prefill), opus.can(Capability::Tools)), (Some(false), Some(true)));
    assert_eq!(opus.can(Capability::AudioInput), None);
    assert!(!opus.source.is_empty() && !opus.checked_on.is_empty());
    assert_eq!(book.facts("openai", "gpt-5", NOW).unwrap().retires, Some("2026-12-11"));
    assert_eq!(book.facts("openai", "gpt-6-sol", NOW).unwrap().tokenizer, None);
    assert_eq!(book.facts("openai", "house-9", NOW), None);
}

#[test]
fn a_host_names_its_provider() {
    let book = PriceBook::builtin();
    for (host, provider) in [
        ("api.openai.com", Some("openai")),
        ("eu.api.openai.com", Some("openai")),
        ("acme.openai.azure.com", Some("azure")),
        ("bedrock-runtime.eu-west-1.amazonaws.com", Some("aws")),
        ("api.groq.com", Some("groq")),
        ("openai.com", None),
        ("evil-api.openai.com", None),
        ("", None),
    ] {
        assert_eq!(book.provider_at(host), provider, "{host}");
    }
    // A host that the operator listed may be known; what the operator prices himself stays his.
    assert_eq!(book.seller("operator_listed", "api.groq.com"), "groq");
    assert_eq!(book.seller("operator_listed", "gateway.example"), "operator_listed");
    assert_eq!(book.seller("anthropic", "api.groq.com"), "anthropic");
    let house = own(r#"{"id": "house", "aliases": ["operator_listed"]}"#);
    assert_eq!(house.seller("operator_listed", "api.groq.com"), "operator_listed");
}

#[test]
fn capabilities_have_their_words() {
    for capability in Capability::ALL {
        assert_eq!(Capability::from_word(capability.as_str()), Some(capability));
    }
    assert_eq!(Capability::from_word("telepathy"), None);
}
