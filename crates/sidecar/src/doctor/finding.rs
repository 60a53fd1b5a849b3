//! What an examination finds: an id that stays, a level, plain words, and the mend.

use std::fmt::Write as _;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Some calls go unobserved, or soon will.
    Warn,
    /// Calls fail or all go unobserved.
    Fail,
}

impl Level {
    const ALL: [Level; 4] = [Level::Ok, Level::Note, Level::Warn, Level::Fail];

    /// The word at the beginning of a line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// One thing that an examination can find: a row of `docs/doctor.md`.
#[derive(Debug)]
pub struct Check {
    /// What scripts know it by.
    pub id: &'static str,
    /// Its usual level.
    pub level: Level,
    /// What it means.
    pub meaning: &'static str,
    /// What to do; empty where nothing is to be done. A finding may know better.
    pub mend: &'static str,
}

impl Check {
    /// It was found.
    #[must_use]
    pub fn found(&self, text: impl Into<String>) -> Finding {
        let mend = (!self.mend.is_empty()).then(|| self.mend.to_owned());
        Finding { id: self.id, level: self.level, text: text.into(), mend }
    }

    /// It was found, and the mend is better known than in general.
    #[must_use]
    pub fn found_with(&self, text: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { id: self.id, level: self.level, text: text.into(), mend: Some(mend.into()) }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The id of its [`Check`].
    pub id: &'static str,
    /// How bad it is here.
    pub level: Level,
    /// What was seen.
    pub text: String,
    /// What to do about it.
    pub mend: Option<String>,
}

/// A whole examination.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// In the order of the examination.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether anything failed; the exit code says the same.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Fail)
    }

    /// One line per finding and a summary.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Finding { level, text: seen, mend, .. } in &self.findings {
            // A string takes everything.
            let _written = match mend {
                Some(mend) => writeln!(text, "{:<4}  {seen} \u{2014} {mend}", level.as_str()),
                None => writeln!(text, "{:<4}  {seen}", level.as_str()),
            };
        }
        let counts: Vec<String> =
            Level::ALL.into_iter().map(|level| format!("{} {}", self.count(level), level.as_str())).collect();
        text.push_str(&counts.join(", "));
        text.push('\n');
        text
    }

    /// The same as JSON: `{"findings":[{"id","level","text","mend"}],"summary":{"ok","note","warn","fail"}}`.
    #[must_use]
    pub fn json(&self) -> String {
        let summary: serde_json::Map<String, serde_json::Value> = Level::ALL
            .into_iter()
            .map(|level| (level.as_str().to_owned(), self.count(level).into()))
            .collect();
        format!("{:#}\n", serde_json::json!({ "findings": self.findings, "summary": summary }))
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// Writes a table of checks: one constant each, and `ALL`, all of them in order.
#[macro_export]
macro_rules! checks {
    ($($name:ident: $id:literal, $level:ident, $meaning:literal, $mend:literal;)*) => {
        $(pub(crate) const $name: $crate::doctor::finding::Check = $crate::doctor::finding::Check {
            id: $id,
            level: $crate::doctor::finding::Level::$level,
            meaning: $meaning,
            mend: $mend,
        };)*
        /// Every check, in the order of the examination.
        pub const ALL: &[&$crate::doctor::finding::Check] = &[$(&$name),*];
    };
}

/// How an examination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// One line per finding.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

impl Output {
    /// The report in this form.
    #[must_use]
    pub fn of(self, report: &Report) -> String {
        match self {
            Output::Text => report.text(),
            Output::Json => report.json(),
        }
    }
}

/// The rows of `docs/doctor.md` for these checks, Markdown.
#[must_use]
pub fn reference(checks: &[&Check]) -> String {
    let mut text = "| id | level | what it means | mend |\n|---|---|---|---|\n".to_owned();
    for Check { id, level, meaning, mend } in checks {
        // A string takes everything.
        let _written = writeln!(text, "| `{id}` | {} | {meaning} | {mend} |", level.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Check = Check { id: "fine", level: Level::Ok, meaning: "all is well", mend: "" };
    const BROKEN: Check = Check { id: "broken", level: Level::Fail, meaning: "it broke", mend: "repair it" };

    #[test]
    fn a_line_says_what_was_seen_and_the_mend() {
        let report = Report {
            findings: vec![FINE.found("it stands"), BROKEN.found("it fell"), BROKEN.found_with("it", "that")],
        };
        assert_eq!(
            report.text(),
            "ok    it stands\nfail  it fell \u{2014} repair it\nfail  it \u{2014} that\n1 ok, 0 note, 0 warn, 2 fail\n"
        );
        assert!(report.failed());
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["findings"][1]["mend"], "repair it");
        assert_eq!(json["findings"][0]["mend"], serde_json::Value::Null);
        assert_eq!(json["summary"]["fail"], 2);
    }

    #[test]
    fn the_reference_has_a_row_for_each() {
        assert!(reference(&[&BROKEN]).ends_with("| `broken` | fail | it broke | repair it |\n"));
    }
}
