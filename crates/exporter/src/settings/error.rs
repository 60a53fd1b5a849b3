//! What is wrong with a setting: the variable, what it holds, and the mend.

/// A variable that cannot be used as it stands. Values that may hold a secret (headers, user info in a URL) are never
/// repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}{}: {problem}; {mend}", shown(.value.as_deref()))]
pub struct SettingsError {
    /// The variable (or option) at fault.
    pub variable: String,
    /// What it holds; `None` where showing it could show a secret.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub mend: String,
}

impl SettingsError {
    pub(super) fn new(variable: &str, value: &str, problem: &str, mend: impl Into<String>) -> SettingsError {
        SettingsError {
            variable: variable.to_owned(),
            value: Some(value.to_owned()),
            problem: problem.to_owned(),
            mend: mend.into(),
        }
    }

    pub(super) fn secret(
        variable: &str,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) -> SettingsError {
        SettingsError {
            variable: variable.to_owned(),
            value: None,
            problem: problem.into(),
            mend: mend.into(),
        }
    }
}

fn shown(value: Option<&str>) -> String {
    value.map(|value| format!("={value:?}")).unwrap_or_default()
}
