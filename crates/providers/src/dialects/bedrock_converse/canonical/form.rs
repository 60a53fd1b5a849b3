//! What requests of Converse are made of, for who says them in another format (wire formats, section 1.9).

use serde_json::Value;

use crate::canonical::{Fate, Form};
use Fate::{By, Dropped, Refused, Silent, Within};

pub(super) static FORM: Form = Form {
    name: "Converse",
    system: "system",
    messages: "messages",
    parts: Some("content"),
    beside_request: &[
        ("guardrailConfig", Refused("a guardrail")),
        ("promptVariables", Refused("a prompt that the provider keeps")),
        ("requestMetadata", Dropped("labels for the provider's records")),
        (
            "outputConfig",
            Within(&[("textFormat", Within(&[("description", Dropped("what a schema is said to be for"))]))]),
        ),
        ("performanceConfig", Dropped("the tier of service")),
        ("serviceTier", Dropped("the tier of service")),
        ("additionalModelResponseFieldPaths", Dropped("more of the answer than the format has")),
        (
            "additionalModelRequestFields",
            Within(&[
                ("top_k", Dropped("top-k sampling")),
                ("thinking", Dropped("how much to think")),
                ("reasoning_config", Dropped("how much to think")),
                ("anthropic_beta", Dropped("what is asked for by the name of a beta")),
            ]),
        ),
    ],
    beside_message: &[],
    beside_part: &[(
        "document",
        Within(&[
            ("name", Dropped("the name of a document")),
            ("context", Dropped("what is said of a document")),
            ("citations", By(citations)),
        ]),
    )],
    beside_tool: &[],
};

fn citations(value: &Value) -> Fate {
    if value["enabled"] == Value::Bool(true) { Dropped("citations") } else { Silent }
}
