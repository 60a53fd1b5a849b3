//! `model`: the model asked for.

use std::sync::Arc;

use serde_json::Value;

use super::patterns::Patterns;
use super::{Condition, Matcher, has};
use crate::Call;
use crate::glob::Glob;
pub(super) static MATCHER: Matcher = Matcher {
    key: "model",
    document: "The model asked for, or a list; `*` stands for any run of characters: `gpt-6.1-*`. Behind Azure's deployments it is the \
               deployment. A call that names no model has none, and no pattern holds.",
    schema: Patterns::schema,
    parse: |node, reader| {
        Some(Arc::new(Models(Patterns::parse(node, reader, "the name of a model", false)?)))
    },
};

#[derive(Debug)]
struct Models(Patterns);

impl Condition for Models {
    fn holds(&self, call: &Call<'_>) -> bool {
        call.model.is_some_and(|model| self.0.hold(model))
    }

    fn explain(&self, call: &Call<'_>) -> String {
        format!("{}, not {}", has("model", call.model), self.0.told())
    }

    fn written(&self) -> Value {
        self.0.written()
    }

    fn models(&self) -> Option<&[Glob]> {
        Some(self.0.globs())
    }
}
