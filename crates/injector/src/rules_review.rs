//! Rules at admission: `kubectl apply` shows line and mend of what a sidecar would refuse.

use std::time::{SystemTime, UNIX_EPOCH};

use outrigger_pricing::PriceBook;
use outrigger_rules::{Fault, Policy, Site, Translation};
use serde_json::Value;

use crate::options::Options;

/// The key of the document in a ConfigMap.
const DOCUMENT: &str = "rules.yaml";

/// What is to be said of a ConfigMap.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Every fault, a line each, where there is an error.
    pub(crate) refused: Option<String>,
    /// What is worth knowing.
    pub(crate) warnings: Vec<String>,
    /// Whether there was a document to be checked.
    pub(crate) is_checked: bool,
}

/// Checks a ConfigMap's document by the code that runs it. One that is not changed is not refused: whoever mends a label of it
/// shall not be stopped.
pub(crate) fn check(object: &Value, old: &Value, options: &Options) -> Checked {
    let document = &object["data"][DOCUMENT];
    let Some(text) = document.as_str() else {
        let warning = format!(
            "there is no `{DOCUMENT}` under `data`, so these rules hold nothing: write the document there"
        );
        return Checked { warnings: vec![warning], ..Checked::default() };
    };
    if old["data"][DOCUMENT] == *document {
        return Checked::default();
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok());
    let site = Site {
        book: PriceBook::builtin(),
        now: now.unwrap_or_default(),
        allowed_providers: options.allowed_providers.as_deref(),
        in_cluster: true,
        gate: &Translation,
    };
    let told = |fault: &Fault| format!("{DOCUMENT}:{fault}");
    match Policy::read(text.as_bytes(), &site) {
        Ok((_, warnings)) => {
            Checked { warnings: warnings.iter().map(told).collect(), is_checked: true, refused: None }
        }
        Err(refused) => Checked {
            refused: Some(refused.faults.iter().map(told).collect::<Vec<_>>().join("\n")),
            warnings: Vec::new(),
            is_checked: true,
        },
    }
}
