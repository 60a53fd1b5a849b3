//! Messages in the conventions' form.

use outrigger_providers::canonical::{
    Answer, Arguments, Body, Call, Choice, Message, Part, StopReason, Tool,
};
use serde_json::{Map, Value, json};

/// One message of the conversation.
pub(super) fn message(message: Message) -> Value {
    let mut shown = object([("role", message.role.as_str().into()), ("parts", parts(message.parts).into())]);
    put(&mut shown, "name", message.name);
    Value::Object(shown)
}

/// One message per choice of an answer.
pub(super) fn choices(answer: Answer) -> Vec<Value> {
    answer.choices.into_iter().map(choice).collect()
}

fn choice(choice: Choice) -> Value {
    let reason = choice.stop.map(|stop| finish_reason(&stop.reason));
    let mut shown = object([("role", "assistant".into()), ("parts", parts(choice.parts).into())]);
    put(&mut shown, "finish_reason", reason.flatten().map(str::to_owned));
    Value::Object(shown)
}

/// The conventions' word; readers of before they deprecated it want it here. What means none of their words has none.
const fn finish_reason(reason: &StopReason) -> Option<&'static str> {
    match reason {
        StopReason::End | StopReason::Sequence(_) => Some("stop"),
        StopReason::Length | StopReason::Window => Some("length"),
        StopReason::ToolCalls => Some("tool_call"),
        StopReason::Filtered => Some("content_filter"),
        StopReason::MalformedCall => Some("error"),
        StopReason::Paused | StopReason::Unknown => None,
    }
}

/// A tool without its description and schema: they are long, the same in every call, and no conversation.
pub(super) fn tool(tool: Tool) -> Value {
    let mut shown = object([("type", tool.kind.as_str().into())]);
    put(&mut shown, "name", Some(tool.name).filter(|name| !name.is_empty()));
    Value::Object(shown)
}

/// Parts of a message. What only the provider can read is not shown.
pub(super) fn parts(parts: Vec<Part>) -> Vec<Value> {
    parts.into_iter().map(|part| body(part.body)).collect()
}

fn body(body: Body) -> Value {
    match body {
        Body::Text(content) => json!({ "type": "text", "content": content }),
        Body::Reasoning(content) => json!({ "type": "reasoning", "content": content }),
        Body::Refusal(content) => json!({ "type": "refusal", "content": content }),
        Body::ToolCall(call) => {
            let mut shown = called("tool_call", call.id, call.name);
            shown.insert("arguments".to_owned(), arguments(call.arguments));
            Value::Object(shown)
        }
        Body::ToolAnswer { id, parts, .. } => {
            let mut shown = object([("type", "tool_call_response".into())]);
            put(&mut shown, "id", id);
            shown.insert("response".to_owned(), response(parts));
            Value::Object(shown)
        }
        Body::ServerToolCall { kind, call: Call { id, name, arguments: given, .. } } => {
            let mut shown = called("server_tool_call", id, name);
            let call = json!({ "type": kind, "arguments": arguments(given) });
            shown.insert("server_tool_call".to_owned(), call);
            Value::Object(shown)
        }
        Body::ServerToolAnswer { kind, id, answer } => {
            let mut shown = object([("type", "server_tool_call_response".into())]);
            put(&mut shown, "id", id);
            let answer = json!({ "type": kind, "response": answer });
            shown.insert("server_tool_call_response".to_owned(), answer);
            Value::Object(shown)
        }
        Body::Blob { modality, mime, data } => {
            let mut shown = object([
                ("type", "blob".into()),
                ("modality", modality.as_str().into()),
                ("content", format!("[left out: {} bytes of base64]", data.len()).into()),
            ]);
            put(&mut shown, "mime_type", mime);
            Value::Object(shown)
        }
        Body::File { modality, id } => {
            json!({ "type": "file", "modality": modality.as_str(), "file_id": id })
        }
        Body::Uri { modality, mime, uri } => {
            let mut shown =
                object([("type", "uri".into()), ("modality", modality.as_str().into()), ("uri", uri.into())]);
            put(&mut shown, "mime_type", mime);
            Value::Object(shown)
        }
        Body::Generic { kind, value } => json!({ "type": kind, "value": value }),
    }
}

/// A tool's answer is most often one text.
fn response(mut answered: Vec<Part>) -> Value {
    match answered.pop() {
        None => Value::Null,
        Some(Part { body: Body::Text(text), .. }) if answered.is_empty() => text.into(),
        Some(last) => {
            answered.push(last);
            parts(answered).into()
        }
    }
}

fn called(kind: &str, id: Option<String>, name: String) -> Map<String, Value> {
    let mut shown = object([("type", kind.into())]);
    put(&mut shown, "id", id);
    shown.insert("name".to_owned(), name.into());
    shown
}

fn arguments(arguments: Arguments) -> Value {
    match arguments {
        Arguments::Object(members) => Value::Object(members),
        Arguments::Text(text) => text.into(),
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}
