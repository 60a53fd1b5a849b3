//! Hosts that an operator lists: gateways, private endpoints and servers of one's own that speak a known wire format.
//! What they are called is not known here, so their models have no built-in price.

use http::Method;

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::gemini::Gemini;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_realtime::OpenAiRealtime;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::services::gemini;
use crate::{Addressed, Dialect, Operation, Recognised, Service};

/// The service of every operator-listed host; it has no hosts of its own.
pub static OPERATOR_LISTED: Service = Service {
    id: "operator_listed",
    otel_name: "operator_listed",
    key_variable: "OPENAI_API_KEY",
    key_headers: &["authorization", "api-key", "x-api-key", "x-goog-api-key"],
    key_parameter: Some("key"),
    recognise,
    addressed,
    recognise_socket,
    ..Service::ROW
};

/// By the end of the path: such hosts put the API under prefixes of their own.
fn recognise(method: &Method, path: &str) -> Recognised {
    let (dialect, operation): (&'static dyn Dialect, _) = match *method {
        Method::POST if path.ends_with("/chat/completions") => (&OPENAI_CHAT, Operation::Chat),
        Method::POST if path.ends_with("/responses") => (&OpenAiResponses, Operation::Chat),
        Method::POST if path.ends_with("/v1/messages") => (&AnthropicMessages, Operation::Chat),
        Method::POST => match gemini_target(path) {
            Some((_, method)) => (&Gemini, gemini::operation(method)),
            None => (&OPENAI_CHAT, Operation::Other),
        },
        _ => (&OPENAI_CHAT, Operation::Other),
    };
    Recognised { dialect, operation }
}

/// Model and method of `…/models/MODEL:METHOD`.
fn gemini_target(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once("/models/")?
        .1
        .rsplit_once(':')
        .filter(|(_, method)| gemini::operation(method) != Operation::Other)
}

fn addressed(_host: &str, path: &str) -> Addressed {
    match gemini_target(path) {
        Some((model, method)) => Addressed {
            model: Some(model.to_owned()),
            stream: Some(method == "streamGenerateContent"),
            ..Addressed::default()
        },
        None => Addressed::default(),
    }
}

fn recognise_socket(path: &str) -> Option<Recognised> {
    let dialect: &'static dyn Dialect = match path {
        path if path.ends_with("/responses") => &OpenAiResponses,
        path if path.ends_with("/realtime") => &OpenAiRealtime,
        _ => return None,
    };
    Some(Recognised { dialect, operation: Operation::Chat })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_are_recognised_under_any_prefix() {
        let operation = |path| recognise(&Method::POST, path).operation;
        assert_eq!(operation("/gateway/team-a/v1/chat/completions"), Operation::Chat);
        assert_eq!(operation("/openai/responses"), Operation::Chat);
        assert_eq!(operation("/v1/messages"), Operation::Chat);
        assert_eq!(operation("/v1/models"), Operation::Other);
        let gemini = "/google/v1beta/models/gemini-3.5-flash:streamGenerateContent";
        assert_eq!(operation(gemini), Operation::GenerateContent);
        assert_eq!(addressed("", gemini).model.as_deref(), Some("gemini-3.5-flash"));
        assert_eq!(addressed("", gemini).stream, Some(true));
        let socket = |path| recognise_socket(path).map(|recognised| recognised.dialect.name());
        assert_eq!(socket("/gateway/v1/realtime"), Some("openai_realtime"));
        assert_eq!(socket("/openai/v1/responses"), Some("openai_responses"));
        assert_eq!(socket("/v1/chat/completions"), None);
    }
}
