//! Ollama's native format: lines of JSON, the last of which is done; a stream unless asked otherwise.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::openai_embeddings::{texts, vector};
use crate::formats::{Parts, Whole, words};
use crate::script::{ErrorKind, Usage};

const CREATED: &str = "2026-11-16T12:00:00.123456789Z";

/// Counts and times, nanoseconds; a count of nothing is left out.
fn measured(line: &mut Value, used: &Usage) {
    for (name, nanoseconds) in [
        ("total_duration", 4_883_583_458_u64),
        ("load_duration", 1_334_875),
        ("prompt_eval_duration", 342_546_000),
        ("eval_duration", 4_535_599_000),
    ] {
        line[name] = json!(nanoseconds);
    }
    for (name, count) in
        [("prompt_eval_count", used.input + used.cache_read), ("eval_count", used.output + used.reasoning)]
    {
        if count > 0 {
            line[name] = json!(count);
        }
    }
}

fn line(json: &Value) -> Bytes {
    format!("{json}\n").into()
}

fn lines(whole: Value, events: Vec<Bytes>, deltas: std::ops::Range<usize>) -> Parts {
    Parts { whole: Whole::Json(whole), events, deltas, stream_type: "application/x-ndjson" }
}

/// `chat`: the text in a message; else, of `generate`, in `response`.
pub(crate) fn answer(told: &Told, chat: bool) -> Parts {
    let piece = |text: &str, done: bool| {
        let mut line = json!({"model": told.model, "created_at": CREATED, "done": done});
        if chat {
            line["message"] = json!({"role": "assistant", "content": text});
        } else {
            line["response"] = json!(text);
        }
        if done {
            line["done_reason"] = json!("stop");
            if let Some(used) = &told.usage {
                measured(&mut line, used);
            }
        }
        line
    };
    let mut events: Vec<Bytes> =
        words(&told.text).into_iter().map(|word| line(&piece(word, false))).collect();
    let deltas = 0..events.len();
    events.push(line(&piece("", true)));
    lines(piece(&told.text, true), events, deltas)
}

pub(crate) fn embed(ask: &Ask, told: &Told) -> Parts {
    let vectors: Vec<_> = (0..texts(&ask.body["input"])).map(|place| vector(place, 8)).collect();
    let mut whole = json!({"model": told.model, "embeddings": vectors, "total_duration": 14_143_917, "load_duration": 1_019_500});
    if let Some(used) = &told.usage {
        whole["prompt_eval_count"] = json!(used.input);
    }
    Parts::plain(whole)
}

pub(crate) fn error(kind: ErrorKind) -> (u16, Value) {
    let (status, message) = match kind {
        ErrorKind::Authentication => (401, "unauthorized"),
        ErrorKind::Permission => (403, "this model requires a subscription"),
        ErrorKind::NotFound => (404, "model 'house-9' not found"),
        ErrorKind::RateLimit => (429, "too many concurrent requests"),
        ErrorKind::Quota => (429, "you've reached your weekly usage limit, please upgrade to continue"),
        ErrorKind::ContextLength => (400, "the input length exceeds the context length"),
        ErrorKind::InvalidRequest => (400, "missing request body"),
        ErrorKind::TooLarge => (413, "request body too large"),
        ErrorKind::Overloaded => (503, "server busy, please try again. maximum pending requests exceeded"),
        ErrorKind::ServerError => (500, "unexpected server error"),
    };
    (status, json!({"error": message}))
}

/// An error among the lines.
pub(crate) fn error_line(body: &Value) -> Bytes {
    line(body)
}
