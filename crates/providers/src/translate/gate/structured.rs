//! The form of the answer: any JSON, or JSON after a schema.

use serde_json::Value;

use super::{At, Notes};
use crate::canonical::{Body, Form, Format, Manner, Part, Request, Schemas};
use crate::dialects::{anthropic_messages, gemini, openai_strict};

/// Where JSON cannot be asked for otherwise.
const INSTRUCTION: &str = "Answer with one valid JSON object and nothing else: no other text, no code fence.";
/// What a schema is called that has no name.
const NAME: &str = "answer";

pub(super) fn fit(request: &mut Request, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    let at = At::Member("the answer's form");
    match request.format.take() {
        None | Some(Format::Text) => {}
        Some(Format::Other(_)) => notes.refuse(at, "a form of the answer that is not known here"),
        Some(Format::Json) => any_json(request, at, manner, notes),
        Some(Format::Schema { name, mut schema, strict }) => {
            if form.name == "Gemini" {
                gemini::schema::from_openapi(&mut schema);
            }
            if manner.schemas != Schemas::No && !request.tools.is_empty() && !manner.schema_with_tools {
                return notes.refuse(at, "an answer after a schema, beside tools");
            }
            request.format = schemas(name, schema, strict, at, manner, notes);
        }
    }
}

fn any_json(request: &mut Request, at: At<'_>, manner: &Manner, notes: &mut Notes) {
    let named =
        |part: &Part| matches!(&part.body, Body::Text(text) if text.to_ascii_lowercase().contains("json"));
    let is_named = request.system.iter().any(named)
        || request.messages.iter().flat_map(|message| &message.parts).any(named);
    if manner.json {
        request.format = Some(Format::Json);
    }
    // OpenAI wants the word somewhere.
    if !manner.json || !is_named {
        notes.approximate(at, "an answer of JSON, by an instruction");
        request.system.push(Part::text(INSTRUCTION));
    }
}

fn schemas(
    name: Option<String>,
    schema: Value,
    strict: Option<bool>,
    at: At<'_>,
    manner: &Manner,
    notes: &mut Notes,
) -> Option<Format> {
    match manner.schemas {
        Schemas::No => {
            notes.refuse(at, "an answer after a schema, to which the model is not known to be held");
            None
        }
        Schemas::Any => Some(Format::Schema { name, schema, strict }),
        Schemas::OpenAi => {
            let is_strict = strict.unwrap_or(true) && openai_strict::is_strict(&schema);
            if !is_strict && strict != Some(false) {
                notes.approximate(at, "an answer after a schema, to which it is not held to the letter");
            }
            Some(Format::Schema { name: Some(called(name)), schema, strict: Some(is_strict) })
        }
        Schemas::Claude => match anthropic_messages::schema::fitted(&schema) {
            Ok(fitted) => {
                if fitted.changed {
                    notes.approximate(at, "limits of a schema that are told but not enforced");
                }
                Some(Format::Schema { name, schema: fitted.schema, strict })
            }
            Err(what) => {
                notes.refuse(at, what);
                None
            }
        },
    }
}

/// OpenAI wants a name, of letters, digits, `_` and `-`.
fn called(name: Option<String>) -> String {
    let fits = |name: &String| {
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        (1..=64).contains(&name.len()) && name.chars().all(word)
    };
    name.filter(fits).unwrap_or_else(|| NAME.to_owned())
}
