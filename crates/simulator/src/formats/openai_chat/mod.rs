//! Chat Completions, as OpenAI answers and, by a style, as those who imitate it do.

mod style;

pub(crate) use style::{Place, Style, Telling, details, plain_usage};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{Parts, Whole, unnamed, words};

pub(crate) const CREATED: u64 = 1_794_830_400;
const ARGUMENTS: [&str; 3] = ["{\"place\":", "\"Kiel\"", "}"];
/// What is thought aloud, where a style shows it.
const THOUGHT: &str = "The moon is new.";

/// An answer of OpenAI's own.
pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    styled(ask, told, &style::OPENAI)
}

/// An answer in a style.
pub(crate) fn styled(ask: &Ask, told: &Told, style: &Style) -> Parts {
    let (events, deltas) = stream(ask, told, style);
    let whole = whole(ask, told, style);
    let mut parts = Parts::streamed(whole, events, deltas);
    if let (true, Whole::Json(json)) = (!style.lead.is_empty(), &parts.whole) {
        parts.whole = Whole::Raw("application/json", format!("{}{json}", style.lead).into());
    }
    parts
}

fn finish(ask: &Ask) -> &'static str {
    if ask.tool.is_some() { "tool_calls" } else { "stop" }
}

fn call_id(ask: &Ask) -> String {
    format!("call_{:024x}", ask.serial)
}

fn whole(ask: &Ask, told: &Told, style: &Style) -> Value {
    let mut message = match &ask.tool {
        None => json!({"role": "assistant", "content": told.text}),
        Some(tool) => {
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": call_id(ask), "type": "function",
            "function": {"name": tool, "arguments": ARGUMENTS.concat()}}]})
        }
    };
    if let (Some(name), 1..) = (style.thoughts, told.used().reasoning) {
        message[name] = json!(THOUGHT);
    }
    let mut whole = json!({
        "id": format!("{}{:029x}", style.id, ask.serial), "object": "chat.completion", "created": CREATED, "model": told.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish(ask)}],
    });
    if let Some(used) = &told.usage {
        whole["usage"] = (style.usage)(told, used);
    }
    (style.dress)(&mut whole, told, Place::Whole);
    whole
}

fn stream(ask: &Ask, told: &Told, style: &Style) -> (Vec<Bytes>, std::ops::Range<usize>) {
    let telling = style.telling.of(ask);
    let usage = told.usage.as_ref().map(|used| (style.usage)(told, used));
    let dressed = |choices: Value, place: Place| {
        let mut chunk = json!({
            "id": format!("{}{:029x}", style.id, ask.serial), "object": "chat.completion.chunk", "created": CREATED,
            "model": told.model, "choices": choices,
        });
        let tells = match place {
            Place::Usage => true,
            Place::Last => telling == Telling::LastChunk || telling == Telling::EveryChunk,
            _ => telling == Telling::EveryChunk,
        };
        if let Some(usage) = usage.as_ref().filter(|_| tells) {
            chunk["usage"] = usage.clone();
        } else if ask.include_usage && telling == Telling::OwnChunk {
            chunk["usage"] = Value::Null;
        }
        (style.dress)(&mut chunk, told, place);
        unnamed(&chunk)
    };
    let chunk = |delta: Value, place: Place| {
        let finish = if place == Place::Last { json!(finish(ask)) } else { Value::Null };
        dressed(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), place)
    };

    let mut events: Vec<Bytes> =
        style.first.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
    if let Some(first) = style.prompt_chunk {
        events.push(unnamed(&first()));
    }
    let content = if ask.tool.is_some() { Value::Null } else { json!("") };
    events.push(chunk(json!({"role": "assistant", "content": content}), Place::First));
    if let (Some(name), 1..) = (style.thoughts, told.used().reasoning) {
        events.extend(words(THOUGHT).into_iter().map(|word| chunk(json!({name: word}), Place::Middle)));
    }
    let first = events.len();
    match &ask.tool {
        None => events
            .extend(words(&told.text).into_iter().map(|word| chunk(json!({"content": word}), Place::Middle))),
        Some(tool) => {
            events.push(chunk(
                json!({"tool_calls": [{"index": 0, "id": call_id(ask), "type": "function", "function": {"name": tool, "arguments": ""}}]}),
                Place::Middle,
            ));
            events.extend(ARGUMENTS.into_iter().map(|piece| {
                chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), Place::Middle)
            }));
        }
    }
    let deltas = first..events.len();
    events.push(chunk(json!({}), Place::Last));
    if telling == Telling::OwnChunk && told.usage.is_some() {
        events.push(dressed(json!([]), Place::Usage));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    (events, deltas)
}
