//! The canonical form of a request as Responses. The provider is never asked to keep it. Per translated request.

use std::collections::BTreeSet;

use outrigger_pricing::{Capability, ModelFacts};
use serde_json::{Map, Value, json};

use super::super::OpenAiResponses;
use super::form::FORM;
use crate::canonical::{
    Body, By, Call, Form, Format, IdRule, Manner, Mark, Modality, NameRule, Part, Request, RequestWriter,
    Schemas, SomeTools, StrictTools, Thinking, Tool, ToolChoice, ToolKind, Turn, joined, turns,
};
use crate::dialects::openai_chat::{address, written};
use crate::dialects::{openai_custom, openai_models};

impl RequestWriter for OpenAiResponses {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
        let knows = |capability| facts.and_then(|facts| facts.can(capability));
        let reasons = openai_models::reasons(model, facts);
        Manner {
            system_anywhere: true,
            user_first: false,
            prefill: false,
            images: knows(Capability::Vision) != Some(false),
            documents: knows(Capability::Documents) != Some(false),
            audio: false,
            image_urls: true,
            document_urls: true,
            media_in_answers: true,
            empty_answers: true,
            error_flag: false,
            object_arguments: false,
            cache_hints: false,
            tools: knows(Capability::Tools) != Some(false),
            free_tools: true,
            called_history: true,
            names: NameRule { longest: 64, beside: "", letter_first: false },
            ids: IdRule::Word(64),
            strict_tools: StrictTools::OpenAi,
            no_call: true,
            some_tools: SomeTools::Said,
            forced_while_thinking: true,
            one_call: true,
            declared_history: false,
            json: true,
            schemas: match knows(Capability::StrictSchema) {
                Some(false) => Schemas::No,
                _ => Schemas::OpenAi,
            },
            schema_with_tools: true,
            hottest: (!reasons).then_some(2.0),
            top_p: !reasons,
            both_chances: true,
            chances_while_thinking: true,
            verbosity: openai_models::is_told_its_verbosity(model),
            top_k: false,
            seed: false,
            penalties: false,
            stops: 0,
            blank_stops: true,
            thinking: if reasons { Thinking::Steps(openai_models::steps(model)) } else { Thinking::Untold },
            max_tokens_needed: None,
            max_tokens_cap: facts.and_then(|facts| facts.output_limit),
            mark: Mark::Plain,
        }
    }

    /// Thoughts are sealed for one account, or kept by it: another refuses them, so they are left out.
    fn takes_as_it_is(&self, request: &Request, _body: &[u8], _kin: bool) -> bool {
        let mut parts = request.messages.iter().flat_map(|message| &message.parts);
        !parts.any(|part| matches!(part.body, Body::Reasoning(_)))
    }

    fn write(&self, request: &Request, _manner: &Manner) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("model", json!(request.model));
        // What is kept is kept for an account that the app does not know.
        set("store", false.into());
        if !request.system.is_empty() {
            set("instructions", joined(&request.system, "\n\n").into());
        }
        set("input", Value::Array(items(request)));
        if !request.tools.is_empty() {
            set("tools", request.tools.iter().map(tool).collect());
        }
        if let Some(choice) = request.tool_choice.as_ref().and_then(|it| tool_choice(it, &request.tools)) {
            set("tool_choice", choice);
        }
        if let Some(parallel) = request.parallel_tools {
            set("parallel_tool_calls", parallel.into());
        }
        let (format, verbosity) = (request.format.as_ref().and_then(format), &request.verbosity);
        let text = [("format", format), ("verbosity", verbosity.as_deref().map(Value::from))];
        let text: Map<String, Value> =
            text.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if !text.is_empty() {
            set("text", text.into());
        }
        if let Some(level) = &request.effort.level {
            set("reasoning", json!({"effort": level}));
        }
        let sampling = &request.sampling;
        let numbers = [
            ("max_output_tokens", sampling.max_tokens.map(Value::from)),
            ("temperature", sampling.temperature.map(Value::from)),
            ("top_p", sampling.top_p.map(Value::from)),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                set(name, value);
            }
        }
        if request.stream {
            set("stream", true.into());
        }
        Value::Object(body)
    }
}

fn items(request: &Request) -> Vec<Value> {
    let (free, mut items) = (free_calls(request), Vec::new());
    for turn in turns(&request.messages) {
        match turn.by {
            By::System => {
                let text = joined(turn.others(), "\n\n");
                items.push(json!({"type": "message", "role": "system", "content": text}));
            }
            By::Assistant => assistant(&turn, &mut items),
            By::User => user(&turn, &free, &mut items),
        }
    }
    items
}

/// The ids of calls that gave free text: their answers are items of another kind.
fn free_calls(request: &Request) -> BTreeSet<&str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let free = parts.filter_map(|part| match &part.body {
        Body::ToolCall(Call { id, free: true, .. }) => id.as_deref(),
        _ => None,
    });
    free.collect()
}

/// Texts that follow one another are one message; a call is an item.
fn assistant(turn: &Turn<'_>, items: &mut Vec<Value>) {
    let mut texts: Vec<Value> = Vec::new();
    let message = |texts: &mut Vec<Value>| {
        (!texts.is_empty())
            .then(|| json!({"type": "message", "role": "assistant", "content": std::mem::take(texts)}))
    };
    for part in turn.others() {
        match &part.body {
            Body::Text(text) => texts.push(json!({"type": "output_text", "text": text, "annotations": []})),
            Body::ToolCall(Call { id, name, arguments, free }) => {
                items.extend(message(&mut texts));
                let given = written(arguments);
                items.push(if *free {
                    json!({"type": "custom_tool_call", "call_id": id, "name": name, "input": given})
                } else {
                    json!({"type": "function_call", "call_id": id, "name": name, "arguments": given})
                });
            }
            _ => {}
        }
    }
    items.extend(message(&mut texts));
}

fn user(turn: &Turn<'_>, free: &BTreeSet<&str>, items: &mut Vec<Value>) {
    for part in turn.answers() {
        let Body::ToolAnswer { id, parts, .. } = &part.body else { continue };
        let output = match &parts[..] {
            [] => Value::from(""),
            [Part { body: Body::Text(text), .. }] => text.as_str().into(),
            parts => parts.iter().filter_map(self::part).collect(),
        };
        let is_free = id.as_deref().is_some_and(|id| free.contains(id));
        let kind = if is_free { "custom_tool_call_output" } else { "function_call_output" };
        items.push(json!({"type": kind, "call_id": id, "output": output}));
    }
    let content: Vec<Value> = turn.others().filter_map(part).collect();
    if !content.is_empty() {
        items.push(json!({"type": "message", "role": "user", "content": content}));
    }
}

fn part(part: &Part) -> Option<Value> {
    Some(match &part.body {
        Body::Text(text) => json!({"type": "input_text", "text": text}),
        Body::Uri { modality: Modality::Image, uri, .. } => json!({"type": "input_image", "image_url": uri}),
        Body::Uri { uri, .. } => json!({"type": "input_file", "file_url": uri}),
        Body::Blob { modality: Modality::Image, mime, data } => {
            json!({"type": "input_image", "image_url": address(mime.as_deref(), data)})
        }
        Body::Blob { mime, data, .. } => {
            let data = address(mime.as_deref(), data);
            json!({"type": "input_file", "filename": "document.pdf", "file_data": data})
        }
        _ => return None,
    })
}

/// What is not said to be strict is made so here.
fn tool(tool: &Tool) -> Value {
    if matches!(tool.kind, ToolKind::Free(_)) {
        let mut told = openai_custom::told(tool, false);
        told["type"] = "custom".into();
        return told;
    }
    let strict = tool.strict.unwrap_or(false);
    let mut told =
        json!({"type": "function", "name": tool.name, "parameters": tool.schema, "strict": strict});
    if let Some(description) = &tool.description {
        told["description"] = description.as_str().into();
    }
    told
}

fn tool_choice(choice: &ToolChoice, tools: &[Tool]) -> Option<Value> {
    let named = |name: &str| json!({"type": openai_custom::kind(tools, name), "name": name});
    Some(match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            json!({"type": "allowed_tools", "mode": if *required { "required" } else { "auto" }, "tools": tools})
        }
        ToolChoice::Other(_) => return None,
    })
}

fn format(format: &Format) -> Option<Value> {
    match format {
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Schema { name, schema, strict } => {
            let name = name.as_deref().unwrap_or("answer");
            Some(json!({"type": "json_schema", "name": name, "schema": schema, "strict": strict}))
        }
        Format::Text | Format::Other(_) => None,
    }
}
