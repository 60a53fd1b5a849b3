//! Fireworks (wire formats, section 1.10): OpenAI's format and Anthropic's under a prefix.

use crate::Service;
use crate::dialects::openai_chat::{OpenAiChat, TakenEffort, Takes};
use crate::services::compatible::recognised;

static CHAT: OpenAiChat = OpenAiChat {
    takes: &Takes {
        parallel: true,
        schema: true,
        effort: TakenEffort::Steps(&["low", "medium", "high"]),
        penalties: true,
        top_k: true,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "fireworks",
    otel_name: "fireworks",
    hosts: &["api.fireworks.ai"],
    key_variable: "FIREWORKS_API_KEY",
    key_headers: &["authorization", "x-api-key"],
    speaks: &[
        ("openai_chat", "/inference/v1/chat/completions"),
        ("openai_completions", "/inference/v1/completions"),
        ("openai_embeddings", "/inference/v1/embeddings"),
    ],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};
