//! The events of a streamed response as canonical events. An item is known by its place in the output: its id may change. Some
//! servers leave out the deltas, or what opens an item; what the end of a part or an item says then counts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{BETWEEN, part, said, stop};
use crate::canonical::{
    Arguments, Body, Call, Event, Fault, Fields, Part, Piece, Seal, StreamReader, Within,
};

/// Parts that one item may have in our numbering.
const PER_ITEM: usize = 64;

/// One answer.
#[derive(Default)]
pub(super) struct ResponsesStream {
    open: BTreeSet<usize>,
    /// Parts that grew by deltas: what their end repeats is known.
    grown: BTreeSet<usize>,
    /// Parts that were told whole: the end of the response repeats them.
    closed: BTreeSet<usize>,
    /// Arguments of calls that nothing has opened yet.
    held: BTreeMap<usize, String>,
}

impl StreamReader for ResponsesStream {
    fn event(&mut self, name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(data)?;
        let kind = match fields.peek("type") {
            "" => name.to_owned(),
            kind => kind.to_owned(),
        };
        match kind.as_str() {
            "response.created" => {
                let mut response = fields.object("response")?.unwrap_or_default();
                out.push(start(&mut response).within("response")?);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.end(fields, out)?;
            }
            "error" => out.push(Event::Failed(fields.whole())),
            "" if fields.has("error") => out.push(Event::Failed(fields.whole())),
            "response.output_item.added" | "response.output_item.done" => {
                let first = first(&mut fields)?;
                let item = fields.take("item").ok_or(Fault::new("is missing")).within("item")?;
                self.item(first, item, kind.ends_with("done"), out).within("item")?;
            }
            "response.content_part.added" => {
                let number = number(&mut fields)?;
                let value = fields.take("part").ok_or(Fault::new("is missing"));
                let begun = value.and_then(part).within("part")?;
                // Thoughts are opened by their item.
                if !matches!(begun.body, Body::Generic { .. }) {
                    self.open(number, tidy(begun), out);
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let (number, refused) = (number(&mut fields)?, kind.contains("refusal"));
                let text = fields.needed_text("delta")?;
                let body = if refused { Body::Refusal(String::new()) } else { Body::Text(String::new()) };
                self.open(number, Part::new(body), out);
                self.grow(number, Piece::Text(text), out);
            }
            "response.output_text.done" | "response.refusal.done" => {
                let number = number(&mut fields)?;
                let text = fields.text(if kind.contains("refusal") { "refusal" } else { "text" })?;
                if let Some(text) =
                    text.filter(|_| self.open.contains(&number) && !self.grown.contains(&number))
                {
                    self.grow(number, Piece::Text(text), out);
                }
            }
            "response.output_text.annotation.added" => {
                let number = number(&mut fields)?;
                if let Some(annotation) = fields.take("annotation") {
                    out.push(Event::Grow {
                        choice: 0,
                        part: number,
                        piece: Piece::Beside("annotations", annotation),
                    });
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let first = first(&mut fields)?;
                let text = fields.needed_text("delta")?;
                self.open(first, Part::new(Body::Reasoning(String::new())), out);
                self.grow(first, Piece::Text(text), out);
            }
            "response.reasoning_summary_part.added" => {
                let first = first(&mut fields)?;
                if self.grown.contains(&first) {
                    self.grow(first, Piece::Text(BETWEEN.to_owned()), out);
                }
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                let first = first(&mut fields)?;
                let text = fields.needed_text("delta")?;
                if self.open.contains(&first) {
                    self.grow(first, Piece::Arguments(text), out);
                } else {
                    self.held.entry(first).or_default().push_str(&text);
                }
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                let first = first(&mut fields)?;
                let text = fields.said(if kind.contains("custom") { "input" } else { "arguments" })?;
                if let Some(text) =
                    text.filter(|_| self.open.contains(&first) && !self.grown.contains(&first))
                {
                    self.grow(first, Piece::Arguments(text), out);
                }
            }
            // Progress, and what is new: the items tell what came of it.
            _ => {}
        }
        Ok(())
    }
}

impl ResponsesStream {
    fn open(&mut self, number: usize, begun: Part, out: &mut Vec<Event>) {
        if self.open.insert(number) {
            out.push(Event::Open { choice: 0, part: number, begun });
        }
    }

    fn grow(&mut self, number: usize, piece: Piece, out: &mut Vec<Event>) {
        self.grown.insert(number);
        out.push(Event::Grow { choice: 0, part: number, piece });
    }

    /// An item begins, or is told whole.
    fn item(&mut self, first: usize, item: Value, done: bool, out: &mut Vec<Event>) -> Result<(), Fault> {
        for (place, part) in said(item)?.into_iter().enumerate() {
            let number = first.saturating_add(place.min(PER_ITEM - 1));
            if self.closed.contains(&number) {
                continue;
            }
            if !self.open.contains(&number) {
                // What a provider's own tool does is told whole at its end.
                if done || !matches!(part.body, Body::ServerToolCall { .. } | Body::Generic { .. }) {
                    self.open(number, part, out);
                    // Where it is whole, what was held is a part of it.
                    let held = self.held.remove(&number).filter(|_| !done);
                    if let Some(text) = held {
                        self.grow(number, Piece::Arguments(text), out);
                    }
                }
            } else if done {
                self.whole(number, part, out);
            }
            if done {
                self.closed.insert(number);
                out.push(Event::Close { choice: 0, part: number });
            }
        }
        Ok(())
    }

    /// What the end of a part tells that its deltas did not.
    fn whole(&mut self, number: usize, part: Part, out: &mut Vec<Event>) {
        if let Some(Seal::Content(seal)) = part.seal {
            out.push(Event::Grow { choice: 0, part: number, piece: Piece::Sealed(seal) });
        }
        if self.grown.contains(&number) {
            return;
        }
        let piece = match part.body {
            Body::Text(text) | Body::Refusal(text) | Body::Reasoning(text) => Piece::Text(text),
            Body::ToolCall(Call { arguments: Arguments::Text(text), .. }) => Piece::Arguments(text),
            Body::ToolCall(Call { arguments: Arguments::Object(members), .. }) if !members.is_empty() => {
                Piece::Arguments(Value::Object(members).to_string())
            }
            _ => return,
        };
        self.grow(number, piece, out);
    }

    fn end(&mut self, mut fields: Fields, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut response = fields.object("response")?.unwrap_or_default();
        out.push(start(&mut response).within("response")?);
        for (place, item) in response.list("output").within("response")?.into_iter().enumerate() {
            self.item(place.saturating_mul(PER_ITEM), item, true, out)
                .at(place)
                .within("output")
                .within("response")?;
        }
        if let Some(stop) = stop(&mut response).within("response")? {
            out.push(Event::Stop { choice: 0, stop });
        }
        if let Some(error) = response.take("error") {
            out.push(Event::Failed(error));
        }
        out.push(Event::Done);
        Ok(())
    }
}

fn start(response: &mut Fields) -> Result<Event, Fault> {
    Ok(Event::Start { id: response.text("id")?, model: response.text("model")? })
}

fn tidy(mut part: Part) -> Part {
    part.rest.retain(|_, value| !matches!(value, Value::Array(list) if list.is_empty()));
    part
}

/// The number of an item's first part.
fn first(fields: &mut Fields) -> Result<usize, Fault> {
    let place = fields.count("output_index")?.unwrap_or(0);
    Ok(usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(PER_ITEM))
}

/// The number of a part within its item.
fn number(fields: &mut Fields) -> Result<usize, Fault> {
    let first = first(fields)?;
    let place = usize::try_from(fields.count("content_index")?.unwrap_or(0)).unwrap_or(usize::MAX);
    Ok(first.saturating_add(place.min(PER_ITEM - 1)))
}
