//! Why something could not be read: where it stands and what is wrong with it. Never what it holds.

use std::fmt::{self, Write as _};

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands: `messages[2].content`. Empty for the whole.
    pub path: String,
    /// What is wrong with it, in plain words without its content.
    pub reason: &'static str,
}

impl Fault {
    pub(crate) fn new(reason: &'static str) -> Fault {
        Fault { path: String::new(), reason }
    }

    fn under(mut self, above: &str) -> Fault {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{above}{joint}{}", self.path);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "the body" } else { &self.path };
        write!(f, "{place}: {}", self.reason)
    }
}

impl std::error::Error for Fault {}

/// Says where a fault stands, from the inside out.
pub(crate) trait Within<T> {
    /// In the member of this name.
    fn within(self, member: &str) -> Result<T, Fault>;
    /// In the element of this number.
    fn at(self, element: usize) -> Result<T, Fault>;
}

impl<T> Within<T> for Result<T, Fault> {
    fn within(self, member: &str) -> Result<T, Fault> {
        self.map_err(|fault| fault.under(member))
    }

    fn at(self, element: usize) -> Result<T, Fault> {
        self.map_err(|fault| {
            let mut step = String::new();
            // Writing to a string does not fail.
            let _written = write!(step, "[{element}]");
            fault.under(&step)
        })
    }
}
