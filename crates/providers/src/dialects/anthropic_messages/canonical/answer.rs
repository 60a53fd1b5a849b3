//! Messages out of the canonical form, whole and as events. Thoughts are left out: without its maker's signature a block of them
//! is refused when the app sends it back.

use outrigger_pricing::TokenUsage;
use serde_json::{Value, json};

use crate::OwnError;
use crate::canonical::{AnswerWriter, Asked, Begun, Block, Counts, Finish, Said, StreamWriter, object, sse};
use crate::dialects::anthropic_messages::errors;

/// Writes messages.
pub(crate) struct MessagesWriter;

impl AnswerWriter for MessagesWriter {
    fn call_prefix(&self) -> &'static str {
        "toolu_"
    }

    fn request_id(&self) -> Option<(&'static str, &'static str)> {
        Some(("request-id", "req_"))
    }

    fn answer(&self, said: &Said, asked: &Asked) -> Value {
        let content = said.blocks.iter().map(|(block, text)| match block {
            Block::Text | Block::Refusal => json!({"type": "text", "text": text, "citations": null}),
            Block::Call { id, name, .. } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": object(text)})
            }
        });
        let refused = said.joined(&Block::Refusal).is_some();
        let (reason, sequence) = word(&said.finish, refused);
        let content: Vec<Value> = content.collect();
        let usage = usage(Counts::of(&said.usage).as_ref());
        message(asked, &content, Some(reason), sequence, usage)
    }

    fn stream(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        // The input is told at once here, and the source tells it at its end: the last report counts.
        let message = message(asked, &[], None, None, usage(None));
        Box::new(MessageEvents { message, index: 0, open: Block::Text, refused: false })
    }

    fn resumed(&self, _asked: &Asked, begun: &Begun) -> Option<Box<dyn StreamWriter>> {
        let index = begun.grown["index"].as_u64()?;
        Some(Box::new(MessageEvents { message: Value::Null, index, open: Block::Text, refused: false }))
    }
}

fn message(
    asked: &Asked,
    content: &[Value],
    reason: Option<&str>,
    sequence: Option<&str>,
    usage: Value,
) -> Value {
    json!({
        "id": asked.id("msg_", ""), "type": "message", "role": "assistant", "model": asked.model, "content": content,
        "stop_reason": reason, "stop_sequence": sequence, "usage": usage,
    })
}

/// The word and the text that came up. A sequence that is not known is none.
fn word(finish: &Finish, refused: bool) -> (&'static str, Option<&str>) {
    match finish {
        Finish::End | Finish::Sequence(None) if refused => ("refusal", None),
        Finish::End | Finish::Sequence(None) => ("end_turn", None),
        Finish::Sequence(Some(text)) => ("stop_sequence", Some(text)),
        Finish::Length => ("max_tokens", None),
        Finish::Window => ("model_context_window_exceeded", None),
        Finish::ToolCalls => ("tool_use", None),
        Finish::Filtered => ("refusal", None),
    }
}

/// The input is the rest that no cache had part in. Both sides must be there: what is not known is zero here.
fn usage(counts: Option<&Counts>) -> Value {
    let Some(counts) = counts else {
        return json!({
            "input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0,
        });
    };
    let mut usage = json!({
        "input_tokens": counts.fresh.saturating_add(counts.tool_prompt),
        "cache_creation_input_tokens": counts.written(),
        "cache_read_input_tokens": counts.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.written_short, "ephemeral_1h_input_tokens": counts.written_long,
        },
        "output_tokens": counts.answer(),
    });
    if let Some(thinking) = counts.reasoning {
        usage["output_tokens_details"] = json!({"thinking_tokens": thinking});
    }
    usage
}

/// One streamed message.
struct MessageEvents {
    /// As it begins.
    message: Value,
    /// Of the block that is open, or comes next.
    index: u64,
    open: Block,
    refused: bool,
}

impl StreamWriter for MessageEvents {
    fn start(&mut self, out: &mut Vec<u8>) {
        let message = self.message.take();
        sse(Some("message_start"), &json!({"type": "message_start", "message": message}), out);
    }

    fn open(&mut self, block: &Block, out: &mut Vec<u8>) {
        self.refused |= *block == Block::Refusal;
        self.open = block.clone();
        let begun = match block {
            Block::Text | Block::Refusal => json!({"type": "text", "text": ""}),
            Block::Call { id, name, .. } => json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
        };
        let event = json!({"type": "content_block_start", "index": self.index, "content_block": begun});
        sse(Some("content_block_start"), &event, out);
    }

    fn grow(&mut self, text: &str, out: &mut Vec<u8>) {
        let delta = match &self.open {
            Block::Text | Block::Refusal => json!({"type": "text_delta", "text": text}),
            Block::Call { .. } => json!({"type": "input_json_delta", "partial_json": text}),
        };
        let event = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        sse(Some("content_block_delta"), &event, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let event = json!({"type": "content_block_stop", "index": self.index});
        sse(Some("content_block_stop"), &event, out);
        self.index += 1;
    }

    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>) {
        let (reason, sequence) = word(finish, self.refused);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let usage = self::usage(Counts::of(usage).as_ref());
        let event = json!({"type": "message_delta", "delta": delta, "usage": usage});
        sse(Some("message_delta"), &event, out);
        sse(Some("message_stop"), &json!({"type": "message_stop"}), out);
    }

    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>) {
        sse(Some("error"), &errors::value(error), out);
    }
}
