//! Cerebras: OpenAI's format, with times beside the usage.

use crate::dialects::openai_chat::{OpenAiChat, TakenEffort, Takes};
use crate::services::compatible::recognised;
use crate::{FailureClass, Service};

static CHAT: OpenAiChat = OpenAiChat {
    codes: &[
        ("queue_exceeded", FailureClass::Overloaded),
        ("too_many_requests_error", FailureClass::RateLimit),
        ("wrong_api_key", FailureClass::Authentication),
    ],
    takes: &Takes {
        newest_bound: true,
        parallel: true,
        strict: true,
        effort: TakenEffort::Steps(&["low", "medium", "high"]),
        image_urls: false,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "cerebras",
    otel_name: "cerebras",
    hosts: &["api.cerebras.ai"],
    key_variable: "CEREBRAS_API_KEY",
    speaks: &[("openai_chat", "/v1/chat/completions"), ("openai_completions", "/v1/completions")],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};
