//! What can be asked of another place at all: the seat of translation between wire formats.

use outrigger_providers::{Operation, services};

use crate::Target;

/// Says what a backup cannot answer.
pub trait Gate: Sync {
    /// Why a call cannot go from a provider to a backup; `None` where it can. `model` is the one that the app asked for.
    fn refusal(&self, from: &str, operation: Operation, model: Option<&str>, to: &Target) -> Option<String>;
}

/// What holds whatever the formats are: the answers of two models are alike only in a conversation.
#[derive(Debug, Clone, Copy, Default)]
pub struct SameKind;

impl Gate for SameKind {
    fn refusal(&self, from: &str, operation: Operation, model: Option<&str>, to: &Target) -> Option<String> {
        if matches!(operation, Operation::Chat | Operation::GenerateContent) {
            return None;
        }
        let format = |id: &str| {
            let service = services::ALL.into_iter().find(|service| service.id == id)?;
            Some(service.default_dialect().name())
        };
        let to_format = to.provider.default_dialect().name();
        if format(from).is_some_and(|from| from != to_format) {
            return Some(format!(
                "{} does not speak the format of {from} for {}",
                to.provider.id,
                operation.as_str()
            ));
        }
        match (model, to.model.as_deref()) {
            (Some(asked), Some(other)) if asked != other && operation == Operation::Embeddings => {
                Some(format!("vectors of {other} mean nothing beside those of {asked}"))
            }
            _ => None,
        }
    }
}
