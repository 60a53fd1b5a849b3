//! What requests of Messages are made of, for who says them in another format (wire formats, section 1.7).

use serde_json::Value;

use crate::canonical::{Fate, Form};
use Fate::{By, Dropped, Kept, Refused, Silent, Within};

pub(crate) static FORM: Form = Form {
    name: "Messages",
    system: "system",
    messages: "messages",
    parts: Some("content"),
    beside_request: &[
        // The version of the body's meaning, where it does not stand in a header.
        ("anthropic_version", Silent),
        ("anthropic_beta", Dropped("what is asked for by the name of a beta")),
        ("metadata", Dropped("who the user is")),
        ("service_tier", Dropped("the tier of service")),
        ("speed", Dropped("the tier of service")),
        ("inference_geo", Refused("where the call may be processed")),
        ("container", Kept("a container that the provider keeps")),
        ("thread", Kept("a conversation that the provider keeps")),
        ("mcp_servers", Refused("servers that the provider calls")),
        ("context_management", Refused("a history that the provider shortens")),
        ("fallbacks", Dropped("what the provider falls back to")),
        ("cache_control", Dropped("where the prompt may be cached")),
        (
            "thinking",
            Within(&[
                ("display", Dropped("what is shown of the model's thoughts")),
                ("type", Silent),
                ("budget_tokens", Silent),
            ]),
        ),
        ("output_config", Within(&[("task_budget", Dropped("how much the whole task may take"))])),
        ("output_format", Refused("the form of the answer, in its oldest form")),
    ],
    beside_message: &[],
    beside_part: &[
        ("citations", By(citations)),
        ("title", Dropped("the name of a document")),
        ("context", Dropped("what is said of a document")),
        ("source", Silent),
        ("caller", By(caller)),
    ],
    beside_tool: &[
        ("defer_loading", Refused("a tool that is loaded later")),
        ("allowed_callers", By(callers)),
        ("eager_input_streaming", Dropped("that arguments come unchecked")),
        ("input_examples", Dropped("examples of arguments")),
    ],
};

/// In a document they are asked for, in a text they are given.
fn citations(value: &Value) -> Fate {
    let is_off = value["enabled"] == Value::Bool(false);
    if is_off { Silent } else { Dropped("citations") }
}

fn caller(value: &Value) -> Fate {
    if value["type"] == "direct" { Silent } else { Refused("a call by a program of the provider's") }
}

fn callers(value: &Value) -> Fate {
    let is_direct = value.as_array().is_some_and(|list| list.iter().all(|it| it == "direct"));
    if is_direct { Silent } else { Refused("a tool that the provider's programs call") }
}
