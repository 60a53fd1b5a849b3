//! The one usage model: disjoint, additive meters, whatever the provider's own shape was.

use serde::{Deserialize, Serialize};

/// What is counted. Meters are disjoint: a token stands in exactly one of them, so their sums are the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meter {
    /// Prompt tokens that were neither read from nor written to a cache.
    Input,
    /// Prompt tokens read from the provider's prompt cache, audio apart.
    CacheRead,
    /// Prompt tokens written to the cache with the provider's short lifetime (Anthropic 5 m, OpenAI 30 m).
    CacheWriteShort,
    /// Prompt tokens written to the cache with the long lifetime (Anthropic 1 h, OpenAI 12 h).
    CacheWriteLong,
    /// Audio prompt tokens that were not read from a cache.
    InputAudio,
    /// Audio prompt tokens read from the provider's prompt cache.
    CacheReadAudio,
    /// Answer tokens the app can see (all answer tokens where the provider does not split off reasoning).
    Output,
    /// Answer tokens spent on reasoning.
    Reasoning,
    /// Audio answer tokens.
    OutputAudio,
    /// Web searches the provider ran for this call: requests, not tokens.
    WebSearch,
}

impl Meter {
    /// Every meter, in the order in which they are printed.
    pub const ALL: [Meter; 10] = [
        Meter::Input,
        Meter::CacheRead,
        Meter::CacheWriteShort,
        Meter::CacheWriteLong,
        Meter::InputAudio,
        Meter::CacheReadAudio,
        Meter::Output,
        Meter::Reasoning,
        Meter::OutputAudio,
        Meter::WebSearch,
    ];

    /// The word used in records, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Meter::Input => "input",
            Meter::CacheRead => "cache_read",
            Meter::CacheWriteShort => "cache_write_short",
            Meter::CacheWriteLong => "cache_write_long",
            Meter::InputAudio => "input_audio",
            Meter::CacheReadAudio => "cache_read_audio",
            Meter::Output => "output",
            Meter::Reasoning => "reasoning",
            Meter::OutputAudio => "output_audio",
            Meter::WebSearch => "web_search",
        }
    }

    /// Whether the meter counts prompt tokens.
    #[must_use]
    pub const fn is_prompt(self) -> bool {
        matches!(
            self,
            Meter::Input
                | Meter::CacheRead
                | Meter::CacheWriteShort
                | Meter::CacheWriteLong
                | Meter::InputAudio
                | Meter::CacheReadAudio
        )
    }

    /// Whether the meter counts answer tokens.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        matches!(self, Meter::Output | Meter::Reasoning | Meter::OutputAudio)
    }
}

/// Counts per meter. `None` is unknown, which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUsage {
    counts: [Option<u64>; Meter::ALL.len()],
}

impl TokenUsage {
    /// Every meter unknown: what is known of a call before its provider says anything.
    pub const UNKNOWN: TokenUsage = TokenUsage { counts: [None; Meter::ALL.len()] };
    /// Every meter zero: where a provider's report is complete and omits what it did not bill.
    pub const ZERO: TokenUsage = TokenUsage { counts: [Some(0); Meter::ALL.len()] };

    /// The count of one meter, `None` where unknown.
    #[must_use]
    pub const fn get(&self, meter: Meter) -> Option<u64> {
        self.counts[meter as usize]
    }

    /// Sets one meter.
    pub const fn set(&mut self, meter: Meter, count: Option<u64>) {
        self.counts[meter as usize] = count;
    }

    /// The same usage with one meter set.
    #[must_use]
    pub const fn with(mut self, meter: Meter, count: u64) -> TokenUsage {
        self.counts[meter as usize] = Some(count);
        self
    }

    /// All prompt tokens, cached ones included; `None` if any part is unknown.
    #[must_use]
    pub fn total_prompt(&self) -> Option<u64> {
        self.sum(Meter::is_prompt)
    }

    /// All prompt tokens read from a cache, audio included; `None` if unknown (an unknown audio part is contained in
    /// [`Meter::CacheRead`]).
    #[must_use]
    pub fn total_cached(&self) -> Option<u64> {
        self.get(Meter::CacheRead)?.checked_add(self.get(Meter::CacheReadAudio).unwrap_or(0))
    }

    /// All answer tokens, reasoning included; `None` if any part but reasoning is unknown
    /// (an unknown reasoning part is contained in [`Meter::Output`]).
    #[must_use]
    pub fn total_answer(&self) -> Option<u64> {
        self.sum(|meter| meter.is_answer() && !(meter == Meter::Reasoning && self.get(meter).is_none()))
    }

    fn sum(&self, belongs: impl Fn(Meter) -> bool) -> Option<u64> {
        Meter::ALL
            .into_iter()
            .filter(|meter| belongs(*meter))
            .try_fold(0u64, |sum, meter| sum.checked_add(self.get(meter)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, TokenUsage};

    #[test]
    fn totals_add_up_the_disjoint_parts() {
        let usage = TokenUsage::ZERO
            .with(Meter::Input, 1)
            .with(Meter::CacheRead, 10)
            .with(Meter::CacheWriteShort, 100)
            .with(Meter::CacheWriteLong, 1_000)
            .with(Meter::InputAudio, 10_000)
            .with(Meter::CacheReadAudio, 100_000)
            .with(Meter::Output, 2)
            .with(Meter::Reasoning, 20)
            .with(Meter::OutputAudio, 200)
            .with(Meter::WebSearch, 7);
        assert_eq!(usage.total_prompt(), Some(111_111));
        assert_eq!(usage.total_answer(), Some(222));
        assert_eq!(usage.total_cached(), Some(100_010));
    }

    #[test]
    fn an_unknown_part_makes_the_total_unknown_unless_it_stands_inside_another() {
        let mut usage = TokenUsage::ZERO.with(Meter::Output, 5);
        usage.set(Meter::Reasoning, None);
        assert_eq!(usage.total_answer(), Some(5));
        usage.set(Meter::Output, None);
        assert_eq!(usage.total_answer(), None);
        usage.set(Meter::CacheRead, None);
        assert_eq!(usage.total_prompt(), None);
        assert_eq!(TokenUsage::UNKNOWN.total_prompt(), None);
    }

    #[test]
    fn a_total_beyond_64_bits_is_unknown() {
        let usage = TokenUsage::ZERO.with(Meter::Input, u64::MAX).with(Meter::CacheRead, 1);
        assert_eq!(usage.total_prompt(), None);
    }

    #[test]
    fn every_meter_has_its_own_place_and_word() {
        for (place, meter) in Meter::ALL.into_iter().enumerate() {
            assert_eq!(meter as usize, place);
            assert_eq!(serde_json::to_value(meter).unwrap(), meter.as_str());
        }
    }
}
