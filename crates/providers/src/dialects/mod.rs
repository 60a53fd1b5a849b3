//! One folder per wire format, one line per folder in [`ALL`].

mod answer;
pub mod anthropic_messages;
mod aws_errors;
pub mod bedrock_converse;
pub mod bedrock_invoke;
pub mod cohere;
mod facts;
pub mod gemini;
pub mod gemini_interactions;
mod google_errors;
mod marks;
pub mod ollama;
pub mod openai_chat;
pub mod openai_completions;
mod openai_custom;
pub mod openai_embeddings;
mod openai_errors;
pub mod openai_media;
mod openai_models;
mod openai_names;
pub mod openai_realtime;
pub mod openai_responses;
mod openai_sockets;
pub(crate) mod openai_strict;
mod peek;

use crate::Dialect;

/// Every wire format of requests and answers. The contract suite runs over this list.
pub static ALL: [&dyn Dialect; 12] = [
    &openai_chat::OPENAI_CHAT,
    &openai_responses::OpenAiResponses,
    &openai_completions::OpenAiCompletions,
    &openai_embeddings::OpenAiEmbeddings,
    &openai_media::OpenAiMedia,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &gemini_interactions::GeminiInteractions,
    &bedrock_converse::BedrockConverse,
    &bedrock_invoke::CLAUDE,
    &cohere::Cohere,
    &ollama::Ollama,
];

/// Every wire format that is spoken over WebSockets. The contract suite for sockets runs over this list.
pub static SOCKETS: [&dyn Dialect; 2] =
    [&openai_responses::OpenAiResponses, &openai_realtime::OpenAiRealtime];
