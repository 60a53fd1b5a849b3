//! What is wrong with a document: where, what, and what to do about it.

use std::fmt;

use serde::Serialize;

/// A place in the text that a person wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) column: u32,
}

/// Whether a fault refuses the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document cannot run.
    Error,
    /// It runs, though perhaps not as it was meant.
    Warning,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Whether it refuses the document.
    pub severity: Severity,
    /// Line of the file, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Where in the document: `rules[2].failover.to[0]`; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub mend: String,
}

impl Fault {
    pub(crate) fn new(
        severity: Severity,
        at: Position,
        path: impl Into<String>,
        text: impl Into<String>,
        mend: impl Into<String>,
    ) -> Fault {
        Fault {
            severity,
            line: at.line,
            column: at.column,
            path: path.into(),
            text: text.into(),
            mend: mend.into(),
        }
    }

    /// Whether it refuses the document.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `12:9: rules[2].failover.to[0]: there is no backup …; write …`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.text, self.mend)
    }
}

/// Why a document was refused: everything that is wrong with it, in the order of the text, warnings included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Refused {
    /// At least one is an error.
    pub faults: Vec<Fault>,
}

/// Puts faults in the order of the text.
pub(crate) fn in_order(faults: &mut [Fault]) {
    faults.sort_by(|one, other| {
        (one.line, one.column, &one.path).cmp(&(other.line, other.column, &other.path))
    });
}
