//! The wire formats as templates, one folder each. What a provider adds to a format that it shares stands in `providers`.

pub(crate) mod anthropic_messages;
pub(crate) mod bedrock;
pub(crate) mod cohere;
pub(crate) mod gemini;
pub(crate) mod gemini_interactions;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod openai_audio;
pub(crate) mod openai_chat;
pub(crate) mod openai_completions;
pub(crate) mod openai_embeddings;
pub(crate) mod openai_files;
pub(crate) mod openai_images;
pub(crate) mod openai_realtime;
pub(crate) mod openai_responses;

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

/// The content type of most streams.
pub(crate) const EVENTS: &str = "text/event-stream; charset=utf-8";

/// An answer in both of its forms.
pub(crate) struct Parts {
    /// Not streamed.
    pub(crate) whole: Whole,
    /// Streamed, event by event; empty where the path does not stream.
    pub(crate) events: Vec<Bytes>,
    /// Which of the events are content.
    pub(crate) deltas: Range<usize>,
    /// The content type of the stream.
    pub(crate) stream_type: &'static str,
}

/// An answer that is not streamed.
pub(crate) enum Whole {
    Json(Value),
    /// Bytes of another content type.
    Raw(&'static str, Bytes),
}

impl Parts {
    /// An answer that never streams.
    pub(crate) fn plain(whole: Value) -> Parts {
        Parts { whole: Whole::Json(whole), events: Vec::new(), deltas: 0..0, stream_type: EVENTS }
    }

    /// An answer that may come as server-sent events.
    pub(crate) fn streamed(whole: Value, events: Vec<Bytes>, deltas: Range<usize>) -> Parts {
        Parts { whole: Whole::Json(whole), events, deltas, stream_type: EVENTS }
    }
}

/// The name of the first tool that a request offers.
pub(crate) fn first_tool(request: &Value) -> Option<String> {
    let tool = &request["tools"][0];
    [
        &tool["name"],
        &tool["function"]["name"],
        &tool["functionDeclarations"][0]["name"],
        &request["toolConfig"]["tools"][0]["toolSpec"]["name"],
    ]
    .into_iter()
    .find_map(|name| name.as_str().map(str::to_owned))
}

/// Pieces of a text that join to it again: a word with the space behind it.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// `data:` alone, as OpenAI's chat streams.
pub(crate) fn unnamed(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// `event:` and `data:`, the name being the data's type.
pub(crate) fn named(data: &Value) -> Bytes {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()).into()
}
