//! The one usage model: disjoint, additive meters, whatever the provider's own shape was.

mod meter;

pub use meter::{Kind, Meter, Modality};

/// One bit per meter says whether its count is known.
const METERS: usize = Meter::ALL.len();
const _: () = assert!(METERS <= 64);

/// Counts per meter. `None` is unknown, which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUsage {
    /// Zero where unknown, so that equality means the same knowledge.
    counts: [u64; METERS],
    /// A bit per meter.
    known: u64,
}

/// Leaves that do not add up to what the provider calls the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SumFault {
    /// The prompt's parts.
    #[error("the usage's prompt parts differ from its prompt total")]
    Prompt,
    /// The answer's parts.
    #[error("the usage's answer parts differ from its answer total")]
    Answer,
}

impl SumFault {
    /// The same in words that live as long as the program.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SumFault::Prompt => "the usage's prompt parts differ from its prompt total",
            SumFault::Answer => "the usage's answer parts differ from its answer total",
        }
    }
}

impl TokenUsage {
    /// Every meter unknown: what is known of a call before its provider says anything.
    pub const UNKNOWN: TokenUsage = TokenUsage { counts: [0; METERS], known: 0 };
    /// Every meter zero: where a provider's report is complete and omits what it did not bill.
    pub const ZERO: TokenUsage = TokenUsage { counts: [0; METERS], known: u64::MAX >> (64 - METERS) };

    /// The count of one meter, `None` where unknown.
    #[must_use]
    pub const fn get(&self, meter: Meter) -> Option<u64> {
        if self.known & (1 << meter as u8) == 0 { None } else { Some(self.counts[meter as usize]) }
    }

    /// Sets one meter.
    pub const fn set(&mut self, meter: Meter, count: Option<u64>) {
        let bit = 1 << meter as u8;
        match count {
            Some(count) => {
                self.counts[meter as usize] = count;
                self.known |= bit;
            }
            None => {
                self.counts[meter as usize] = 0;
                self.known &= !bit;
            }
        }
    }

    /// The same usage with one meter set.
    #[must_use]
    pub const fn with(mut self, meter: Meter, count: u64) -> TokenUsage {
        self.set(meter, Some(count));
        self
    }

    /// All prompt tokens, cached ones included; `None` if any part is unknown.
    #[must_use]
    pub fn total_prompt(&self) -> Option<u64> {
        self.sum(Meter::is_prompt)
    }

    /// All answer tokens, reasoning included; `None` if any part but reasoning is unknown
    /// (an unknown reasoning part is contained in [`Meter::Output`]).
    #[must_use]
    pub fn total_answer(&self) -> Option<u64> {
        self.sum(|meter| meter.is_answer() && !(meter.kind() == Kind::Reasoning && self.get(meter).is_none()))
    }

    /// All prompt tokens read from a cache; `None` if unknown (an unknown part of another modality than text is contained
    /// in [`Meter::CacheRead`]).
    #[must_use]
    pub fn total_cached(&self) -> Option<u64> {
        self.get(Meter::CacheRead)?;
        self.sum(|meter| meter.kind() == Kind::CacheRead && self.get(meter).is_some())
    }

    /// The sum of some meters; `None` if any of them is unknown.
    #[must_use]
    pub fn sum(&self, belongs: impl Fn(Meter) -> bool) -> Option<u64> {
        Meter::ALL
            .into_iter()
            .filter(|meter| belongs(*meter))
            .try_fold(0u64, |sum, meter| sum.checked_add(self.get(meter)?))
    }

    /// Holds the leaves against the totals that a provider reports beside them.
    ///
    /// # Errors
    /// The side whose leaves do not add up, or are not all known.
    pub fn adds_up(&self, prompt: u64, answer: u64) -> Result<(), SumFault> {
        match (self.total_prompt() == Some(prompt), self.total_answer() == Some(answer)) {
            (false, _) => Err(SumFault::Prompt),
            (true, false) => Err(SumFault::Answer),
            (true, true) => Ok(()),
        }
    }

    /// What is worth writing down, in print order: what was counted, and of [`Meter::COMMON`] also zero and unknown. A
    /// meter that is left out is zero where its side is known (prompt meters: where `input` is; all others: where
    /// `output` is), else unknown.
    pub fn told(&self) -> impl Iterator<Item = (Meter, Option<u64>)> + '_ {
        Meter::ALL
            .into_iter()
            .map(|meter| (meter, self.get(meter)))
            .filter(|(meter, count)| count.is_some_and(|count| count > 0) || Meter::COMMON.contains(meter))
    }

    /// The usage that [`TokenUsage::told`] told.
    #[must_use]
    pub fn from_told(told: impl IntoIterator<Item = (Meter, Option<u64>)>) -> TokenUsage {
        let mut usage = TokenUsage::UNKNOWN;
        for (meter, count) in told {
            usage.set(meter, count);
        }
        let sides = (usage.get(Meter::Input).is_some(), usage.get(Meter::Output).is_some());
        for meter in Meter::ALL.into_iter().filter(|meter| !Meter::COMMON.contains(meter)) {
            let known = if meter.is_prompt() { sides.0 } else { sides.1 };
            if known && usage.get(meter).is_none() {
                usage.set(meter, Some(0));
            }
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Meter, Modality, SumFault, TokenUsage};

    #[test]
    fn totals_add_up_the_disjoint_parts() {
        let (mut usage, mut prompt, mut answer) = (TokenUsage::ZERO, 0, 0);
        for (place, meter) in Meter::ALL.into_iter().enumerate() {
            let count = 1_000 + place as u64;
            usage.set(meter, Some(count));
            match meter.kind() {
                Kind::Input | Kind::CacheRead | Kind::CacheWrite | Kind::ToolPrompt => prompt += count,
                Kind::Output | Kind::Reasoning | Kind::Citation => answer += count,
                Kind::Fee => {}
            }
        }
        assert_eq!((usage.total_prompt(), usage.total_answer()), (Some(prompt), Some(answer)));
        assert_eq!(usage.adds_up(prompt, answer), Ok(()));
        assert_eq!(usage.adds_up(prompt - 1, answer), Err(SumFault::Prompt));
        assert_eq!(usage.adds_up(prompt, answer + 1), Err(SumFault::Answer));
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
        assert_eq!(usage.adds_up(0, 0), Err(SumFault::Prompt));
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
            assert_eq!(serde_json::from_value::<Meter>(meter.as_str().into()).unwrap(), meter);
            let modality = match meter.as_str() {
                word if meter.kind() == Kind::Fee => (word, Modality::Text).1,
                word if word.ends_with("_audio") => Modality::Audio,
                word if word.ends_with("_image") => Modality::Image,
                word if word.ends_with("_video") => Modality::Video,
                _ => Modality::Text,
            };
            assert_eq!(meter.modality(), modality);
        }
        assert!(serde_json::from_str::<Meter>("\"thoughts\"").is_err());
    }

    #[test]
    fn what_is_told_is_what_is_known() {
        let all =
            TokenUsage::ZERO.with(Meter::Input, 3).with(Meter::OutputAudio, 4).with(Meter::WebSearch, 1);
        let mut cut = all;
        for meter in Meter::ALL.into_iter().filter(|meter| !meter.is_prompt()) {
            cut.set(meter, None);
        }
        let mut unsplit = all;
        unsplit.set(Meter::Reasoning, None);
        for usage in [all, cut, unsplit, TokenUsage::ZERO, TokenUsage::UNKNOWN] {
            assert_eq!(TokenUsage::from_told(usage.told()), usage);
        }
        let words: Vec<_> = all.told().map(|(meter, _)| meter.as_str()).collect();
        assert_eq!(words, ["input", "cache_read", "output", "output_audio", "reasoning", "web_search"]);
    }
}
