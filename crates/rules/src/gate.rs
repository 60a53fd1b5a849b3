//! What can be asked of another place at all: the seat of translation between wire formats.

use outrigger_providers::{Operation, Service, services, translate};

use crate::Target;

/// Says what a backup cannot answer.
pub trait Gate: Sync {
    /// Why a call cannot go from a provider to a backup; `None` where it can. `model` is the one that the app asked for.
    fn refusal(&self, from: &str, operation: Operation, model: Option<&str>, to: &Target) -> Option<String>;
}

/// What holds whatever a call says: conversations are translated between the formats that requests are written in, all else stays
/// in its own format. What one request asks for is seen when it comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Translation;

impl Gate for Translation {
    fn refusal(&self, from: &str, operation: Operation, model: Option<&str>, to: &Target) -> Option<String> {
        let service = services::ALL.into_iter().find(|service| service.id == from)?;
        if matches!(operation, Operation::Chat | Operation::GenerateContent) {
            return translate::refusal(service, model, to.provider, to.model.as_deref())
                .or_else(|| in_its_format(service, model, to));
        }
        if service.default_dialect().name() != to.provider.default_dialect().name() {
            let (to, operation) = (to.provider.id, operation.as_str());
            return Some(format!("{to} does not speak the format of {from} for {operation}"));
        }
        match (model, to.model.as_deref()) {
            (Some(asked), Some(other)) if asked != other && operation == Operation::Embeddings => {
                Some(format!("vectors of {other} mean nothing beside those of {asked}"))
            }
            _ => None,
        }
    }
}

/// Why a call for a model that the backup does not replace cannot be asked in the backup's format. The provider that was asked
/// is known to answer it in the app's own, whatever the model is called.
fn in_its_format(from: &Service, asked: Option<&str>, to: &Target) -> Option<String> {
    let (format, model) = (to.format?, asked.filter(|_| to.model.is_none() && from.id != to.provider.id)?);
    let is_spoken = translate::formats(to.provider, Some(model)).contains(&format);
    (!is_spoken).then(|| format!("{} does not answer {model} in {format}", to.provider.id))
}
