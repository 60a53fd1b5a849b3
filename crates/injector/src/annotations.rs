//! The label and annotations that a person writes, as one table: names, values, meaning. `docs/injection.md` shows it.

use outrigger_contract::annotations;

/// A label or an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its values, in words.
    pub(crate) values: &'static str,
    /// What it does.
    pub(crate) meaning: &'static str,
    /// Whether it is ours to write.
    pub(crate) written_back: bool,
}

const fn asked(name: &'static str, values: &'static str, meaning: &'static str) -> Known {
    Known { name, values, meaning, written_back: false }
}

const fn told(name: &'static str, values: &'static str, meaning: &'static str) -> Known {
    Known { name, values, meaning, written_back: true }
}

/// What may stand in a pod's annotations.
pub(crate) const ALL: [Known; 9] = [
    asked(
        annotations::MODE,
        "`transparent`, `base-url` or `proxy`",
        "how calls are led to the sidecar; `transparent` only where the namespace allows it",
    ),
    asked(
        annotations::RULES,
        "the name of a ConfigMap of the pod's namespace",
        "the rules, under `rules.yaml`; `outrigger-rules` without it",
    ),
    asked(
        annotations::PASSTHROUGH_HOSTS,
        "host names with commas between them",
        "hosts that pass through undecrypted",
    ),
    asked(
        annotations::TRUST_JAVA,
        "`true` or `false`",
        "whether Java's trust store is replaced by the published one; off without it",
    ),
    asked(
        annotations::RESOURCES,
        "`cpu` (1m to 16), `memory` (1Mi to 16Gi), `memory-limit` (16Mi to 16Gi) and `cpu-limit` (50m to 16), such as \
         `cpu=20m,memory-limit=256Mi`",
        "what the sidecar asks for and may take",
    ),
    asked(
        annotations::IGNORE_ENV_FROM,
        "`true` or `false`",
        "your word that what `envFrom` brings in has no variable that is set here",
    ),
    told(annotations::STATUS, "`injected` or `skipped`", "whether the pod has a sidecar"),
    told(annotations::REASON, "sentences", "why it has none, or what is not as it was asked for"),
    told(annotations::SENDS_TO, "a sentence", "where prompts and telemetry may go"),
];

/// The rows of the reference, one for each annotation.
#[must_use]
pub fn reference() -> String {
    ALL.iter().map(|one| format!("| `{}` | {} | {} |\n", one.name, one.values, one.meaning)).collect()
}
