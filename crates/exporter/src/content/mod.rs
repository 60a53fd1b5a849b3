//! Prompts and answers as telemetry shows them: read on the exporter's thread, redacted, then cut to what a reader takes.
//! Off unless asked for.

mod fit;
mod messages;
mod redact;

use outrigger_ledger::Captured;
use serde_json::Value;

pub(crate) use fit::fit;
pub use redact::{PatternError, Redaction};

/// What one call said, redacted and not yet cut.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Instructions that stand in a place of their own.
    pub(crate) system: Vec<Value>,
    /// The conversation that was sent.
    pub(crate) input: Vec<Value>,
    /// One message per choice.
    pub(crate) output: Vec<Value>,
    /// The tools' kinds and names.
    pub(crate) tools: Vec<Value>,
    /// What is missing, and why.
    pub(crate) lacks: Vec<&'static str>,
}

impl Told {
    /// Reads what was captured of a call.
    pub(crate) fn of(captured: &Captured, redaction: &Redaction) -> Told {
        let read = captured.read();
        let mut told = Told { lacks: read.lacks, ..Told::default() };
        if let Some(request) = read.request {
            told.system = messages::parts(request.system);
            told.input = request.messages.into_iter().map(messages::message).collect();
            told.tools = request.tools.into_iter().map(messages::tool).collect();
        }
        told.output = read.answer.map(messages::choices).unwrap_or_default();
        for value in
            [&mut told.system, &mut told.input, &mut told.output, &mut told.tools].into_iter().flatten()
        {
            redaction.apply(value);
        }
        told
    }

    /// Of a call whose content is left out of the request to the endpoint.
    pub(crate) fn left_out(why: &'static str) -> Told {
        Told { lacks: vec![why], ..Told::default() }
    }
}

#[cfg(test)]
mod tests;
