//! Fireworks (wire formats, section 1.10): OpenAI's format and Anthropic's under a prefix.

use crate::Service;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::services::compatible::recognised;

pub(super) static SERVICE: Service = Service {
    id: "fireworks",
    otel_name: "fireworks",
    hosts: &["api.fireworks.ai"],
    key_variable: "FIREWORKS_API_KEY",
    key_headers: &["authorization", "x-api-key"],
    recognise: |method, path| recognised(&OPENAI_CHAT, method, path),
    ..Service::ROW
};
