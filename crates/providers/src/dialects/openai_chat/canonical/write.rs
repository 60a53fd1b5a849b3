//! The canonical form of a request as Chat Completions, as each service takes them. Per translated request.

use outrigger_pricing::{Capability, ModelFacts};
use serde_json::{Map, Value, json};

use super::super::OpenAiChat;
use super::form::FORM;
use super::takes::{Effort, Takes};
use crate::canonical::{
    Arguments, Body, By, Call, Form, Format, Manner, Mark, Modality, NameRule, Part, Request, RequestWriter,
    Schemas, SomeTools, StrictTools, Thinking, Tool, ToolChoice, ToolKind, Turn, joined, turns,
};
use crate::dialects::{openai_custom, openai_models};

impl RequestWriter for OpenAiChat {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn manner(&self, model: &str, facts: Option<&ModelFacts<'_>>) -> Manner {
        let takes = self.takes;
        let knows = |capability| facts.and_then(|facts| facts.can(capability));
        let of_openai = matches!(takes.effort, Effort::OfModel);
        let reasons = if of_openai { openai_models::reasons(model, facts) } else { false };
        Manner {
            system_anywhere: takes.system_anywhere,
            user_first: !takes.system_anywhere,
            prefill: false,
            images: knows(Capability::Vision) != Some(false),
            documents: takes.documents && knows(Capability::Documents) != Some(false),
            audio: takes.audio && knows(Capability::AudioInput) == Some(true),
            image_urls: takes.image_urls,
            document_urls: false,
            media_in_answers: false,
            empty_answers: true,
            error_flag: false,
            object_arguments: false,
            cache_hints: false,
            tools: takes.tools && knows(Capability::Tools) != Some(false),
            free_tools: takes.free_tools,
            called_history: !(takes.wants_thoughts && knows(Capability::Reasoning) == Some(true)),
            names: NameRule { longest: 64, beside: "", letter_first: false },
            ids: takes.ids,
            strict_tools: if takes.strict { StrictTools::OpenAi } else { StrictTools::No },
            no_call: true,
            some_tools: if takes.allowed_tools { SomeTools::Said } else { SomeTools::Filtered },
            forced_while_thinking: true,
            one_call: takes.parallel,
            declared_history: false,
            json: true,
            schemas: match knows(Capability::StrictSchema) {
                Some(false) => Schemas::No,
                _ if takes.strict => Schemas::OpenAi,
                _ if takes.schema => Schemas::Any,
                _ => Schemas::No,
            },
            schema_with_tools: true,
            hottest: (!reasons).then_some(2.0),
            top_p: !reasons,
            both_chances: true,
            chances_while_thinking: true,
            verbosity: of_openai && openai_models::is_told_its_verbosity(model),
            top_k: takes.top_k,
            seed: takes.seed.is_some(),
            penalties: takes.penalties && !reasons,
            stops: if of_openai && openai_models::is_without_stops(model) { 0 } else { takes.stops },
            blank_stops: true,
            thinking: match takes.effort {
                Effort::OfModel if reasons => Thinking::Steps(openai_models::steps(model)),
                Effort::Steps(steps) if knows(Capability::Reasoning) == Some(true) => Thinking::Steps(steps),
                _ => Thinking::Untold,
            },
            max_tokens_needed: None,
            max_tokens_cap: facts.and_then(|facts| facts.output_limit),
            mark: Mark::Plain,
        }
    }

    fn takes_as_it_is(&self, request: &Request, body: &[u8], kin: bool) -> bool {
        kin || self.takes.all(request, body)
    }

    fn write(&self, request: &Request, _manner: &Manner) -> Value {
        let takes = self.takes;
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("model", json!(request.model));
        set("messages", Value::Array(messages(request, takes)));
        if !request.tools.is_empty() {
            set("tools", request.tools.iter().map(|it| tool(it, takes)).collect());
        }
        if let Some(choice) =
            request.tool_choice.as_ref().and_then(|it| tool_choice(it, &request.tools, takes))
        {
            set("tool_choice", choice);
        }
        if let Some(parallel) = request.parallel_tools.filter(|_| takes.parallel) {
            set("parallel_tool_calls", parallel.into());
        }
        if let Some(format) = request.format.as_ref().and_then(|it| format(it, takes)) {
            set("response_format", format);
        }
        if let Some(level) = &request.effort.level {
            set("reasoning_effort", level.as_str().into());
        }
        if let Some(verbosity) = &request.verbosity {
            set("verbosity", verbosity.as_str().into());
        }
        let sampling = &request.sampling;
        if let Some(most) = sampling.max_tokens {
            set(if takes.newest_bound { "max_completion_tokens" } else { "max_tokens" }, most.into());
        }
        let seed = takes.seed.unwrap_or("seed");
        let numbers = [
            ("temperature", sampling.temperature.map(Value::from)),
            ("top_p", sampling.top_p.map(Value::from)),
            ("top_k", sampling.top_k.map(Value::from)),
            (seed, sampling.seed.map(Value::from)),
            ("frequency_penalty", sampling.frequency_penalty.map(Value::from)),
            ("presence_penalty", sampling.presence_penalty.map(Value::from)),
            ("stop", (!sampling.stop.is_empty()).then(|| json!(sampling.stop))),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                set(name, value);
            }
        }
        if request.stream {
            set("stream", true.into());
            if takes.usage {
                set("stream_options", json!({"include_usage": true}));
            }
        }
        Value::Object(body)
    }
}

fn messages(request: &Request, takes: &Takes) -> Vec<Value> {
    let mut messages = Vec::new();
    if !request.system.is_empty() {
        messages.push(json!({"role": "system", "content": joined(&request.system, "\n\n")}));
    }
    for turn in turns(&request.messages) {
        match turn.by {
            By::System => {
                messages.push(json!({"role": "system", "content": joined(turn.others(), "\n\n")}));
            }
            By::Assistant => messages.push(assistant(&turn, takes)),
            By::User => user(&turn, &mut messages),
        }
    }
    messages
}

fn assistant(turn: &Turn<'_>, takes: &Takes) -> Value {
    let texts: Vec<&Part> = turn.others().filter(|part| matches!(part.body, Body::Text(_))).collect();
    let calls: Vec<Value> = turn.others().filter_map(|part| call(&part.body)).collect();
    let mut message = json!({"role": "assistant"});
    message["content"] = match texts.len() {
        0 => Value::Null,
        2.. if takes.lists => texts.iter().filter_map(|part| self::part(part)).collect(),
        _ => joined(texts, "\n\n").into(),
    };
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

fn call(body: &Body) -> Option<Value> {
    let Body::ToolCall(Call { id, name, arguments, free }) = body else { return None };
    let arguments = written(arguments);
    if *free {
        return Some(json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}}));
    }
    Some(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
}

/// Arguments as the text that both of OpenAI's formats have.
pub(crate) fn written(arguments: &Arguments) -> String {
    match arguments {
        Arguments::Object(members) => Value::Object(members.clone()).to_string(),
        Arguments::Text(text) => text.clone(),
    }
}

/// Answers first, each in a message; then what tools showed and what the user says.
fn user(turn: &Turn<'_>, messages: &mut Vec<Value>) {
    let mut shown: Vec<Value> = Vec::new();
    for part in turn.answers() {
        let Body::ToolAnswer { id, name, parts, .. } = &part.body else { continue };
        let texts: Vec<&Part> = parts.iter().filter(|part| matches!(part.body, Body::Text(_))).collect();
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": joined(texts, "\n\n")}));
        let media: Vec<Value> =
            parts.iter().filter(|part| !matches!(part.body, Body::Text(_))).filter_map(self::part).collect();
        if !media.is_empty() {
            let name = name.as_deref().unwrap_or("the tool");
            shown.push(json!({"type": "text", "text": format!("[Shown by {name}]")}));
            shown.extend(media);
        }
    }
    let said: Vec<&Part> = turn.others().collect();
    let content = match (&shown[..], &said[..]) {
        ([], []) => return,
        ([], [Part { body: Body::Text(text), .. }]) => Value::from(text.as_str()),
        _ => {
            shown.extend(said.into_iter().filter_map(part));
            Value::Array(shown)
        }
    };
    messages.push(json!({"role": "user", "content": content}));
}

fn part(part: &Part) -> Option<Value> {
    Some(match &part.body {
        Body::Text(text) => json!({"type": "text", "text": text}),
        Body::Uri { modality: Modality::Image, uri, .. } => {
            json!({"type": "image_url", "image_url": {"url": uri}})
        }
        Body::Blob { modality: Modality::Image, mime, data } => {
            json!({"type": "image_url", "image_url": {"url": address(mime.as_deref(), data)}})
        }
        Body::Blob { modality: Modality::Audio, mime, data } => {
            let format =
                mime.as_deref().and_then(|mime| mime.split_once('/')).map_or("wav", |(_, kind)| kind);
            json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
        }
        Body::Blob { mime, data, .. } => {
            let data = address(mime.as_deref(), data);
            json!({"type": "file", "file": {"filename": "document.pdf", "file_data": data}})
        }
        _ => return None,
    })
}

/// Bytes as an address that holds them.
pub(crate) fn address(mime: Option<&str>, data: &str) -> String {
    format!("data:{};base64,{data}", mime.unwrap_or("application/octet-stream"))
}

fn tool(tool: &Tool, takes: &Takes) -> Value {
    if matches!(tool.kind, ToolKind::Free(_)) {
        return json!({"type": "custom", "custom": openai_custom::told(tool, true)});
    }
    let mut function = json!({"name": tool.name, "parameters": tool.schema});
    if let Some(description) = &tool.description {
        function["description"] = description.as_str().into();
    }
    if let Some(strict) = tool.strict.filter(|_| takes.strict) {
        function["strict"] = strict.into();
    }
    json!({"type": "function", "function": function})
}

fn tool_choice(choice: &ToolChoice, tools: &[Tool], takes: &Takes) -> Option<Value> {
    let named = |name: &str| {
        let kind = openai_custom::kind(tools, name);
        json!({"type": kind, kind: {"name": name}})
    };
    Some(match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => takes.required.into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            let mode = if *required { "required" } else { "auto" };
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
        ToolChoice::Other(_) => return None,
    })
}

fn format(format: &Format, takes: &Takes) -> Option<Value> {
    match format {
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Schema { name, schema, strict } => {
            let mut told = json!({"name": name.as_deref().unwrap_or("answer"), "schema": schema});
            if let Some(strict) = strict.filter(|_| takes.strict) {
                told["strict"] = strict.into();
            }
            Some(json!({"type": "json_schema", "json_schema": told}))
        }
        Format::Text | Format::Other(_) => None,
    }
}
