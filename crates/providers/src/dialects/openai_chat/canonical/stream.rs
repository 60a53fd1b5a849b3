//! The chunks of a streamed chat completion as canonical events. Servers that imitate OpenAI number their calls loosely: a call
//! is known by its index, by its id where that is new, and else is the last one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{THOUGHT, beside, stop};
use crate::canonical::{Arguments, Body, Call, Event, Fault, Fields, Part, Piece, StreamReader, Within};

/// Numbers of the parts that are there once at most; calls come after them.
const REASONING: usize = 0;
const TEXT: usize = 1;
const REFUSAL: usize = 2;
const CALLS: usize = 3;
/// What has no other place comes last.
const BESIDE: usize = 2048;

/// One answer.
#[derive(Default)]
pub(super) struct ChatStream {
    choices: BTreeMap<u64, Said>,
    /// What was told of the answer last, so that each chunk's repetition is none.
    told: Option<(Option<String>, Option<String>)>,
}

#[derive(Default)]
struct Said {
    open: [bool; CALLS],
    calls: Vec<Called>,
    beside: usize,
}

#[derive(Default)]
struct Called {
    index: Option<u64>,
    id: Option<String>,
    free: bool,
    /// Whether its name came; what came of its arguments before is held.
    open: bool,
    held: String,
}

impl StreamReader for ChatStream {
    fn event(&mut self, name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut chunk = Fields::of(data)?;
        if name == "error" || chunk.has("error") || chunk.peek("object") == "error" {
            out.push(Event::Failed(chunk.whole()));
            return Ok(());
        }
        let told = (chunk.said("id")?, chunk.said("model")?);
        if self.told.as_ref() != Some(&told) {
            self.told = Some(told.clone());
            out.push(Event::Start { id: told.0, model: told.1 });
        }
        for (number, choice) in chunk.list("choices")?.into_iter().enumerate() {
            self.choice(choice, out).at(number).within("choices")?;
        }
        Ok(())
    }
}

impl ChatStream {
    fn choice(&mut self, value: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(value)?;
        let index = fields.count("index")?.unwrap_or(0);
        let choice = usize::try_from(index).unwrap_or(usize::MAX);
        if let Some(delta) = fields.object("delta")? {
            let said = self.choices.entry(index).or_default();
            said.delta(choice, delta, out).within("delta")?;
        }
        if let Some(word) = fields.said("finish_reason")? {
            out.push(Event::Stop { choice, stop: stop(word) });
        }
        Ok(())
    }
}

impl Said {
    fn delta(&mut self, choice: usize, mut delta: Fields, out: &mut Vec<Event>) -> Result<(), Fault> {
        let _role = delta.take("role");
        let mut thought = None;
        for member in THOUGHT {
            thought = thought.or(delta.said(member)?);
        }
        let texts = [(REASONING, thought), (TEXT, text(&mut delta)?), (REFUSAL, delta.said("refusal")?)];
        for (part, piece) in texts {
            let Some(piece) = piece else { continue };
            if !std::mem::replace(&mut self.open[part], true) {
                let body = match part {
                    REASONING => Body::Reasoning(String::new()),
                    REFUSAL => Body::Refusal(String::new()),
                    _ => Body::Text(String::new()),
                };
                out.push(Event::Open { choice, part, begun: Part::new(body) });
            }
            out.push(Event::Grow { choice, part, piece: Piece::Text(piece) });
        }
        for (number, call) in delta.list("tool_calls")?.into_iter().enumerate() {
            self.call(choice, call, out).at(number).within("tool_calls")?;
        }
        for begun in beside(delta.rest()) {
            out.push(Event::Open { choice, part: BESIDE + self.beside, begun });
            self.beside += 1;
        }
        Ok(())
    }

    fn call(&mut self, choice: usize, value: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(value)?;
        let (index, id) = (fields.count("index")?, fields.said("id")?);
        let number = self.known(index, id.as_deref());
        let called = &mut self.calls[number];
        called.free |= fields.peek("type") == "custom" || fields.has("custom");
        let (member, given) = if called.free { ("custom", "input") } else { ("function", "arguments") };
        let mut told = fields.object(member)?.unwrap_or_default();
        called.id = called.id.take().or(id);
        let name = told.said("name").within(member)?;
        match told.take(given) {
            None => {}
            Some(Value::String(more)) => called.held.push_str(&more),
            // Some servers send the object itself.
            Some(other) => called.held.push_str(&other.to_string()),
        }
        let part = CALLS + number;
        if let Some(name) = name.filter(|_| !called.open) {
            called.open = true;
            let arguments =
                if called.free { Arguments::Text(String::new()) } else { Arguments::read(String::new()) };
            let call = Call { id: called.id.clone(), name, arguments, free: called.free };
            out.push(Event::Open { choice, part, begun: Part::new(Body::ToolCall(call)) });
        }
        if called.open && !called.held.is_empty() {
            let piece = Piece::Arguments(std::mem::take(&mut called.held));
            out.push(Event::Grow { choice, part, piece });
        }
        Ok(())
    }

    /// Which call a delta is of. A new id at a known index is a new call.
    fn known(&mut self, index: Option<u64>, id: Option<&str>) -> usize {
        let same = |call: &Called| match (id, call.id.as_deref()) {
            (Some(id), Some(known)) => id == known,
            _ => true,
        };
        let found = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index && same(call)),
            None if id.is_some() => self.calls.iter().rposition(|call| call.id.as_deref() == id),
            None => self.calls.len().checked_sub(1),
        };
        found.unwrap_or_else(|| {
            self.calls.push(Called { index, ..Called::default() });
            self.calls.len() - 1
        })
    }
}

/// The text of a delta; some servers send parts.
fn text(delta: &mut Fields) -> Result<Option<String>, Fault> {
    match delta.take("content") {
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(|part| part["text"].as_str());
            Ok(Some(texts.collect::<String>()).filter(|text| !text.is_empty()))
        }
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Fault::new("is no text")).within("content"),
        None => Ok(None),
    }
}
