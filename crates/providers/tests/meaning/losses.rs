//! What is left of a request once what a translation says it lost is lost. A loss that is not listed fails the test: whoever adds
//! one says here what it does.

use outrigger_providers::canonical::{
    Arguments, Body, Effort, Format, Message, Part, Request, Role, Seal, ToolChoice,
};
use outrigger_providers::translate::Outgoing;
use serde_json::{Map, Value};

use super::plain;

const INSTRUCTION: &str = "[Instruction of the system]";
const BEGINNING: &str = "[The user has not said anything yet.]";
const JSON: &str = "Answer with one valid JSON object and nothing else: no other text, no code fence.";
/// Said beside a document that is alone.
const ABOVE: &str = "[The document is above.]";

/// Limits of a schema that are told in words where they are not enforced, and the words.
const LIMITS: [&str; 16] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "format",
    "description",
    "title",
];

/// What is left of what was asked, once this translation has lost what it says. `said` is what it sent, and how much of it is left
/// only the other place's bounds decide.
pub(crate) fn lose(asked: &Request, outgoing: &Outgoing, said: &mut Request, to: &str) -> Request {
    let mut left = plain(asked.clone());
    *said = plain(std::mem::take(said));
    for loss in &outgoing.losses {
        one(loss.what, &mut left, said, outgoing);
    }
    unsaid(&mut left, said, to);
    *said = plain(std::mem::take(said));
    plain(left)
}

fn one(what: &str, left: &mut Request, said: &mut Request, outgoing: &Outgoing) {
    match what {
        // Stood beside what the canonical form has, or is of no concern to the answer.
        "a prediction of the answer"
        | "the tier of service"
        | "who the user is"
        | "labels for the provider's records"
        | "that the provider keeps the answer"
        | "citations"
        | "the name of a document"
        | "what is said of a document"
        | "how closely a picture is looked at"
        | "what is shown of the model's thoughts"
        | "whether a message was the last one"
        | "what only its provider can read, in the answer"
        | "that a history too long is shortened"
        | "that the provider's filters are off"
        | "what a schema is said to be for"
        | "the form of a tool's answer" => {}
        "the speaker's name" => left.messages.iter_mut().for_each(|message| message.name = None),
        "where the prompt may be cached" => {
            every_part(left, &mut |part| part.cache = None);
            left.tools.iter_mut().for_each(|tool| tool.cache = None);
        }
        "what the model thought" => {
            for message in &mut left.messages {
                message.parts.retain(|part| !matches!(part.body, Body::Reasoning(_)));
            }
        }
        "a signature that only its provider can read" => every_part(left, &mut |part| part.seal = None),
        "the model's refusal, as its text" => every_part(left, &mut |part| {
            if let Body::Refusal(text) = &part.body {
                part.body = Body::Text(text.clone());
            }
        }),
        "an instruction among the messages, as the user's words" => {
            for message in left.messages.iter_mut().filter(|message| message.role == Role::System) {
                message.role = Role::User;
                message.parts.insert(0, Part::text(INSTRUCTION));
            }
        }
        "a conversation that the user does not begin" => {
            let parts = vec![Part::text(BEGINNING)];
            left.messages.insert(0, Message { role: Role::User, name: None, parts, rest: Map::new() });
        }
        "what a tool showed, as what the user shows after it" => {
            left.messages.iter_mut().for_each(shown_after)
        }
        "that a tool failed, as a word before its answer" => every_part(left, &mut failed_in_words),
        "a tool's answer that says nothing" => every_part(left, &mut |part| {
            if let Body::ToolAnswer { parts, .. } = &mut part.body
                && parts.is_empty()
            {
                parts.push(Part::text("(nothing)"));
            }
        }),
        "arguments that are no object, under a name of their own" => every_part(left, &mut |part| {
            if let Body::ToolCall(call) = &mut part.body
                && let Arguments::Text(text) = &call.arguments
            {
                let members = [("unreadable_arguments".to_owned(), Value::from(text.as_str()))];
                call.arguments = Arguments::Object(members.into_iter().collect());
            }
        }),
        "a tool's name, shortened on the way there" => rename(left, outgoing),
        // A mode that may call nothing is read as that again; one that orders a call is read as the order alone.
        "arguments held to their schema, by a mode of the whole call"
        | "that only some tools may be called" => {
            let orders = matches!(
                left.tool_choice,
                Some(
                    ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }
                )
            );
            left.tools.iter_mut().for_each(|tool| tool.strict = (!orders).then_some(true));
        }
        "that arguments are held to their schema" => {
            for (left, said) in left.tools.iter_mut().zip(&said.tools) {
                left.strict = left.strict.filter(|_| said.strict.is_some());
            }
        }
        "that nothing may be called, by showing no tools" => {
            left.tools.clear();
        }
        "that only some tools may be called, by showing no others" => {
            let (names, required) = match left.tool_choice.take() {
                Some(ToolChoice::Allowed { names, required }) => (names, required),
                Some(ToolChoice::Named(name)) => (vec![name], true),
                other => unreachable!("not some of them: {other:?}"),
            };
            left.tools.retain(|tool| names.contains(&tool.name));
            left.tool_choice = required.then_some(ToolChoice::Required);
        }
        "that tools are called one at a time" => left.parallel_tools = None,
        "an answer of JSON, by an instruction" => {
            left.system.push(Part::text(JSON));
            // Where it is only an instruction it is no form.
            left.format = left.format.take().filter(|_| said.format.is_some());
        }
        "an answer after a schema, to which it is not held to the letter" => {
            if let Some(Format::Schema { strict, .. }) = &mut left.format {
                *strict = Some(false);
            }
        }
        "limits of a schema that are told but not enforced" => {
            if let (Some(Format::Schema { schema: asked, .. }), Some(Format::Schema { schema: said, .. })) =
                (&mut left.format, &said.format)
                && without_limits(asked.clone()) == without_limits(said.clone())
            {
                *asked = said.clone();
            }
        }
        "more tokens than the model ever answers with" => left.sampling.max_tokens = said.sampling.max_tokens,
        "a temperature above the highest" => left.sampling.temperature = said.sampling.temperature,
        "the temperature" => left.sampling.temperature = None,
        "nucleus sampling (top_p)" => left.sampling.top_p = None,
        "top-k sampling" => left.sampling.top_k = None,
        "the seed" => left.sampling.seed = None,
        "a penalty for repetition" => {
            (left.sampling.frequency_penalty, left.sampling.presence_penalty) = (None, None);
        }
        "how wordy the answer is to be" => left.verbosity = None,
        // The nearest step, or the tokens of it, are the concern of the tests of the gate.
        _ if what.starts_with("how much to think")
            || what.starts_with("that the model decides how much to think") =>
        {
            left.effort = said.effort.clone();
        }
        other => unreachable!("what does this loss do: {other}"),
    }
}

/// What a format must have and others leave out.
fn unsaid(left: &mut Request, said: &mut Request, to: &str) {
    // Its writers put a bound where there is none: these formats take no request without.
    if matches!(to, "anthropic_messages" | "bedrock_converse") && left.sampling.max_tokens.is_none() {
        left.sampling.max_tokens = said.sampling.max_tokens;
    }
    // Gemini takes calls of others for signed by this word of its own.
    if to == "gemini" {
        let sentinel = Some(Seal::Signature("skip_thought_signature_validator".to_owned()));
        every_part(said, &mut |part| {
            part.seal = part.seal.take().filter(|seal| Some(seal) != sentinel.as_ref())
        });
    }
    // An answer may be held to its schema where it need not be.
    if let (Some(Format::Schema { strict: left, .. }), Some(Format::Schema { strict: said, .. })) =
        (&mut left.format, &said.format)
        && *left == Some(false)
    {
        *left = *said;
    }
    // A model that is not told how much to think does not.
    if left.effort.level.as_deref() == Some("none") && said.effort == Effort::default() {
        left.effort = Effort::default();
    }
    // AWS takes no document without a text beside it.
    if to == "bedrock_converse" {
        for (left, said) in left.messages.iter_mut().zip(&said.messages) {
            let is_beside = said.parts.last() == Some(&Part::text(ABOVE));
            left.parts.extend(is_beside.then(|| Part::text(ABOVE)));
        }
    }
}

fn every_part(request: &mut Request, each: &mut dyn FnMut(&mut Part)) {
    let parts = request.messages.iter_mut().flat_map(|message| &mut message.parts);
    for part in request.system.iter_mut().chain(parts) {
        each(part);
        if let Body::ToolAnswer { parts, .. } = &mut part.body {
            parts.iter_mut().for_each(&mut *each);
        }
    }
}

fn shown_after(message: &mut Message) {
    let answers =
        message.parts.iter().take_while(|part| matches!(part.body, Body::ToolAnswer { .. })).count();
    let mut shown = Vec::new();
    for part in &mut message.parts[..answers] {
        let Body::ToolAnswer { name, parts, .. } = &mut part.body else { continue };
        let (texts, media): (Vec<Part>, Vec<Part>) =
            std::mem::take(parts).into_iter().partition(|part| matches!(part.body, Body::Text(_)));
        if !media.is_empty() {
            shown.push(Part::text(format!("[Shown by {}]", name.as_deref().unwrap_or_default())));
            shown.extend(media);
        }
        *parts = texts;
    }
    message.parts.splice(answers..answers, shown);
}

fn failed_in_words(part: &mut Part) {
    let Body::ToolAnswer { parts, is_error, .. } = &mut part.body else { return };
    if is_error.take() == Some(true) {
        match parts.first_mut().map(|part| &mut part.body) {
            Some(Body::Text(text)) => text.insert_str(0, "Error: "),
            _ => parts.insert(0, Part::text("Error:")),
        }
    }
}

fn rename(request: &mut Request, outgoing: &Outgoing) {
    let sent = |name: &mut String| {
        if let Some((sent, _)) = outgoing.names.iter().find(|(_, own)| *own == name) {
            name.clone_from(sent);
        }
    };
    request.tools.iter_mut().for_each(|tool| sent(&mut tool.name));
    match &mut request.tool_choice {
        Some(ToolChoice::Named(name)) => sent(name),
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(sent),
        _ => {}
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.body {
            Body::ToolCall(call) => sent(&mut call.name),
            Body::ToolAnswer { name: Some(name), .. } => sent(name),
            _ => {}
        }
    }
}

fn without_limits(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            members.retain(|name, value| value.is_object() || !LIMITS.contains(&name.as_str()));
            members.values_mut().for_each(|value| *value = without_limits(value.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = without_limits(value.take())),
        _ => {}
    }
    schema
}
