//! One folder per wire format, one line per folder in [`ALL`].

pub mod anthropic_messages;
mod facts;
pub mod gemini;
pub mod gemini_interactions;
mod google_errors;
mod marks;
pub mod openai_chat;
mod openai_errors;
pub mod openai_realtime;
pub mod openai_responses;
mod openai_sockets;

use crate::Dialect;

/// Every wire format of requests and answers. The contract suite runs over this list.
pub static ALL: [&dyn Dialect; 5] = [
    &openai_chat::OPENAI_CHAT,
    &openai_responses::OpenAiResponses,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &gemini_interactions::GeminiInteractions,
];

/// Every wire format that is spoken over WebSockets. The contract suite for sockets runs over this list.
pub static SOCKETS: [&dyn Dialect; 2] =
    [&openai_responses::OpenAiResponses, &openai_realtime::OpenAiRealtime];
