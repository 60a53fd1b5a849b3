//! What the names of Gemini's models tell of what they take (wire formats, section 2.5). A name that tells nothing is taken for one
//! of the newest.

use crate::canonical::Thinking;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its generation.
    major: u32,
    minor: u32,
    /// The quick kind.
    flash: bool,
}

impl Model {
    pub(crate) fn of(model: &str) -> Model {
        let rest = model.find("gemini-").and_then(|at| model.get(at + "gemini-".len()..)).unwrap_or_default();
        let mut numbers = rest.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
        let major = numbers.next().and_then(Result::ok).unwrap_or(u32::MAX);
        let minor = numbers.next().and_then(Result::ok).unwrap_or(0);
        Model { major, minor, flash: model.contains("flash") }
    }

    /// It wants the signature of every call in the history.
    pub(crate) const fn wants_signatures(self) -> bool {
        self.major >= 3
    }

    /// An answer after a schema, beside tools.
    pub(crate) const fn takes_schema_with_tools(self) -> bool {
        self.major >= 3
    }

    /// How much it thinks.
    pub(crate) const fn thinking(self) -> Thinking {
        match (self.major, self.minor, self.flash) {
            (3.., _, true) => Thinking::Steps(&["minimal", "low", "medium", "high"]),
            (3.., _, false) => Thinking::Steps(&["low", "high"]),
            (2, 5, true) => Thinking::Budget { least: 1, off: true, below_max: false },
            (2, 5, false) => Thinking::Budget { least: 128, off: false, below_max: false },
            _ => Thinking::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_generation() {
        let of = |major, minor, flash| Model { major, minor, flash };
        assert_eq!(Model::of("gemini-3.5-flash"), of(3, 5, true));
        assert_eq!(Model::of("models/gemini-2.5-pro-002"), of(2, 5, false));
        assert_eq!(Model::of("gemini-3-pro-preview"), of(3, 0, false));
        assert!(Model::of("tunedModels/tide-1").wants_signatures());
    }
}
