//! Together (wire formats, section 1.10).

use crate::Service;
use crate::dialects::openai_chat::{OpenAiChat, Takes};
use crate::services::compatible::recognised;

static CHAT: OpenAiChat = OpenAiChat {
    finish: &[("eos", "stop")],
    takes: &Takes { schema: true, penalties: true, top_k: true, ..Takes::COMMON },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "together",
    otel_name: "together",
    hosts: &["api.together.xyz", "api.together.ai"],
    base_url: Some(("TOGETHER_BASE_URL", "/together/v1")),
    key_variable: "TOGETHER_API_KEY",
    speaks: &[
        ("openai_chat", "/v1/chat/completions"),
        ("openai_completions", "/v1/completions"),
        ("openai_embeddings", "/v1/embeddings"),
    ],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};
