//! How those who speak Chat Completions differ from each other.

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::script::Usage;

/// What one of them does differently.
pub(crate) struct Style {
    /// What an id begins with.
    pub(crate) id: &'static str,
    /// The usage as it stands on the wire.
    pub(crate) usage: fn(&Told, &Usage) -> Value,
    /// Where a stream tells it.
    pub(crate) telling: Telling,
    /// What answers and chunks have beside the common members.
    pub(crate) dress: fn(&mut Value, &Told, Place),
    /// The member in which reasoning is shown.
    pub(crate) thoughts: Option<&'static str>,
    /// Frames before the first chunk.
    pub(crate) first: &'static [&'static str],
    /// A chunk without choices before the first.
    pub(crate) prompt_chunk: Option<fn() -> Value>,
    /// Bytes before an answer that is not streamed.
    pub(crate) lead: &'static str,
}

impl Style {
    /// The common members alone.
    pub(crate) const PLAIN: Style = Style {
        id: "chatcmpl-",
        usage: |_, used| plain_usage(used),
        telling: Telling::IfAsked,
        dress: |_, _, _| {},
        thoughts: None,
        first: &[],
        prompt_chunk: None,
        lead: "",
    };
}

/// Where a stream tells its usage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// In a chunk of its own if `stream_options.include_usage` asks for it, else nowhere.
    IfAsked,
    /// In a chunk of its own.
    OwnChunk,
    /// In the chunk that has the finish reason.
    LastChunk,
    /// In every chunk, as far as it has grown.
    EveryChunk,
    /// If asked: in every chunk with `continuous_usage_stats`, else in one of its own.
    Continuous,
    Nowhere,
}

impl Telling {
    /// What a request makes of it.
    pub(crate) fn of(self, ask: &Ask) -> Telling {
        match self {
            Telling::IfAsked | Telling::Continuous if !ask.include_usage => Telling::Nowhere,
            Telling::Continuous if ask.body["stream_options"]["continuous_usage_stats"] == true => {
                Telling::EveryChunk
            }
            Telling::IfAsked | Telling::Continuous => Telling::OwnChunk,
            other => other,
        }
    }
}

/// Which part of an answer is dressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The answer that is not streamed.
    Whole,
    /// The chunk with the role.
    First,
    Middle,
    /// The chunk with the finish reason.
    Last,
    /// The chunk that has the usage and no choices.
    Usage,
}

/// OpenAI's own.
pub(super) const OPENAI: Style = Style { usage: |_, used| usage(used), dress, ..Style::PLAIN };

/// Counts without details: cached tokens are inside the prompt, reasoning inside the completion.
pub(crate) fn plain_usage(used: &Usage) -> Value {
    let prompt = used.input + used.cache_read + used.cache_write_short + used.cache_write_long;
    let completion = used.output + used.reasoning;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// The same with the two details that most tell.
pub(crate) fn details(used: &Usage) -> Value {
    let mut usage = plain_usage(used);
    usage["prompt_tokens_details"] = json!({"cached_tokens": used.cache_read});
    usage["completion_tokens_details"] = json!({"reasoning_tokens": used.reasoning});
    usage
}

fn usage(used: &Usage) -> Value {
    let mut usage = plain_usage(used);
    usage["prompt_tokens_details"] = json!({
        "cached_tokens": used.cache_read,
        "cache_write_tokens": used.cache_write_short + used.cache_write_long,
        "audio_tokens": 0,
    });
    usage["completion_tokens_details"] = json!({
        "reasoning_tokens": used.reasoning, "audio_tokens": 0,
        "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
    });
    usage
}

fn dress(json: &mut Value, told: &Told, place: Place) {
    json["service_tier"] = json!(told.tier.as_deref().unwrap_or("default"));
    json["system_fingerprint"] = json!("fp_5b1c7a0e42");
    match place {
        Place::Whole => {
            json["choices"][0]["logprobs"] = Value::Null;
            json["choices"][0]["message"]["refusal"] = Value::Null;
            json["choices"][0]["message"]["annotations"] = json!([]);
        }
        Place::Usage => json["obfuscation"] = json!(""),
        Place::First | Place::Middle | Place::Last => {
            json["choices"][0]["logprobs"] = Value::Null;
            if place == Place::First {
                json["choices"][0]["delta"]["refusal"] = Value::Null;
            }
            json["obfuscation"] = json!("padding");
        }
    }
}
