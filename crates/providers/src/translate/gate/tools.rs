//! Tools, and what of them must be called.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{At, Notes};
use crate::canonical::{Body, Form, Manner, Request, SomeTools, StrictTools, Tool, ToolChoice, ToolKind};
use crate::dialects::{anthropic_messages, gemini, openai_strict};

pub(super) fn fit(request: &mut Request, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    for (index, tool) in request.tools.iter_mut().enumerate() {
        declared(tool, At::Tool(index), form, manner, notes);
    }
    choice(request, manner, notes);
    declare_history(request, manner, notes);
    if !request.tools.is_empty() && !manner.tools {
        notes.refuse(At::Member("tools"), "tools, which the model does not call");
    }
    if !manner.called_history && !called(request).is_empty() {
        notes.refuse(
            At::Member(form.messages),
            "calls without the thoughts before them, which the model wants back",
        );
    }
    if request.tools.is_empty() {
        // Both are errors where nothing can be called, and mean nothing.
        request.tool_choice = None;
        request.parallel_tools = None;
    }
    if request.parallel_tools == Some(false) && !manner.one_call {
        notes.drop(At::Member("tools"), "that tools are called one at a time");
        request.parallel_tools = None;
    }
}

fn declared(tool: &mut Tool, at: At<'_>, form: &'static Form, manner: &Manner, notes: &mut Notes) {
    match &tool.kind {
        ToolKind::Free(_) if !manner.free_tools => return notes.refuse(at, "a tool that takes free text"),
        ToolKind::Function | ToolKind::Free(_) => {}
        ToolKind::Provider(_) => return notes.refuse(at, "a tool of the provider's"),
    }
    tool.rest.clear();
    if tool.cache.is_some() && !manner.cache_hints {
        notes.drop(at, "where the prompt may be cached");
        tool.cache = None;
    }
    tool.description = tool.description.take().filter(|text| !text.trim().is_empty());
    if matches!(tool.kind, ToolKind::Free(_)) {
        (tool.schema, tool.strict) = (None, None);
        return;
    }
    let mut schema = tool.schema.take().filter(|schema| !schema.is_null()).unwrap_or_else(any_object);
    if form.name == "Gemini" {
        gemini::schema::from_openapi(&mut schema);
    }
    if let Value::Object(members) = &mut schema {
        members.entry("type").or_insert_with(|| "object".into());
        if members["type"] == "object" && !members.keys().any(|key| key.starts_with('$') || key == "anyOf") {
            members.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        }
    }
    if tool.strict == Some(true) {
        let held = match manner.strict_tools {
            StrictTools::OpenAi => openai_strict::is_strict(&schema),
            StrictTools::Claude => match anthropic_messages::schema::fitted(&schema) {
                Ok(fitted) if !fitted.changed => {
                    schema = fitted.schema;
                    true
                }
                _ => false,
            },
            StrictTools::Mode => {
                notes.approximate(at, "arguments held to their schema, by a mode of the whole call");
                true
            }
            StrictTools::No => false,
        };
        if !held {
            notes.drop(at, "that arguments are held to their schema");
            tool.strict = None;
        }
    }
    tool.schema = Some(schema);
}

fn any_object() -> Value {
    json!({"type": "object", "properties": {}})
}

fn choice(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    let at = At::Member("tool_choice");
    match request.tool_choice.take() {
        None => {}
        Some(ToolChoice::Other(_)) => notes.refuse(at, "an order to call that is not known here"),
        Some(ToolChoice::None) if !manner.no_call => {
            if called(request).is_empty() {
                if !request.tools.is_empty() {
                    notes.approximate(at, "that nothing may be called, by showing no tools");
                }
                request.tools.clear();
            } else {
                notes.refuse(at, "that nothing may be called, after calls in the history");
            }
        }
        Some(ToolChoice::Allowed { names, required }) => some(request, names, required, manner, notes),
        Some(choice) => request.tool_choice = Some(choice),
    }
}

fn some(request: &mut Request, names: Vec<String>, required: bool, manner: &Manner, notes: &mut Notes) {
    let at = At::Member("tool_choice");
    match manner.some_tools {
        SomeTools::Said => request.tool_choice = Some(ToolChoice::Allowed { names, required }),
        SomeTools::Mode => {
            if !required {
                notes.approximate(at, "that only some tools may be called");
            }
            request.tool_choice = Some(ToolChoice::Allowed { names, required });
        }
        SomeTools::Filtered => {
            notes.approximate(at, "that only some tools may be called, by showing no others");
            request.tools.retain(|tool| names.contains(&tool.name));
            request.tool_choice = Some(if required { ToolChoice::Required } else { ToolChoice::Auto });
        }
    }
}

/// Tools called in the history, by name.
fn called(request: &Request) -> BTreeSet<String> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let called = parts.filter_map(|part| match &part.body {
        Body::ToolCall(call) => Some(call.name.clone()),
        _ => None,
    });
    called.collect()
}

fn declare_history(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    if !manner.declared_history || !request.tools.is_empty() {
        return;
    }
    let called = called(request);
    if called.is_empty() {
        return;
    }
    notes.approximate(At::Member("tools"), "tools of the history that are no longer declared");
    request.tool_choice = manner.no_call.then_some(ToolChoice::None);
    request.tools.extend(called.into_iter().map(|name| Tool {
        kind: ToolKind::Function,
        name,
        description: None,
        schema: Some(any_object()),
        strict: None,
        cache: None,
        rest: Map::new(),
    }));
}
