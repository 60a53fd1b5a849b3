//! OpenAI's paths as others serve them: under prefixes of their own, each with the formats it has.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::openai_completions::OpenAiCompletions;
use crate::dialects::openai_embeddings::OpenAiEmbeddings;
use crate::dialects::openai_media::OpenAiMedia;
use crate::dialects::openai_realtime::OpenAiRealtime;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::{Dialect, Operation, Recognised};

/// Recognises OpenAI's paths under any prefix; `chat` is the service's own row of that format.
pub(super) fn recognised(chat: &'static dyn Dialect, method: &Method, path: &str) -> Recognised {
    let other = Recognised { dialect: chat, operation: Operation::Other };
    if method != Method::POST {
        return other;
    }
    let ends = |end: &str| path.ends_with(end);
    let (dialect, operation): (&'static dyn Dialect, _) = if ends("/chat/completions") {
        (chat, Operation::Chat)
    } else if ends("/responses") {
        (&OpenAiResponses, Operation::Chat)
    } else if ends("/v1/messages") {
        (&AnthropicMessages, Operation::Chat)
    } else if ends("/v1/messages/count_tokens") {
        (&AnthropicMessages, Operation::CountTokens)
    } else if ends("/embeddings") {
        (&OpenAiEmbeddings, Operation::Embeddings)
    } else if ends("/completions") {
        (&OpenAiCompletions, Operation::TextCompletion)
    } else if ends("/images/generations") || ends("/images/edits") || ends("/images/variations") {
        (&OpenAiMedia, Operation::Image)
    } else if ends("/audio/transcriptions") || ends("/audio/translations") {
        (&OpenAiMedia, Operation::Transcription)
    } else if ends("/audio/speech") {
        (&OpenAiMedia, Operation::Speech)
    } else {
        return other;
    };
    Recognised { dialect, operation }
}

/// Recognises OpenAI's WebSockets under any prefix.
pub(super) fn recognised_socket(path: &str) -> Option<Recognised> {
    let dialect: &'static dyn Dialect = match path {
        path if path.ends_with("/responses") => &OpenAiResponses,
        path if path.ends_with("/realtime") => &OpenAiRealtime,
        _ => return None,
    };
    Some(Recognised { dialect, operation: Operation::Chat })
}
