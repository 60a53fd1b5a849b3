//! Prices of an operator's own: any text is read or refused, and what is read can be priced by.

use outrigger_pricing::{Charge, Meter, PriceBook, TokenUsage};

use crate::Target;

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target::new("prices", |input| {
            let text = String::from_utf8_lossy(input);
            let _book = PriceBook::parse(&text);
            let Ok(book) = PriceBook::builtin().with_own_prices(&text) else { return };
            let usage = TokenUsage::ZERO
                .with(Meter::Input, u64::MAX)
                .with(Meter::Output, 1)
                .with(Meter::CacheRead, 7);
            for model in ["gpt-5", "own"] {
                let cost = book.cost(&Charge::standard("openai", model, NOW, &usage));
                assert_eq!(cost, book.cost(&Charge::standard("openai", model, NOW, &usage)));
            }
        }),
        Target::new("usage", |input| {
            // Every eight bytes are a count of the next meter.
            let counts = input.chunks(8).map(|chunk| {
                let mut count = [0; 8];
                count[..chunk.len()].copy_from_slice(chunk);
                Some(u64::from_le_bytes(count)).filter(|count| *count != u64::MAX)
            });
            let usage = TokenUsage::from_told(Meter::ALL.into_iter().zip(counts));
            // A zero whose side is not known may be left out, once; nothing that was counted may.
            let told = TokenUsage::from_told(usage.told());
            assert_eq!(TokenUsage::from_told(told.told()), told);
            for meter in Meter::ALL {
                let counted = usage.get(meter).filter(|count| *count > 0);
                assert!(counted.is_none() || told.get(meter) == counted, "{meter:?}");
            }
            let (prompt, answer) = (usage.total_prompt(), usage.total_answer());
            if let (Some(prompt), Some(answer)) = (prompt, answer) {
                assert!(usage.adds_up(prompt, answer).is_ok());
            }
            let _cost = PriceBook::builtin().cost(&Charge::standard("openai", "gpt-5", NOW, &usage));
        }),
    ]
}
