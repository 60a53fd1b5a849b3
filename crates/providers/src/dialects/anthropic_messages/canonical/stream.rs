//! The events of a streamed message as canonical events: blocks have numbers of their own already.

use serde_json::Value;

use super::{block, stop};
use crate::canonical::{Event, Fault, Fields, Piece, StreamReader, Within};

/// One answer. Nothing need be remembered: every event names its block.
pub(super) struct MessagesStream;

impl StreamReader for MessagesStream {
    fn event(&mut self, name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault> {
        let mut fields = Fields::of(data)?;
        let kind = match fields.peek("type") {
            "" => name.to_owned(),
            kind => kind.to_owned(),
        };
        match kind.as_str() {
            "message_start" => {
                let mut message = fields.object("message")?.unwrap_or_default();
                let id = message.text("id").within("message")?;
                let model = message.text("model").within("message")?;
                out.push(Event::Start { id, model });
                // An answer without any block is one all the same.
                for (part, value) in message.list("content").within("message")?.into_iter().enumerate() {
                    let begun = block(value).at(part).within("content").within("message")?;
                    out.push(Event::Open { choice: 0, part, begun });
                }
            }
            "content_block_start" => {
                let part = index(&mut fields)?;
                let value = fields.take("content_block").ok_or(Fault::new("is missing"));
                let begun = value.and_then(block).within("content_block")?;
                out.push(Event::Open { choice: 0, part, begun });
            }
            "content_block_delta" => {
                let part = index(&mut fields)?;
                let delta = fields.object("delta")?.ok_or(Fault::new("is missing"));
                if let Some(piece) = delta.and_then(piece).within("delta")? {
                    out.push(Event::Grow { choice: 0, part, piece });
                }
            }
            "content_block_stop" => out.push(Event::Close { choice: 0, part: index(&mut fields)? }),
            "message_delta" => {
                let mut delta = fields.object("delta")?.unwrap_or_default();
                if let Some(stop) = stop(&mut delta).within("delta")? {
                    out.push(Event::Stop { choice: 0, stop });
                }
            }
            "message_stop" => out.push(Event::Done),
            "error" => out.push(Event::Failed(fields.whole())),
            // Pings, and what is new: an event is not content.
            _ => {}
        }
        Ok(())
    }
}

fn index(fields: &mut Fields) -> Result<usize, Fault> {
    let index = fields.count("index")?.ok_or(Fault::new("is missing")).within("index")?;
    Ok(usize::try_from(index).unwrap_or(usize::MAX))
}

/// What a block grows by.
fn piece(mut delta: Fields) -> Result<Option<Piece>, Fault> {
    Ok(match delta.peek("type") {
        "text_delta" => delta.said("text")?.map(Piece::Text),
        "thinking_delta" => delta.said("thinking")?.map(Piece::Text),
        "input_json_delta" => delta.said("partial_json")?.map(Piece::Arguments),
        "signature_delta" => delta.said("signature")?.map(Piece::Signature),
        "citations_delta" => delta.take("citation").map(|citation| Piece::Beside("citations", citation)),
        _ => Some(Piece::Beside("deltas", delta.whole())),
    })
}
