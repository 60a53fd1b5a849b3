//! `service`: whose calls they are.

use std::sync::Arc;

use serde_json::Value;

use super::patterns::Patterns;
use super::{Condition, Matcher, has};
use crate::Call;

pub(super) static MATCHER: Matcher = Matcher {
    key: "service",
    document: "The app, by its `service.name` as telemetry carries it, or a list; `*` stands for any run of characters.",
    schema: Patterns::schema,
    parse: |node, reader| {
        Some(Arc::new(Services(Patterns::parse(node, reader, "the name of a service", false)?)))
    },
};

#[derive(Debug)]
struct Services(Patterns);

impl Condition for Services {
    fn holds(&self, call: &Call<'_>) -> bool {
        call.service.is_some_and(|service| self.0.hold(service))
    }

    fn explain(&self, call: &Call<'_>) -> String {
        format!("{}, not {}", has("service", call.service), self.0.told())
    }

    fn written(&self) -> Value {
        self.0.written()
    }
}
