//! Converse's answers out of the canonical form, whole and as messages in AWS's framing. The usage comes last.

use outrigger_pricing::TokenUsage;
use serde_json::{Value, json};

use crate::OwnError;
use crate::canonical::{AnswerWriter, Asked, Block, Counts, Finish, Said, StreamWriter, object};
use crate::dialects::aws_errors;
use crate::framing::write_message;

/// Writes Converse's answers. The model is not named in them.
pub(crate) struct ConverseWriter;

impl AnswerWriter for ConverseWriter {
    fn call_prefix(&self) -> &'static str {
        "tooluse_"
    }

    fn request_id(&self) -> Option<(&'static str, &'static str)> {
        Some(("x-amzn-requestid", ""))
    }

    fn answer(&self, said: &Said, _asked: &Asked) -> Value {
        let content = said.blocks.iter().map(|(block, text)| match block {
            Block::Text | Block::Refusal => json!({"text": text}),
            Block::Call { id, name, .. } => {
                json!({"toolUse": {"toolUseId": id, "name": name, "input": object(text)}})
            }
        });
        let content: Vec<Value> = content.collect();
        json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": word(&said.finish),
            "usage": usage(&said.usage),
            "metrics": {"latencyMs": 0},
        })
    }

    fn stream_type(&self, _asked: &Asked) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn stream(&self, _asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(ConverseMessages { index: 0, open: Block::Text })
    }
}

fn word(finish: &Finish) -> &'static str {
    match finish {
        Finish::End => "end_turn",
        Finish::Sequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::Window => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "content_filtered",
    }
}

/// The input is the rest that no cache had part in. Both sides must be there: what is not known is zero here.
fn usage(usage: &TokenUsage) -> Value {
    let Some(counts) = Counts::of(usage) else {
        return json!({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0});
    };
    let mut usage = json!({
        "inputTokens": counts.fresh.saturating_add(counts.tool_prompt),
        "outputTokens": counts.answer(),
        "totalTokens": counts.total(),
        "cacheReadInputTokens": counts.cache_read,
        "cacheWriteInputTokens": counts.written(),
    });
    if counts.written() > 0 {
        let lasting = [("5m", counts.written_short), ("1h", counts.written_long)];
        let lasting = lasting.into_iter().filter(|(_, count)| *count > 0);
        usage["cacheDetails"] =
            lasting.map(|(ttl, count)| json!({"ttl": ttl, "inputTokens": count})).collect();
    }
    usage
}

/// One streamed answer.
struct ConverseMessages {
    /// Of the block that is open, or comes next.
    index: u64,
    open: Block,
}

fn event(name: &str, payload: &Value, out: &mut Vec<u8>) {
    write_message("event", name, payload.to_string().as_bytes(), out);
}

impl StreamWriter for ConverseMessages {
    fn start(&mut self, out: &mut Vec<u8>) {
        event("messageStart", &json!({"role": "assistant"}), out);
    }

    fn open(&mut self, block: &Block, out: &mut Vec<u8>) {
        self.open = block.clone();
        // A text begins with its first delta.
        if let Block::Call { id, name, .. } = block {
            let start = json!({"toolUse": {"toolUseId": id, "name": name}});
            event("contentBlockStart", &json!({"start": start, "contentBlockIndex": self.index}), out);
        }
    }

    fn grow(&mut self, text: &str, out: &mut Vec<u8>) {
        let delta = match &self.open {
            Block::Text | Block::Refusal => json!({"text": text}),
            Block::Call { .. } => json!({"toolUse": {"input": text}}),
        };
        event("contentBlockDelta", &json!({"delta": delta, "contentBlockIndex": self.index}), out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        event("contentBlockStop", &json!({"contentBlockIndex": self.index}), out);
        self.index += 1;
    }

    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>) {
        event("messageStop", &json!({"stopReason": word(finish)}), out);
        event("metadata", &json!({"usage": self::usage(usage), "metrics": {"latencyMs": 0}}), out);
    }

    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>) {
        let name = aws_errors::in_stream(error.class);
        write_message("exception", name, json!({"message": error.message}).to_string().as_bytes(), out);
    }
}
