//! What the names of Anthropic's models tell of what they take, wherever they run (wire formats, section 1.7). Where the price
//! book has a fact, it counts. A name that tells nothing is taken for one of the newest, which refuse most.

use outrigger_pricing::{Capability, ModelFacts};

use crate::canonical::Thinking;

/// The bound on an answer's tokens where nothing tells a model's own: all but models of years ago take it.
const BOUND: u64 = 32_000;

/// What a model of Anthropic's takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claude {
    /// Major and minor.
    version: (u32, u32),
}

impl Claude {
    /// Of a name, by any vendor's spelling; `None` where it is no model of Anthropic's.
    pub(crate) fn of(model: &str) -> Option<Claude> {
        let rest = model.get(model.find("claude")? + "claude".len()..)?;
        let mut major = None;
        for word in rest.split(['-', '.', '@', ':', '_']) {
            let number =
                Some(word).filter(|word| (1..=2).contains(&word.len())).and_then(|it| it.parse().ok());
            match (major, number) {
                (None, None) => {}
                (None, Some(number)) => major = Some(number),
                (Some(major), minor) => return Some(Claude { version: (major, minor.unwrap_or(0)) }),
            }
        }
        let version = major.map_or((u32::MAX, 0), |major| (major, 0));
        Some(Claude { version })
    }

    /// Temperature and the like.
    pub(crate) fn takes_chances(self) -> bool {
        self.version < (4, 7)
    }

    /// An answer that was begun for it.
    pub(crate) fn continues(self, facts: Option<&ModelFacts<'_>>) -> bool {
        let known = facts.and_then(|facts| facts.can(Capability::Prefill));
        known.unwrap_or(self.version < (4, 6))
    }

    /// A schema to hold its answer to.
    pub(crate) fn takes_schemas(self, facts: Option<&ModelFacts<'_>>) -> bool {
        let known = facts.and_then(|facts| facts.can(Capability::StrictSchema));
        known.unwrap_or(self.version >= (4, 5))
    }

    /// How much it thinks.
    pub(crate) fn thinking(self) -> Thinking {
        match self.version {
            (4, 7..) | (5.., _) => Thinking::Adaptive(&["low", "medium", "high", "xhigh", "max"]),
            (4, 6) => Thinking::Adaptive(&["low", "medium", "high", "max"]),
            (4, _) | (3, 7) => Thinking::Budget { least: 1024, off: true, below_max: true },
            _ => Thinking::Untold,
        }
    }

    /// The most tokens of its answer.
    pub(crate) fn most_tokens(self, model: &str, facts: Option<&ModelFacts<'_>>) -> u64 {
        let known = facts.and_then(|facts| facts.output_limit);
        known.unwrap_or(match self.version {
            (u32::MAX, _) => BOUND,
            (4, 6..) | (5.., _) => 128_000,
            (4, 5) | (3, 7) => 64_000,
            (4, _) if model.contains("sonnet") => 64_000,
            (4, _) => 32_000,
            (3, 5) => 8_192,
            _ => 4_096,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_version_in_every_spelling() {
        for (model, version) in [
            ("claude-sonnet-5-5", (5, 5)),
            ("claude-opus-4-7", (4, 7)),
            ("claude-opus-4-20250514", (4, 0)),
            ("claude-3-5-sonnet-20241022", (3, 5)),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", (4, 5)),
            ("anthropic.claude-3-haiku-20240307-v1:0", (3, 0)),
            ("claude-opus-5-5@20260922", (5, 5)),
            ("anthropic/claude-opus-4.6", (4, 6)),
            ("claude-sonnet-5", (5, 0)),
            ("claude-next", (u32::MAX, 0)),
        ] {
            assert_eq!(Claude::of(model), Some(Claude { version }), "{model}");
        }
        assert_eq!(Claude::of("amazon.nova-pro-v1:0"), None);
    }

    #[test]
    fn an_answers_bound_is_the_models_own() {
        let most = |model: &str| Claude::of(model).unwrap().most_tokens(model, None);
        assert_eq!((most("claude-opus-4-1"), most("claude-sonnet-4-0")), (32_000, 64_000));
        assert_eq!((most("claude-sonnet-5-5"), most("claude-3-haiku-20240307")), (128_000, 4_096));
        assert_eq!(most("claude-next"), 32_000);
    }
}
