//! `operation`: what the call asks for.

use std::sync::Arc;

use outrigger_providers::Operation;
use schemars::json_schema;
use serde_json::Value;

use super::{Condition, Matcher, has};
use crate::Call;

/// What rules can decide: all that has a record.
fn words() -> Vec<&'static str> {
    Operation::ALL.into_iter().filter(|operation| operation.is_inference()).map(Operation::as_str).collect()
}

pub(super) static MATCHER: Matcher = Matcher {
    key: "operation",
    document: "What the call asks for, or a list: `chat` is a turn of a conversation in every format but Gemini's, whose is \
               `generate_content`.",
    schema: || {
        let words = words();
        json_schema!({"anyOf": [{"enum": words}, {"type": "array", "minItems": 1, "items": {"enum": words}}]})
    },
    parse: |node, reader| {
        let words = words();
        let operations = reader.one_or_more(node, |node, reader| {
            reader.word(node, "an operation that rules decide", &words, |word| {
                Operation::from_word(word).filter(|operation| operation.is_inference())
            })
        })?;
        Some(Arc::new(Operations(operations)))
    },
};

#[derive(Debug)]
struct Operations(Vec<Operation>);

impl Condition for Operations {
    fn holds(&self, call: &Call<'_>) -> bool {
        self.0.contains(&call.operation)
    }

    fn explain(&self, call: &Call<'_>) -> String {
        let words: Vec<&str> = self.0.iter().map(|operation| operation.as_str()).collect();
        format!("{}, not {}", has("operation", Some(call.operation.as_str())), words.join(", "))
    }

    fn written(&self) -> Value {
        match &*self.0 {
            [one] => one.as_str().into(),
            several => several.iter().map(|operation| operation.as_str()).collect(),
        }
    }

    fn operations(&self) -> Option<Vec<Operation>> {
        Some(self.0.clone())
    }
}
