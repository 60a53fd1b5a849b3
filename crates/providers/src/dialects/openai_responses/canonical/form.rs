//! What requests of Responses are made of, for who says them in another format (wire formats, sections 1.4 and 2.6).

use serde_json::Value;

use crate::canonical::{Fate, Form};
use Fate::{By, Dropped, Kept, Refused, Silent, Within};

pub(super) static FORM: Form = Form {
    name: "Responses",
    system: "instructions",
    messages: "input",
    parts: None,
    beside_request: &[
        ("previous_response_id", Kept("an answer that the provider keeps")),
        ("conversation", Kept("a conversation that the provider keeps")),
        ("background", Kept("an answer that is fetched later")),
        ("prompt", Kept("a prompt that the provider keeps")),
        ("store", Dropped("that the provider keeps the answer")),
        ("include", By(include)),
        ("truncation", By(truncation)),
        ("context_management", Refused("a history that the provider shortens")),
        ("max_tool_calls", Dropped("how many calls the provider may make")),
        ("top_logprobs", By(chances)),
        (
            "reasoning",
            Within(&[
                ("summary", Dropped("what is shown of the model's thoughts")),
                ("generate_summary", Dropped("what is shown of the model's thoughts")),
                ("context", Dropped("which thoughts the model goes on with")),
                ("mode", Dropped("how the model thinks")),
            ]),
        ),
        (
            "text",
            Within(&[("format", Within(&[("description", Dropped("what a schema is said to be for"))]))]),
        ),
        ("stream_options", Silent),
        ("background_options", Silent),
        ("service_tier", Dropped("the tier of service")),
        ("user", Dropped("who the user is")),
        ("safety_identifier", Dropped("who the user is")),
        ("metadata", Dropped("labels for the provider's records")),
        ("client_metadata", Dropped("labels for the provider's records")),
        ("prompt_cache_key", Dropped("where the prompt may be cached")),
        ("prompt_cache_options", Dropped("where the prompt may be cached")),
        ("prompt_cache_retention", Dropped("where the prompt may be cached")),
    ],
    beside_message: &[
        ("id", Silent),
        ("status", Silent),
        ("phase", Dropped("whether a message was the last one")),
    ],
    beside_part: &[
        // Of items that are parts themselves.
        ("id", Silent),
        ("status", Silent),
        ("phase", Dropped("whether a message was the last one")),
        ("created_by", Silent),
        ("namespace", Refused("a call of a tool that is loaded later")),
        ("caller", By(caller)),
        ("async", Refused("a call that is answered later")),
        ("detail", By(detail)),
        ("filename", Dropped("the name of a document")),
        ("annotations", Dropped("citations")),
        ("logprobs", Silent),
        ("prompt_cache_breakpoint", Dropped("where the prompt may be cached")),
    ],
    beside_tool: &[
        ("defer_loading", Refused("a tool that is loaded later")),
        ("allowed_callers", Refused("a tool that the provider's programs call")),
    ],
};

fn include(value: &Value) -> Fate {
    let thoughts = |it: &Value| it == "reasoning.encrypted_content";
    if value.as_array().is_some_and(|list| list.iter().all(thoughts)) {
        Dropped("what only its provider can read, in the answer")
    } else {
        Refused("more of the answer than others give")
    }
}

fn truncation(value: &Value) -> Fate {
    if value == "disabled" { Silent } else { Dropped("that a history too long is shortened") }
}

fn chances(value: &Value) -> Fate {
    if value.as_u64() == Some(0) { Silent } else { Refused("the chances of tokens (logprobs)") }
}

fn caller(value: &Value) -> Fate {
    if value == "direct" || value["type"] == "direct" {
        Silent
    } else {
        Refused("a call by a program of the provider's")
    }
}

fn detail(value: &Value) -> Fate {
    if value == "auto" { Silent } else { Dropped("how closely a picture is looked at") }
}
