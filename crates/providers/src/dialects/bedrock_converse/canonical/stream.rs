//! The messages of a ConverseStream as canonical events. A block of text need not be opened; the last word comes after the reason to end.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{call, stop};
use crate::canonical::{Body, Event, Fault, Fields, Part, Piece, StreamReader, Within};

/// One answer.
#[derive(Default)]
pub(super) struct ConverseStream {
    open: BTreeSet<usize>,
}

impl StreamReader for ConverseStream {
    fn event(&mut self, name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(data)?;
        match name {
            "contentBlockStart" => {
                let part = index(&mut fields)?;
                let mut start = fields.object("start")?.unwrap_or_default();
                if let Some(mut tool) = start.object("toolUse").within("start")? {
                    let call = call(&mut tool).within("toolUse").within("start")?;
                    self.open(part, Part::new(Body::ToolCall(call)), out);
                }
            }
            "contentBlockDelta" => {
                let part = index(&mut fields)?;
                let delta = fields.object("delta")?.unwrap_or_default();
                self.delta(part, delta, out).within("delta")?;
            }
            "contentBlockStop" => out.push(Event::Close { choice: 0, part: index(&mut fields)? }),
            "messageStop" => {
                if let Some(word) = fields.said("stopReason")? {
                    out.push(Event::Stop { choice: 0, stop: stop(word) });
                }
            }
            "metadata" => out.push(Event::Done),
            // The start names the role, which is the model's, and what is new is not content.
            _ => {}
        }
        Ok(())
    }
}

impl ConverseStream {
    fn open(&mut self, part: usize, begun: Part, out: &mut Vec<Event>) {
        if self.open.insert(part) {
            out.push(Event::Open { choice: 0, part, begun });
        }
    }

    fn delta(&mut self, part: usize, mut delta: Fields, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut grow = |piece| out.push(Event::Grow { choice: 0, part, piece });
        if let Some(mut tool) = delta.object("toolUse")? {
            if let Some(more) = tool.said("input").within("toolUse")? {
                grow(Piece::Arguments(more));
            }
        } else if let Some(mut thought) = delta.object("reasoningContent")? {
            let text = thought.said("text").within("reasoningContent")?;
            let signature = thought.said("signature").within("reasoningContent")?;
            let hidden = thought.said("redactedContent").within("reasoningContent")?;
            self.open(part, Part::new(Body::Reasoning(String::new())), out);
            let pieces = [text.map(Piece::Text), signature.map(Piece::Signature), hidden.map(Piece::Sealed)];
            out.extend(pieces.into_iter().flatten().map(|piece| Event::Grow { choice: 0, part, piece }));
        } else if let Some(text) = delta.text("text")? {
            self.open(part, Part::text(""), out);
            out.push(Event::Grow { choice: 0, part, piece: Piece::Text(text) });
        } else if let Some(citation) = delta.take("citation") {
            grow(Piece::Beside("citations", citation));
        } else {
            grow(Piece::Beside("deltas", delta.whole()));
        }
        Ok(())
    }
}

fn index(fields: &mut Fields) -> Result<usize, Fault> {
    Ok(usize::try_from(fields.count("contentBlockIndex")?.unwrap_or(0)).unwrap_or(usize::MAX))
}
