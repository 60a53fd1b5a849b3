//! What requests of Gemini are made of, for who says them in another format (wire formats, section 1.8). Each member has two
//! spellings.

use serde_json::Value;

use crate::canonical::{Fate, Form};
use Fate::{By, Dropped, Kept, Refused, Silent, Within};

const SAFETY: Fate = By(safety);
const CACHED: Fate = Kept("a prompt that the provider keeps");
const TIER: Fate = Dropped("the tier of service");
const TOKENS: Fate = Refused("the chances of tokens (logprobs)");
const KINDS: Fate = By(modalities);
const SPOKEN: Fate = Refused("an answer that is spoken");
const DRAWN: Fate = Refused("an answer that is drawn");
const CLOSELY: Fate = Dropped("how closely a picture is looked at");
const FORM_OF_ANSWER: Fate = Dropped("the form of a tool's answer");
const NAMED: Fate = Within(&[("displayName", TITLE), ("display_name", TITLE)]);
const TITLE: Fate = Dropped("the name of a document");
const THOUGHTS: Fate = Within(&[
    ("includeThoughts", SHOWN),
    ("include_thoughts", SHOWN),
    ("thinkingBudget", Silent),
    ("thinking_budget", Silent),
]);
const SHOWN: Fate = Dropped("what is shown of the model's thoughts");
const GENERATION: Fate = Within(&[
    ("responseLogprobs", TOKENS),
    ("response_logprobs", TOKENS),
    ("logprobs", TOKENS),
    ("responseModalities", KINDS),
    ("response_modalities", KINDS),
    ("speechConfig", SPOKEN),
    ("speech_config", SPOKEN),
    ("imageConfig", DRAWN),
    ("image_config", DRAWN),
    ("mediaResolution", CLOSELY),
    ("media_resolution", CLOSELY),
    ("thinkingConfig", THOUGHTS),
    ("thinking_config", THOUGHTS),
]);

pub(super) static FORM: Form = Form {
    name: "Gemini",
    system: "systemInstruction.parts",
    messages: "contents",
    parts: Some("parts"),
    beside_request: &[
        ("generationConfig", GENERATION),
        ("generation_config", GENERATION),
        ("safetySettings", SAFETY),
        ("safety_settings", SAFETY),
        ("cachedContent", CACHED),
        ("cached_content", CACHED),
        ("continuationToken", Kept("an answer that the provider keeps")),
        ("continuation_token", Kept("an answer that the provider keeps")),
        ("labels", Dropped("labels for the provider's records")),
        ("serviceTier", TIER),
        ("service_tier", TIER),
        ("model", Silent),
    ],
    beside_message: &[],
    beside_part: &[
        ("videoMetadata", Refused("a part of a video")),
        ("video_metadata", Refused("a part of a video")),
        ("mediaResolution", CLOSELY),
        ("media_resolution", CLOSELY),
        ("partMetadata", Dropped("labels for the provider's records")),
        ("inlineData", NAMED),
        ("fileData", NAMED),
        ("functionResponse", Within(&[("scheduling", Refused("a call that is answered later"))])),
    ],
    beside_tool: &[
        ("response", FORM_OF_ANSWER),
        ("responseJsonSchema", FORM_OF_ANSWER),
        ("response_json_schema", FORM_OF_ANSWER),
        ("behavior", By(behavior)),
    ],
};

/// A filter that is looser than the provider's own is none that others lack.
fn safety(value: &Value) -> Fate {
    let is_off = |it: &Value| matches!(it["threshold"].as_str(), Some("BLOCK_NONE" | "OFF"));
    if value.as_array().is_some_and(|list| list.iter().all(is_off)) {
        Dropped("that the provider's filters are off")
    } else {
        Refused("filters of the provider's")
    }
}

fn modalities(value: &Value) -> Fate {
    let is_text = value.as_array().is_some_and(|list| list.iter().all(|it| it == "TEXT"));
    if is_text { Silent } else { Refused("an answer that is no text") }
}

fn behavior(value: &Value) -> Fate {
    if value == "BLOCKING" { Silent } else { Refused("a call that is answered later") }
}
