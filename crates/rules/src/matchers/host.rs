//! `host`: the name that the app addresses.

use std::sync::Arc;

use serde_json::Value;

use super::patterns::Patterns;
use super::{Condition, Matcher, has};
use crate::Call;

pub(super) static MATCHER: Matcher = Matcher {
    key: "host",
    document: "The host that the app addresses, or a list; `*` stands for any run of characters: `*.openai.azure.com`.",
    schema: Patterns::schema,
    parse: |node, reader| {
        Some(Arc::new(Hosts(Patterns::parse(node, reader, "a host name or pattern", true)?)))
    },
};

#[derive(Debug)]
struct Hosts(Patterns);

impl Condition for Hosts {
    fn holds(&self, call: &Call<'_>) -> bool {
        self.0.hold(call.host)
    }

    fn explain(&self, call: &Call<'_>) -> String {
        format!("{}, not {}", has("host", Some(call.host)), self.0.told())
    }

    fn written(&self) -> Value {
        self.0.written()
    }
}
