//! `provider`: whom the app addresses.

use std::sync::Arc;

use schemars::json_schema;
use serde_json::Value;

use super::{Condition, Matcher, has};
use crate::Call;
use crate::document::Provider;
use crate::read::Written;

pub(super) static MATCHER: Matcher = Matcher {
    key: "provider",
    document: "The provider that the app addresses, or a list of them, by the id that records and metrics use.",
    schema: || {
        let words = Provider::words();
        json_schema!({"anyOf": [{"enum": words}, {"type": "array", "minItems": 1, "items": {"enum": words}}]})
    },
    parse: |node, reader| {
        let providers = reader.one_or_more(node, Provider::read)?;
        Some(Arc::new(Providers(providers.into_iter().map(|provider| provider.0.id).collect())))
    },
};

#[derive(Debug)]
struct Providers(Vec<&'static str>);

impl Condition for Providers {
    fn holds(&self, call: &Call<'_>) -> bool {
        self.0.contains(&call.provider)
    }

    fn explain(&self, call: &Call<'_>) -> String {
        format!("{}, not {}", has("provider", Some(call.provider)), self.0.join(", "))
    }

    fn written(&self) -> Value {
        match &*self.0 {
            [one] => (*one).into(),
            several => several.iter().copied().collect(),
        }
    }

    fn providers(&self) -> Option<Vec<&'static str>> {
        Some(self.0.clone())
    }
}
