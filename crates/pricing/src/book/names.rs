//! Finds the model that a response names: exactly, by its dated form, or as a fine-tune. Never by a bare prefix, which
//! would sell a future `claude-opus-4-10` as `claude-opus-4-1`.

use std::collections::HashMap;

use super::card::Card;

/// One provider's models.
#[derive(Debug)]
pub(super) struct Provider {
    /// `openai`, `anthropic`.
    pub(super) id: String,
    /// In the order of the file.
    pub(super) models: Vec<Model>,
    /// Every exact name, to its place in `models`.
    pub(super) names: HashMap<String, usize>,
}

/// One model's prices.
#[derive(Debug)]
pub(super) struct Model {
    /// What a call with residency costs more, as (numerator, denominator).
    pub(super) residency: Option<(u64, u64)>,
    /// No two apply to the same call.
    pub(super) cards: Vec<Card>,
}

impl Provider {
    /// The model of that name.
    pub(super) fn find(&self, name: &str) -> Option<&Model> {
        self.exact(name).or_else(|| {
            // `ft:BASE:org::id` has prices of its own, listed as `ft:BASE`; those of BASE would be wrong.
            if let Some(rest) = name.strip_prefix("ft:") {
                let (base, _) = rest.split_once(':')?;
                return self.exact(name.get(..base.len() + "ft:".len())?);
            }
            self.exact(undated(name)?)
        })
    }

    fn exact(&self, name: &str) -> Option<&Model> {
        self.models.get(*self.names.get(name)?)
    }
}

/// The name without its `-YYYYMMDD` or `-YYYY-MM-DD`, if it has one and that is a day.
fn undated(name: &str) -> Option<&str> {
    [("-YYYYMMDD".len(), false), ("-YYYY-MM-DD".len(), true)].into_iter().find_map(|(length, dashes)| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let date = date.strip_prefix('-')?;
        let (year, month, day) = if dashes {
            let (year, rest) = date.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            (year, month, day)
        } else {
            (date.get(..4)?, date.get(4..6)?, date.get(6..)?)
        };
        (!base.is_empty() && is_day(year, month, day)).then_some(base)
    })
}

fn is_day(year: &str, month: &str, day: &str) -> bool {
    super::load::date(year, month, day).is_some_and(|date| (2020..2100).contains(&date.year()))
}

#[cfg(test)]
mod tests {
    use super::undated;

    #[test]
    fn both_dated_forms_are_taken_off() {
        assert_eq!(undated("claude-opus-4-1-20250805"), Some("claude-opus-4-1"));
        assert_eq!(undated("gpt-4.1-2025-04-14"), Some("gpt-4.1"));
    }

    #[test]
    fn what_only_looks_like_a_date_stays() {
        for name in [
            "gpt-4-0613",
            "claude-opus-4-1",
            "claude-opus-4-10",
            "x-20251301",
            "x-2025-02-30",
            "x-19991231",
            "x-2025-4-014",
            "x-+2025-4-14",
            "x-2025_04_14",
            "-20250805",
            "20250805",
            "",
            "é-2025041",
            "日本語日本語日",
        ] {
            assert_eq!(undated(name), None, "{name}");
        }
    }
}
