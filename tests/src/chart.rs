//! The chart's alert rules and dashboards, filled in as the chart does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::file;

/// What stands in them for `${name}`.
#[derive(Debug, Clone)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Those of the chart.
    ///
    /// # Panics
    /// If the file cannot be read or a line is not `name: value`.
    #[must_use]
    pub fn chart() -> Parameters {
        let text = std::fs::read_to_string(files().join("parameters.yaml")).expect("the parameters");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pair = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no `name: value`: {line}"));
            (name.to_owned(), value.to_owned())
        };
        Parameters(lines.map(pair).collect())
    }

    /// With another value.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Parameters {
        let old = self.0.insert(name.to_owned(), value.to_owned());
        assert!(old.is_some(), "there is no parameter {name}");
        self
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A text with every parameter filled in.
    ///
    /// # Panics
    /// If one is left that has no value.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let filled = self
            .0
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
        let left = filled.split("${").nth(1).and_then(|rest| rest.split('}').next());
        assert_eq!(left, None, "a parameter without a value");
        filled
    }

    /// Writes every file of rules into a directory, filled in.
    ///
    /// # Panics
    /// If one cannot be read or written.
    #[must_use]
    pub fn write_rules(&self, directory: &Path) -> Vec<PathBuf> {
        let write = |from: &PathBuf| {
            let to = directory.join(from.file_name().expect("a file"));
            let text = std::fs::read_to_string(from).expect("rules");
            std::fs::write(&to, self.fill(&text)).expect("a temporary file");
            to
        };
        rules().iter().map(write).collect()
    }
}

/// Files of rules, as they lie in the chart.
#[must_use]
pub fn rules() -> Vec<PathBuf> {
    list(&files().join("rules"), "yaml")
}

/// Files of dashboards.
#[must_use]
pub fn dashboards() -> Vec<PathBuf> {
    list(&files().join("dashboards"), "json")
}

/// A folder's files with this ending, sorted.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn list(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == ending));
    files.sort();
    files
}

fn files() -> PathBuf {
    file("../helm/outrigger/files")
}
