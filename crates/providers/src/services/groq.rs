//! Groq (wire formats, section 1.10). Its streams carry the usage in a member of their own, whether or not it was asked
//! for.

use crate::dialects::openai_chat::{OpenAiChat, TakenEffort, Takes, chunk_with};
use crate::services::compatible::recognised;
use crate::{FailureClass, Service, StreamedUsage};

static CHAT: OpenAiChat = OpenAiChat {
    chunk: &chunk_with(&["x_groq", "usage"], &["x_groq", "error"]),
    codes: &[
        ("tool_use_failed", FailureClass::Malformed),
        ("capacity_exceeded", FailureClass::Overloaded),
        ("blocked_api_access", FailureClass::Quota),
    ],
    // Flex capacity is used up; the client called the request off.
    statuses: &[(498, FailureClass::Overloaded), (499, FailureClass::Other)],
    takes: &Takes {
        newest_bound: true,
        parallel: true,
        schema: true,
        effort: TakenEffort::Steps(&["low", "medium", "high"]),
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "groq",
    otel_name: "groq",
    hosts: &["api.groq.com"],
    base_url: Some(("GROQ_BASE_URL", "/groq")),
    key_variable: "GROQ_API_KEY",
    streamed_usage: StreamedUsage::Unasked,
    speaks: &[("openai_chat", "/openai/v1/chat/completions"), ("openai_responses", "/openai/v1/responses")],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};
