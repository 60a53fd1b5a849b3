//! What requests of Converse are made of, for who says them in another format (wire formats, section 1.9).

use crate::canonical::{Fate, Form};
use Fate::{Dropped, Refused, Within};

pub(super) static FORM: Form = Form {
    name: "Converse",
    system: "system",
    messages: "messages",
    parts: Some("content"),
    beside_request: &[
        ("guardrailConfig", Refused("a guardrail")),
        ("promptVariables", Refused("a prompt that the provider keeps")),
        ("requestMetadata", Dropped("labels for the provider's records")),
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
    beside_part: &[],
    beside_tool: &[],
};
