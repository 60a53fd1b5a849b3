//! One folder per wire format, one line per folder in [`ALL`].

pub mod anthropic_messages;
mod facts;
pub mod gemini;
pub mod gemini_interactions;
mod google_errors;
mod marks;
pub mod openai_chat;
mod openai_errors;
pub mod openai_responses;

use crate::Dialect;

/// Every wire format. The contract suite runs over this list.
pub static ALL: [&dyn Dialect; 5] = [
    &openai_chat::OPENAI_CHAT,
    &openai_responses::OpenAiResponses,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &gemini_interactions::GeminiInteractions,
];
