//! What pricing costs beside the crate `genai-prices` in the same run: getting the book ready, memory, and one call.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use genai_prices::{PriceRequest, Usage};
use outrigger_pricing::{Charge, Meter, PriceBook, Tier, TokenUsage};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

fn usage() -> TokenUsage {
    TokenUsage::ZERO.with(Meter::Input, 1_808).with(Meter::CacheRead, 8_192).with(Meter::Output, 1_000)
}

fn their_usage() -> Usage {
    let mut usage = Usage::new();
    for (key, count) in
        [("input_tokens", 10_000.0), ("cache_read_tokens", 8_192.0), ("output_tokens", 1_000.0)]
    {
        usage.insert(key, count);
    }
    usage
}

/// KiB of this process that are in memory; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// First use of either, before anything else touched it.
fn start(_: &mut Criterion) {
    let usage = usage();
    let before = (resident(), Instant::now());
    let book = PriceBook::builtin();
    let ready = before.1.elapsed();
    black_box(book.cost(&Charge::standard("openai", "gpt-5", NOW, &usage)));
    let first = before.1.elapsed();
    // Every page of the book, by every model of its largest provider.
    let models: Vec<&str> = book.models("openrouter").collect();
    for model in &models {
        black_box(book.cost(&Charge::standard("openrouter", model, NOW, &usage)));
    }
    let after = resident();
    let theirs = Instant::now();
    black_box(genai_prices::calculate(
        &PriceRequest::new("gpt-5", &their_usage()).with_provider_id("openai"),
    ))
    .ok();
    let (their_first, their_after) = (theirs.elapsed(), resident());
    let _gone = writeln!(
        std::io::stdout(),
        "book: ready {ready:?}, first call {first:?}, {} bytes, resident +{} KiB after {} models; genai-prices: first call {their_first:?}, resident +{} KiB",
        book.size(),
        after.saturating_sub(before.0),
        models.len(),
        their_after.saturating_sub(after)
    );
}

fn call(criterion: &mut Criterion) {
    let (book, usage) = (PriceBook::builtin(), usage());
    let their_usage = their_usage();
    let mut group = criterion.benchmark_group("one call");
    for (what, provider, model, tier) in [
        ("gpt-5", "openai", "gpt-5-2025-08-07", Tier::Standard),
        ("gpt-6-astra, batch", "openai", "gpt-6-astra", Tier::Batch),
        ("claude-opus-5-5", "anthropic", "claude-opus-5-5-20260922", Tier::Standard),
        ("gemini-2.5-flash of openrouter", "openrouter", "google/gemini-2.5-flash", Tier::Standard),
    ] {
        let charge = Charge { tier, ..Charge::standard(provider, model, NOW, &usage) };
        group.bench_function(format!("{what}, exact"), |bencher| {
            bencher.iter(|| book.cost(black_box(&charge)))
        });
        let context = [("processing", if tier == Tier::Batch { "batch" } else { "realtime" })];
        group.bench_function(format!("{what}, genai-prices"), |bencher| {
            bencher.iter(|| {
                let mut request =
                    PriceRequest::new(model, black_box(&their_usage)).with_provider_id(provider);
                if tier == Tier::Batch {
                    request = request.with_price_context(context[0].0, context[0].1);
                }
                genai_prices::calculate(&request).ok()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, start, call);
criterion_main!(benches);
