//! What requests of Chat Completions are made of, for who says them in another format (wire formats, sections 1.3 and 2.1).

use serde_json::Value;

use crate::canonical::{Fate, Form};
use Fate::{By, Dropped, Kept, Refused, Silent, Within};

pub(super) static FORM: Form = Form {
    name: "Chat Completions",
    system: "messages",
    messages: "messages",
    parts: Some("content"),
    beside_request: &[
        ("stream_options", Silent),
        (
            "response_format",
            Within(&[(
                "json_schema",
                Within(&[("description", Dropped("what a schema is said to be for"))]),
            )]),
        ),
        ("logprobs", Refused("the chances of tokens (logprobs)")),
        ("top_logprobs", By(chances)),
        ("logit_bias", Refused("a bias on tokens")),
        ("modalities", By(modalities)),
        ("audio", Refused("an answer that is spoken")),
        ("prediction", Dropped("a prediction of the answer")),
        ("web_search_options", Refused("a tool of the provider's")),
        ("moderation", Refused("moderation by the provider")),
        ("functions", Refused("tools in their oldest form")),
        ("function_call", Refused("tools in their oldest form")),
        ("service_tier", Dropped("the tier of service")),
        ("user", Dropped("who the user is")),
        ("safety_identifier", Dropped("who the user is")),
        ("metadata", Dropped("labels for the provider's records")),
        ("store", Dropped("that the provider keeps the answer")),
        ("prompt_cache_key", Dropped("where the prompt may be cached")),
        ("prompt_cache_options", Dropped("where the prompt may be cached")),
        ("prompt_cache_retention", Dropped("where the prompt may be cached")),
    ],
    beside_message: &[
        ("annotations", Dropped("citations")),
        ("audio", Kept("what the model said aloud, which the provider keeps")),
        ("function_call", Refused("a call in its oldest form")),
        // The same thought in the words of servers that imitate OpenAI.
        ("reasoning", Dropped("what the model thought")),
        ("reasoning_content", Dropped("what the model thought")),
        ("reasoning_details", Dropped("what the model thought")),
        ("extra_content", Dropped("a signature that only its provider can read")),
    ],
    beside_part: &[
        ("image_url", Within(&[("detail", By(detail))])),
        ("file", Within(&[("filename", Dropped("the name of a document"))])),
        ("prompt_cache_breakpoint", Dropped("where the prompt may be cached")),
        ("annotations", Dropped("citations")),
        ("extra_content", Dropped("a signature that only its provider can read")),
    ],
    beside_tool: &[("custom", Within(&[]))],
};

/// None at all is as if it were not there.
fn chances(value: &Value) -> Fate {
    if value.as_u64() == Some(0) { Silent } else { Refused("the chances of tokens (logprobs)") }
}

fn modalities(value: &Value) -> Fate {
    let is_text = value.as_array().is_some_and(|list| list.iter().all(|it| it == "text"));
    if is_text { Silent } else { Refused("an answer that is spoken") }
}

fn detail(value: &Value) -> Fate {
    if value == "auto" { Silent } else { Dropped("how closely a picture is looked at") }
}
