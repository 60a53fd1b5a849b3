//! What the names of OpenAI's models tell of what they take (wire formats, section 2.5). Where the price book has a fact, it counts.

use outrigger_pricing::{Capability, ModelFacts};

/// Whether a model reasons: it then takes no temperature and the like.
pub(crate) fn reasons(model: &str, facts: Option<&ModelFacts<'_>>) -> bool {
    facts.and_then(|facts| facts.can(Capability::Reasoning)).unwrap_or_else(|| {
        is_of_the_o_line(model) || generation(model).is_some_and(|it| it.0 >= 5) && !model.contains("-chat")
    })
}

/// Whether no text can end its answer.
pub(crate) fn is_without_stops(model: &str) -> bool {
    is_of_the_o_line(model) || generation(model).is_some_and(|(major, _)| major == 5)
}

/// Whether it can be told how wordy to be: since the fifth generation.
pub(crate) fn is_told_its_verbosity(model: &str) -> bool {
    generation(model).is_some_and(|(major, _)| major >= 5) && !model.contains("-chat")
}

/// The steps of effort that it takes.
pub(crate) fn steps(model: &str) -> &'static [&'static str] {
    match generation(model) {
        Some((5, 0)) => &["minimal", "low", "medium", "high"],
        Some((5, 1)) => &["none", "low", "medium", "high"],
        Some((5, _)) => &["none", "low", "medium", "high", "xhigh"],
        Some((6.., _)) => &["none", "low", "medium", "high", "xhigh", "max"],
        _ => &["low", "medium", "high"],
    }
}

/// `o3`, also behind a vendor's prefix.
fn is_of_the_o_line(model: &str) -> bool {
    let name = model.rsplit(['/', '.']).next().unwrap_or(model);
    let name = if name.starts_with('o') { name } else { model };
    name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

/// `gpt-5.2` is the second of the fifth.
fn generation(model: &str) -> Option<(u32, u32)> {
    let rest = model.get(model.find("gpt-")? + "gpt-".len()..)?;
    let version = rest.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_model_takes() {
        for (model, does, wordy, stops, highest) in [
            ("gpt-4o", false, false, true, "high"),
            ("gpt-5-mini", true, true, false, "high"),
            ("gpt-5.2", true, true, false, "xhigh"),
            ("openai/gpt-6.1-terra", true, true, true, "max"),
            ("o3-mini", true, false, false, "high"),
            ("openai/o3", true, false, false, "high"),
            ("gpt-oss-120b", false, false, true, "high"),
            ("gpt-5-chat-latest", false, false, false, "high"),
        ] {
            assert_eq!(reasons(model, None), does, "{model}");
            assert_eq!(is_told_its_verbosity(model), wordy, "{model}");
            assert_eq!(is_without_stops(model), !stops, "{model}");
            assert_eq!(steps(model).last(), Some(&highest), "{model}");
        }
    }
}
