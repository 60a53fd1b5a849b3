//! What an app learns from an answer, and what is known of one whatever its format.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

use http::StatusCode;
use outrigger_pricing::TokenUsage;
use outrigger_providers::canonical::{Answer, Arguments, Body, Framed, StopReason, Whole, answer_from};
use outrigger_providers::{Dialect, Reading};
use serde_json::{Map, Value};

use crate::events::content_type;

/// What an app learns from an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Learned {
    pub(crate) text: String,
    pub(crate) calls: Vec<(String, Map<String, Value>)>,
    pub(crate) stop: StopReason,
    pub(crate) usage: (Option<u64>, Option<u64>, Option<u64>),
}

/// `sides`: whether reasoning is told apart is not compared.
pub(crate) fn totals(usage: &TokenUsage) -> (Option<u64>, Option<u64>, Option<u64>) {
    (usage.total_prompt(), usage.total_cached(), usage.total_answer())
}

pub(crate) fn learned(answer: &Answer, reading: &Reading) -> Learned {
    let [choice] = &answer.choices[..] else { panic!("one choice: {answer:?}") };
    let mut learned = Learned {
        text: String::new(),
        calls: Vec::new(),
        stop: choice.stop.as_ref().unwrap().reason.clone(),
        usage: totals(&reading.usage),
    };
    for part in &choice.parts {
        match &part.body {
            Body::Text(text) => learned.text.push_str(text),
            Body::ToolCall(call) => {
                assert!(call.id.as_deref().is_some_and(|id| !id.is_empty()), "{call:?}");
                let Arguments::Object(members) = &call.arguments else { panic!("no object: {call:?}") };
                learned.calls.push((call.name.clone(), members.clone()));
            }
            other => panic!("neither text nor call: {other:?}"),
        }
    }
    learned
}

pub(crate) fn read(dialect: &'static dyn Dialect, kind: &str, body: &[u8]) -> (Whole, Reading) {
    let framed = match kind {
        "application/json" => Framed::Whole,
        "text/event-stream" => Framed::Events,
        _ => Framed::AwsMessages,
    };
    let mut meter = dialect.response_meter(StatusCode::OK, &content_type(kind));
    meter.chunk(body);
    (answer_from(dialect.canonical().unwrap(), framed, body), meter.finish())
}
